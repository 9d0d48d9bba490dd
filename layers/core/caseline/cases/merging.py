"""Cases follow customers: after a merge the open cases of the merged customer are the other's, and two of one issue become one; a split undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from caseline.cases.folding import part_cases, standing, take_in
from caseline.cases.ledger import CLOSED, OPEN, change_case, claim_key, due, history_row, is_past, load_case, load_cases, load_shelf
from caseline.customers import customer_id_of, identity_key, load_customer, load_customers
from caseline.table import ConditionFailed, Item, Table, key


def settle_merges(table: Table, customer_id: str, now: str) -> None:
    """Let open cases follow all merges and splits of this customer. Each leaves a mark on the row until that is done."""
    customer = load_customer(table, customer_id)
    if not customer:
        return
    for loser in customer.get("merging", ()):
        follow_merge(table, loser, customer["customer_id"], now)
    for parting in customer.get("parting", ()):
        stayed, _, left = str(parting).partition(">")
        follow_split(table, stayed, left, now)
    for mark in ("merging", "parting"):
        if customer.get(mark):
            with suppress(ConditionFailed):
                table.update(f"CUSTOMER#{customer['customer_id']}", "CUSTOMER", f"REMOVE {mark}", f"{mark} = :{mark}", **{mark: customer[mark]})


def follow_split(table: Table, stayed: str, left: str, now: str) -> None:
    """Give each of the two customers the open cases that their own signals opened, and open again what only the merge had closed. Safe to repeat."""
    rows = load_customers(table, [stayed, left])
    if len({row["customer_id"] for row in rows.values()}) < 2:
        return  # joined again since
    for claim in load_shelf(table, rows[stayed]["customer_id"]):
        case = load_case(table, claim["case_key"])
        if case and (owner := _opener(table, case, rows[left])) != rows[stayed]["customer_id"]:
            _give(table, claim, case, owner)
    for case_key in sorted(rows[left].get("folded", ())):
        _unfold(table, case_key, rows[left], now)
    part_cases(table, rows[stayed], rows[left], now)
    if rows[left].get("folded"):
        table.update(rows[left]["PK"], rows[left]["SK"], "REMOVE folded")


def _opener(table: Table, case: Item, kin: Item) -> str:
    """Whose signal opened the case, as customers stand now."""
    scope = str(kin.get("scope", ""))
    node = customer_id_of(str(case.get("identity", "")).removeprefix(identity_key("", scope)), scope)
    return str((load_customer(table, node) or {}).get("customer_id") or case["customer_id"])


def _give(table: Table, claim: Item, case: Item, owner: str) -> None:
    brand, _, category = claim["SK"].partition("#")
    with suppress(ConditionFailed):  # it has one of that issue by now, or somebody else moved it
        table.transact(
            table.put_write({**claim, **claim_key(owner, brand, category)}, "attribute_not_exists(PK)"),
            table.delete_write(claim["PK"], claim["SK"], "case_key = :case_key", case_key=claim["case_key"]),
            table.update_write(case["PK"], case["SK"], "SET customer_id = :owner", "attribute_exists(PK)", owner=owner),
        )


def _unfold(table: Table, case_key: str, kin: Item, now: str) -> None:
    """A case that was closed into the other customer's is open again, unless a person works it otherwise or its issue is taken."""
    for _ in range(8):
        case = load_case(table, case_key)
        if case is None or case["status"] != CLOSED or not case.get("joined"):
            return
        owner = _opener(table, case, kin)
        claim = claim_key(owner, case["brand"], case["category"])
        if table.get(claim["PK"], claim["SK"]):
            return
        held = claim | {"type": "claim", "schema": 1, "case_key": case_key, "opened_at": case["opened_at"], "identity": case["identity"]}
        again = {name: value for name, value in case.items() if name not in ("closed_at", "joined")}
        again |= {"status": OPEN, "customer_id": owner, "updated_at": now, "version": case["version"] + 1, "push": "wanted", **due(now)}
        told = history_row(case_key, now, "status", "open again: the customers were split", again["version"], mark=f"{again['version']:06d}")
        if change_case(table, case, again, told, writes=[table.put_write(held, "attribute_not_exists(PK)")]):
            return


def follow_merge(table: Table, loser: str, winner: str, now: str) -> None:
    """Re-point the claims of a merged customer. Safe to repeat; a crash in between leaves claims that the next call moves."""
    for claim in load_shelf(table, loser):
        brand, _, category = claim["SK"].partition("#")
        target = claim_key(winner, brand, category)
        try:
            table.transact(
                table.put_write({**claim, **target}, "attribute_not_exists(PK)"),
                table.delete_write(claim["PK"], claim["SK"], "case_key = :case_key", case_key=claim["case_key"]),
            )
        except ConditionFailed:
            if is_past(claim):
                table.delete(claim["PK"], claim["SK"])  # the winner has one of that issue, and one is enough
            else:
                _make_one(table, claim, target, now, loser)


def _make_one(table: Table, claim: Item, target: Item, now: str, loser: str) -> None:
    """Two open cases of one person on one issue: what people work goes on, else the older, and takes in the other, which is closed with a link to it."""
    for _ in range(8):
        held = table.get(target["PK"], target["SK"])
        if held is None or held["case_key"] == claim["case_key"]:
            return
        cases = load_cases(table, [held["case_key"], claim["case_key"]])
        if len([case for case in cases.values() if case["status"] == OPEN]) < 2:
            return  # it was closed meanwhile, and its claim with it
        case, fold = sorted(cases.values(), key=standing)
        table.update(f"CUSTOMER#{loser}", "CUSTOMER", "ADD folded :cases", cases={fold["case_key"]})  # a split opens it again
        gone = table.delete_write(claim["PK"], claim["SK"], "case_key = :case_key", case_key=claim["case_key"])
        if take_in(table, case, fold, now, [gone, _hold(table, claim, held, case)]):
            return


def _hold(table: Table, claim: Item, held: Item, case: Item) -> Mapping[str, Any]:
    """The claim is that of the case which stands, if it was not before."""
    mine = held if case["case_key"] == held["case_key"] else {**claim, **key(held["PK"], held["SK"])}
    return table.put_write(mine, "case_key = :held", held=held["case_key"])
