"""People work a case: close or reopen it, set its band, owner or queue, write a note. What a person set, automation never moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.cases.ledger import (
    ANY,
    CLOSED,
    OPEN,
    PAST,
    change_case,
    claim_key,
    due,
    give_back,
    history_row,
    is_past,
    load_case,
    load_claims,
    load_shelf,
    rest,
)  # fmt: skip
from caseline.cases.rescoring import look_soon
from caseline.crm import AUTOMATIC
from caseline.customers import load_customer
from caseline.errors import ConflictError, NotFoundError, QueryError
from caseline.signals import isoformat
from caseline.table import Item, Table, key
from caseline.timeline import LIVE, load_signals

BANDS = ("P1", "P2", "P3", "P4")
OUTCOMES = {"valid": "it was an issue", "not_an_issue": "it was no issue"}
_LONGEST = {"owner": 120, "reason": 500, "note": 5_000}
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CATEGORY = re.compile(r"[a-z][a-z0-9_]{0,39}")
LATE = 20  # signals of a case, the newest, of which some may have come after it was closed
OF_CLOSING = ("closed_at", "closed_by", "closed_in", "joined", "deleted_there")  # what a case that is open has not
Step = Callable[[Item, Mapping[str, Any]], tuple[Item, str]]


def work_case(
    table: Table, case_key: str, wanted: Mapping[str, Any], by: str, now: datetime, from_crm: bool = False, heard: Mapping[str, Any] | None = None,
    seen: str = "",
) -> Item:  # fmt: skip
    """Apply `wanted` (status, band with reason, owner, queue, outcome, category, note) and return the case, to be pushed unless it was done in the CRM.

    `version` in `wanted` is the one the person saw: ConflictError if the case has changed since. Without it the change applies to what stands.
    `heard` is what of it the CRM told, each with its time: kept with the version that it made. Who closes it has seen what came up to `seen`, and no more.
    """
    check_changes(wanted)
    for _ in range(8):
        case = load_case(table, case_key)
        if case is None:
            raise NotFoundError(f"no case {case_key}")
        _check_standing(case, wanted)
        changed, rows = _apply(case, {**wanted, "there": case["crm"]["name"] if from_crm else ""}, by, isoformat(now))
        if not rows:
            return case
        late = _late(table, case, seen) if changed["status"] == CLOSED != case["status"] and seen else []
        changed = _without(changed, late) | _heard(case, changed, heard or {})
        pushed = _pushed(case, changed, wanted) if from_crm else {}
        kept = _settled(changed) if "pushed_version" in pushed else changed
        writes = [*claim_writes(table, case, changed), *(_release(table, row, isoformat(now)) for row in late)]
        if change_case(table, case, kept, *rows, writes=writes, pushed=pushed):
            if changed["status"] != case["status"]:
                _look_beside(table, case, now)
            return {**case, **changed, **pushed}
    raise ConflictError("the case keeps changing; try again")


def _check_standing(case: Item, wanted: Mapping[str, Any]) -> None:
    if wanted.get("version") not in (None, case["version"]):
        raise ConflictError(f"the case has changed since: version {case['version']} stands")
    if case.get("erased"):
        raise ConflictError("the case's customer was erased: nothing more is written to it")


def has_place(name: str, value: Any) -> bool:
    """Whether a case can have that value there."""
    return _CHECKS[name](value)


def _look_beside(table: Table, case: Item, now: datetime) -> None:
    """The customer's other cases weigh by how many are open. Whoever dies before that leaves it to the daily look."""
    if customer := load_customer(table, case["customer_id"]):
        look_soon(table, [claim for claim in load_claims(table, customer["customer_id"]) if claim["case_key"] != case["case_key"]], now)


def check_changes(wanted: Mapping[str, Any]) -> None:
    """QueryError for the first field that is unknown or wrong."""
    for name, value in wanted.items():
        if name not in _CHECKS:
            raise QueryError(name, f"there is no such field; write {', '.join(_CHECKS)}")
        if value is not None and not _CHECKS[name](value):
            raise QueryError(name, _ADVICE[name])
    if wanted.get("band") in BANDS and not str(wanted.get("reason") or "").strip():
        raise QueryError("reason", "say why the band is set by hand")


