"""Two cases that are one: the one that stands takes in what the other holds. A split gives each customer its own signals again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from caseline.cases.changes import people_worked
from caseline.cases.ledger import CLOSED, KEPT_SIGNALS, change_case, change_write, due, history_row, load_case, load_cases, load_claims
from caseline.customers import customer_id_of, identity_key, load_customers
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import LIVE, load_signals
from caseline.turns import asks_of


def standing(case: Mapping[str, Any]) -> tuple[bool, tuple[str, str]]:
    """Of several that are one, the one that stands: what people work, else the oldest."""
    return not people_worked(case), seniority(case)


def seniority(case: Mapping[str, Any]) -> tuple[str, str]:
    return str(case["opened_at"]), str(case["case_key"])


def absorb(case: Item, folds: Sequence[Item]) -> Item:
    """The case with all that the others hold."""
    if not folds:
        return case
    ids = dict.fromkeys(signal for each in (case, *folds) for signal in each["signal_ids"])
    return case | {
        "signal_ids": list(ids)[-KEPT_SIGNALS:], "signal_count": sum(each["signal_count"] for each in (case, *folds)),
        "channels": sorted({channel for each in (case, *folds) for channel in each["channels"]}),
        "threads": list(dict.fromkeys(name for each in (case, *folds) for name in each.get("threads") or ())),
        "first_signal_at": min(str(each["first_signal_at"]) for each in (case, *folds)),
    }  # fmt: skip


def fold_writes(table: Table, fold: Item, into: Item, why: str, now: str) -> list[Mapping[str, Any]]:
    """What closes a case into another, for the transaction that has the other take in what it holds."""
    text = f"merged into {into['case_key']}{why}"
    closed = fold | {"status": CLOSED, "closed_at": now, "updated_at": now, "version": fold["version"] + 1, "joined": into["case_key"]}
    closed |= {"push": "wanted", **due(now)}
    told = history_row(fold["case_key"], now, "status", text, closed["version"], mark=f"{closed['version']:06d}")
    return [change_write(table, fold, closed), table.put_write(told)]


def take_in(table: Table, case: Item, fold: Item, now: str, writes: Sequence[Mapping[str, Any]]) -> bool:
    """The case with what the other holds, to be judged again; the other closed. False if one of them has changed since."""
    whole = absorb(case, [fold]) | _said_of_band(case, fold)
    whole |= {"version": case["version"] + 1, "updated_at": now, "push": "wanted", **due(now)}
    told = history_row(case["case_key"], now, "merged", f"case {fold['case_key']} of the same customer went into it", whole["version"], mark=_mark(whole))
    return change_case(table, case, whole, told, writes=[*fold_writes(table, fold, case, "", now), *writes])


def _said_of_band(case: Item, fold: Item) -> Item:
    """What people said last of the band of either stands; `band_from` is the case of which they said it."""
    mine, others = case["priority"].get("override"), fold["priority"].get("override")
    if not others or (mine and str(mine.get("at", "")) >= str(others.get("at", ""))):
        return {}
    return {"priority": case["priority"] | {"override": others, "band": others["band"]}, "band_from": fold["case_key"]}


def _own_band(case: Item, home: Mapping[str, Item]) -> Item:
    """Without what people had said of a case that went its own way again."""
    source = home.get(str(case.get("band_from", "")))
    if source is None or source["priority"].get("override") != case["priority"].get("override"):
        return case
    priority = case["priority"] | {"override": None, "band": case["priority"]["auto_band"]}
    return {name: value for name, value in case.items() if name != "band_from"} | {"priority": priority}


def _mark(case: Item) -> str:
    return f"{case['version']:06d}"


# ---- and apart again


def part_cases(table: Table, one: Item, other: Item, now: str) -> None:
    """After a split: signals of either customer that stand in an open case of the other's go where they belong. Safe to repeat."""
    for owner, stranger in ((one, other), (other, one)):
        home = load_cases(table, [claim["case_key"] for claim in load_claims(table, stranger["customer_id"])])
        for claim in load_claims(table, owner["customer_id"]):
            _part(table, claim["case_key"], stranger, home, now)


def _part(table: Table, case_key: str, stranger: Item, home: Mapping[str, Item], now: str) -> None:
    for _ in range(8):
        case = load_case(table, case_key)
        if case is None or case["status"] == CLOSED:
            return
        rows = load_signals(table, case["signal_ids"])
        strange, own = _rows_of(table, rows.values(), stranger), _own_band(case, home)
        if not strange and own is case:
            return
        _free(table, strange, {signal_id for each in home.values() for signal_id in each["signal_ids"]}, now)
        apart = own | _without(case, strange, [row for signal_id, row in rows.items() if signal_id not in strange])
        apart |= {"version": case["version"] + 1, "updated_at": now, "push": "wanted", **due(now)}
        told = history_row(case_key, now, "parted", "the customers were split: each has what is its own again", apart["version"], mark=_mark(apart))
        if change_case(table, case, apart, told):
            return


def _rows_of(table: Table, rows: Iterable[Item], customer: Item) -> dict[str, Item]:
    """Those that are this customer's by now, by their ids."""
    scope = str(customer.get("scope", ""))
    node_of = {row["signal_id"]: customer_id_of(str(row["identity"]).removeprefix(identity_key("", scope)), scope) for row in rows if row.get("identity")}
    owners = load_customers(table, set(node_of.values())) if node_of else {}
    return {row["signal_id"]: row for row in rows if owners.get(node_of.get(row["signal_id"], ""), {}).get("customer_id") == customer["customer_id"]}


def _free(table: Table, rows: Mapping[str, Item], housed: set[str], now: str) -> None:
    """Triage takes them up like new ones, but for those that stand in a case of their own customer's."""
    for signal_id, row in rows.items():
        if signal_id not in housed and row["state"] == LIVE and row["need"] == "due":
            with suppress(ConditionFailed):
                table.update(row["PK"], row["SK"], "SET freed = :now REMOVE case_key, case_rule, case_why", "attribute_exists(PK)", now=now)


def _without(case: Item, strange: Mapping[str, Item], kept: Sequence[Item]) -> Item:
    """`parted` counts those that went: notes in the CRM are numbered by the count of all that were ever in it."""
    left = {"signal_ids": [each for each in case["signal_ids"] if each not in strange], "parted": case.get("parted", 0) + len(strange)}
    if case["signal_count"] - case.get("parted", 0) == len(case["signal_ids"]) and kept:
        left |= {"channels": sorted({str(row["channel"]) for row in kept}), "first_signal_at": min(asks_of(row)[0] for row in kept)}
    return left | ({"weighs": ""} if case.get("weighs") in strange else {})
