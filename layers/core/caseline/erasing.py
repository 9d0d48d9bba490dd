"""What is left of the rows of an erased person: figures, without words, names or identities. Each step may be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from caseline.cases.changes import work_case
from caseline.cases.ledger import CLOSED, change_case, due, load_case, told_rows
from caseline.crm._builtin_rows import case_key_of
from caseline.errors import ConflictError
from caseline.quarantine import dropped_row
from caseline.replies import private_thread
from caseline.signals import parse_time
from caseline.table import ConditionFailed, Item, Table
from caseline.tombstones import stub_of

ERASED_TEXT = "(erased)"
ATTEMPTS = 8


def erase_signal(table: Table, found: Item) -> None:
    row = table.get(found["PK"], found["SK"])
    if row is None:
        return
    if thread := private_thread(row):
        table.delete(thread, "THREAD")
    elif row.get("thread_id"):
        _forget_thread(table, row)
    table.put(stub_of(row), "attribute_exists(PK)")


def _forget_thread(table: Table, row: Item) -> None:
    """A public thread that this person opened, or their cart."""
    where = f"{row['channel']}/{row['source']}/{row['thread_id']}"
    for kind in ("THREAD", "CART"):
        held = table.get(f"{kind}#{where}", kind)
        if held and set(held.get("identities", ())) & set(row.get("identities", ())):
            table.delete(f"{kind}#{where}", kind)


def drop_payload(table: Table, row: Item) -> None:
    """A quarantined one."""
    with suppress(ConditionFailed):
        table.put(dropped_row(row), "attribute_exists(PK)")


def leave_incident(table: Table, members: Item, signal_ids: set[str]) -> None:
    """Who was counted among the people of an incident is so no more."""
    with suppress(ConditionFailed):
        people = {signal_id: who for signal_id, who in members["people"].items() if signal_id not in signal_ids}
        table.put(members | {"people": people}, "attribute_exists(PK)")


def erase_case(table: Table, case_key: str, now: str, builtin: bool) -> None:
    """Closed if it was open; what is left are its figures. The CRM gets the subject that names nobody."""
    with suppress(ConflictError):
        if (load_case(table, case_key) or {}).get("status") != CLOSED:
            work_case(table, case_key, {"status": CLOSED}, "caseline", parse_time(now))
    for row in list(table.query(f"CASE#{case_key}", prefix="NOTE#")):
        table.delete(row["PK"], row["SK"])
    for row in list(table.query(f"CASE#{case_key}", prefix="HISTORY#")):
        if row.get("text") != ERASED_TEXT:
            table.update(row["PK"], row["SK"], "SET #text = :text", names={"#text": "text"}, text=ERASED_TEXT)
    if builtin:
        expression = "SET subject = :erased, headline = :erased, reasons = :none, contact_id = :nobody REMOVE packed"
        with suppress(ConditionFailed):
            table.update(*case_key_of(case_key), expression, "attribute_exists(PK)", erased=ERASED_TEXT, none=[], nobody="")
    _erase_words(table, case_key, now)
    _erase_mark(table, case_key)


def _erase_mark(table: Table, case_key: str) -> None:
    """What it is found by goes last."""
    for row in list(table.query(f"CASE#{case_key}", prefix="HISTORY#")):
        if "identity" in row:
            table.update(row["PK"], row["SK"], "REMOVE identity, at")


def _erase_words(table: Table, case_key: str, now: str) -> None:
    for _ in range(ATTEMPTS):
        case = load_case(table, case_key)
        if case is None or (case.get("erased") and "identity" not in case):
            return
        words = {"subject": f"{case['category']}: {ERASED_TEXT}", "headline": ERASED_TEXT, "author_name": "", "contact_id": "", "erased": True}
        bare = {name: value for name, value in case.items() if name not in ("identity", "at", "look_at", "threads")} | words
        version = {"priority": _without_words(case["priority"]), "version": case["version"] + 1, "push": "wanted"}
        for row in told_rows(case):
            table.put(row | {"text": ERASED_TEXT})
        if change_case(table, case | {"told": []}, {**bare, **version, **due(now)}):
            return
    raise ConflictError("a case keeps changing; erase once more")


def _without_words(priority: Mapping[str, Any]) -> dict[str, Any]:
    """The figures stay; what explained them may have named somebody."""
    bare = {**priority, "lines": [{**line, "text": ERASED_TEXT} for line in priority["lines"]]}
    return bare | ({"override": {**priority["override"], "reason": ERASED_TEXT}} if priority.get("override") else {})