def _apply(case: Item, wanted: Mapping[str, Any], by: str, now: str) -> tuple[Item, list[Item]]:
    """The next version, and the rows that tell of it; no rows where nothing would change."""
    version, changed, told = case["version"] + 1, dict(case), []
    for name, step in _STEPS.items():
        if wanted.get(name) is None:
            continue
        after, text = step(changed, {**wanted, "by": by, "now": now})
        if after != changed or name == "note":
            told.append(history_row(case["case_key"], now, name, text, version, by, mark=f"{version:06d}-{name}"))
        changed = after
    notes = [_note_row(case, wanted["note"].strip(), by, now, version)] if wanted.get("note") else []
    noted = {"note_version": version} if notes else {}
    return changed | {"version": version, "updated_at": now, **noted, **due(now)}, [*told, *notes]


def _heard(case: Item, changed: Item, heard: Mapping[str, Any]) -> Item:
    return {"heard": {**case.get("heard", {}), **{name: [*said, changed["version"]] for name, said in heard.items()}}} if heard else {}


def _late(table: Table, case: Item, seen: str) -> list[Item]:
    """Signals of the case that came when it was closed already, and nobody knew: they find their place anew."""
    if case.get("updated_at", "") <= seen:
        return []
    rows = load_signals(table, case["signal_ids"][-LATE:])
    return [row for row in rows.values() if row["state"] == LIVE and row["need"] == "due" and row["received_at"] > seen]


def _without(case: Item, late: Sequence[Item]) -> Item:
    """They are its last, so that notes in the CRM keep their numbers; what it was told of them stands there as noted."""
    gone = {row["signal_id"] for row in late}
    kept = [signal_id for signal_id in case["signal_ids"] if signal_id not in gone]
    return case | {"signal_ids": kept, "signal_count": case["signal_count"] - len(gone)} if gone else case


def _release(table: Table, row: Item, at: str) -> Mapping[str, Any]:
    return table.update_write(row["PK"], row["SK"], "SET freed = :at REMOVE case_key, case_rule, case_why", "attribute_exists(PK)", at=at)


def _settled(case: Item) -> Item:
    """It need not be pushed; a case that was closed in the CRM rests like any other closed one."""
    return {name: value for name, value in case.items() if name not in ("due_shard", "due_at")} | (rest(case) if case["status"] == CLOSED else {})


def _pushed(case: Item, changed: Item, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What the outbox would note after a push, where the CRM was up to date before and so is now; nothing where it has to be told more. A record that is
    gone is told nothing more. A band that people gave back there is blank until it is told which it is."""
    if wanted.get("band") == AUTOMATIC:
        return {"sent": {**case.get("sent", {}), "band": ""}}
    if case["pushed_version"] != case["version"] and not case.get("deleted_there"):
        return {}
    sent = {"status": changed["status"], "band": changed["priority"]["band"], "queue": changed["queue"], "owner": changed.get("owner", "")}
    return {"pushed_version": changed["version"], "sent": sent, "noted_version": changed["version"]}


def _set_status(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    status = wanted["status"]
    if status == case["status"]:
        return case, ""
    if status != CLOSED:
        return {name: value for name, value in case.items() if name not in OF_CLOSING} | {"status": status}, "reopened"
    there = {"closed_in": wanted["there"]} if wanted["there"] else {}
    return case | {"status": status, "closed_at": wanted["now"], "closed_by": wanted["by"]} | there, "closed"


def _set_band(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    priority, band = case["priority"], wanted["band"]
    if band == AUTOMATIC:
        return _place(case, priority | {"band": priority["auto_band"], "override": None}, wanted["now"]), f"back to {priority['auto_band']}, by the score"
    reason = wanted["reason"].strip()
    override = {"band": band, "by": wanted["by"], "at": wanted["now"], "reason": reason}
    return _place(case, priority | {"band": band, "override": override}, wanted["now"]), f"{priority['band']} to {band}: {reason}"


def _place(case: Item, priority: Item, now: str) -> Item:
    """Another band has other deadlines: the case is looked at again at once."""
    return case if priority == case["priority"] else case | {"priority": priority, "look_at": now}


def _set_owner(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    owner = wanted["owner"].strip()
    rest = {name: value for name, value in case.items() if name != "owner"}
    return (rest | {"owner": owner}, f"to {owner}") if owner else (rest, "to nobody")


def _set_queue(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    queue = wanted["queue"]
    return (case, "") if queue == case["queue"] else (case | {"queue": queue, "queue_set": queue}, f"{case['queue']} to {queue}")


def _set_outcome(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    """What a person says it was stays on the case, for whoever learns from it."""
    return case | {"outcome": wanted["outcome"]}, OUTCOMES[wanted["outcome"]]


def _set_category(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    stands, category = case.get("corrected") or case["category"], wanted["category"]
    return (case, "") if category == stands else (case | {"corrected": category}, f"{stands} to {category}")


def _write_note(case: Item, wanted: Mapping[str, Any]) -> tuple[Item, str]:
    return case, wanted["note"].strip()


def _note_row(case: Item, text: str, by: str, now: str, version: int) -> Item:
    """A note stands on the customer's timeline, too."""
    return key(case["PK"], f"NOTE#{version:06d}") | {
        "type": "note", "schema": 1, "text": text, "summary": text[:280], "by": by, "brand": case["brand"],
        "identity": case["identity"], "at": f"{now}#{case['case_key']}#{version:06d}",
    }


def people_worked(case: Mapping[str, Any]) -> bool:
    """Whether a person has taken the case in hand: then automation closes it no more."""
    return bool(case.get("owner") or case.get("queue_set") or case.get("note_version") or case["priority"].get("override"))


def claim_writes(table: Table, old: Item, new: Item) -> list[Mapping[str, Any]]:
    """A closed case gives its claim back, a reopened one takes it again, in the same transaction."""
    if old["status"] == new["status"]:
        return []
    customer_id = (load_customer(table, old["customer_id"]) or old)["customer_id"]
    shelf = load_shelf(table, customer_id)
    claims = [row for row in shelf if not is_past(row)]
    if new["status"] == CLOSED:
        return [write for row in claims if row["case_key"] == old["case_key"] for write in give_back(table, row)]
    one_of_all = f"{old['brand']}#{ANY}"  # where the policy has one case of a customer and brand, that is what is claimed
    claim = claim_key(customer_id, old["brand"], ANY if any(str(row["SK"]).removeprefix(PAST) == one_of_all for row in shelf) else old["category"])
    if any(row["SK"] == claim["SK"] and row["case_key"] != old["case_key"] for row in claims):
        raise ConflictError("another open case of this customer has taken over; work that one")
    held = claim | {"type": "claim", "schema": 1, "case_key": old["case_key"], "opened_at": old["opened_at"], "identity": old["identity"]}
    return [table.put_write(held, "attribute_not_exists(PK) OR case_key = :case_key", case_key=old["case_key"])]


def _is_text(name: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= _LONGEST[name]


_STEPS: dict[str, Step] = {
    "status": _set_status, "band": _set_band, "owner": _set_owner, "queue": _set_queue, "outcome": _set_outcome, "category": _set_category,
    "note": _write_note,
}  # fmt: skip
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "status": lambda value: value in (OPEN, CLOSED),
    "band": lambda value: value in (*BANDS, AUTOMATIC),
    "reason": _is_text("reason"),
    "owner": _is_text("owner"),
    "queue": lambda value: isinstance(value, str) and bool(_QUEUE.fullmatch(value)),
    "outcome": lambda value: value in tuple(OUTCOMES),
    "category": lambda value: isinstance(value, str) and bool(_CATEGORY.fullmatch(value)),
    "note": lambda value: _is_text("note")(value) and bool(value.strip()),
    "version": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_ADVICE = {
    "status": "write open or closed", "band": "write P1, P2, P3, P4, or auto for the band of the score", "reason": "write up to 500 characters",
    "owner": "write up to 120 characters", "queue": "write a queue's name: letters, digits, dash, dot, underscore", "note": "write 1 to 5,000 characters",
    "outcome": "write valid or not_an_issue", "category": "write a category of the policy",
    "version": "write the version you saw, a number",
}
