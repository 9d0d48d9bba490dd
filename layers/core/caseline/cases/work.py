"""What people do with a case flows back: status, priority, queue and owner set by a human stand in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from caseline.cases.ledger import CLOSED, OPEN, change_case, claim_key, due, history_row, load_case
from caseline.crm import Change
from caseline.errors import CrmConflictError, CrmNotFoundError
from caseline.priority.model import headline, priority_from_json
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table


def apply_change(table: Table, change: Change) -> Item:
    """Write a person's change to the ledger. A change seen before changes nothing. CrmConflictError when a newer case has the claim."""
    for _ in range(8):
        case = load_case(table, change.case_key)
        if case is None:
            raise CrmNotFoundError("the ledger has no such case")
        changed = _changed(case, change)
        if changed == case:
            return case
        _hold_claim(table, case, changed)
        at = isoformat(change.at)
        history = history_row(case["case_key"], at, _what(change.fields), _say(change.fields), changed["version"], change.by, mark=f"{changed['version']:06d}")
        if change_case(table, case, changed, history):
            _let_go(table, changed)
            return changed
    raise CrmConflictError("the case keeps changing")


def _changed(case: Item, change: Change) -> Item:
    at = isoformat(change.at)
    changed = dict(case)
    for name, value in change.fields.items():
        changed |= SETTERS.get(name, _set_nothing)(case, value, change.by, at)
    if changed == case:
        return case
    return changed | {"version": case["version"] + 1, "updated_at": at, **due(at)}


def _set_status(case: Item, value: Any, by: str, at: str) -> Item:
    status = CLOSED if value == CLOSED else OPEN
    if status == case["status"]:
        return {}
    return {"status": status, "closed_at": at if status == CLOSED else ""}


def _set_band(case: Item, value: Any, by: str, at: str) -> Item:
    """A human's band stands over the automatic one; None gives it back. The score is never touched."""
    old = case["priority"].get("override") or {}
    band, reason = (value.get("band"), value.get("reason", "")) if isinstance(value, Mapping) else (value, "")
    if old.get("band") == band:
        return {}
    override = {"band": band, "by": by, "at": at, "reason": reason} if band else None
    priority = replace(priority_from_json(case["priority"], case["queue"]), override=override)
    return {"priority": priority.to_json(), "headline": headline(priority, case["category"])}


def _set_queue(case: Item, value: Any, by: str, at: str) -> Item:
    return {"queue": value or case["queue"], "queue_set": value or ""}


def _set_owner(case: Item, value: Any, by: str, at: str) -> Item:
    return {"owner": value or ""}


def _set_nothing(case: Item, value: Any, by: str, at: str) -> Item:
    return {}


SETTERS = {"status": _set_status, "band": _set_band, "queue": _set_queue, "owner": _set_owner}


def _hold_claim(table: Table, case: Item, changed: Item) -> None:
    """A case that is opened again must get its claim back before it counts as open."""
    if (case["status"], changed["status"]) != (CLOSED, OPEN):
        return
    claim = claim_key(case["customer_id"], case["brand"], case["category"])
    held = {**claim, "type": "claim", "schema": 1, "case_key": case["case_key"], "opened_at": case["opened_at"], "identity": case["identity"]}
    try:
        table.put(held, "attribute_not_exists(PK) OR case_key = :case_key", case_key=case["case_key"])
    except ConditionFailed as error:
        raise CrmConflictError("another case of this customer and category is open; work that one") from error


def _let_go(table: Table, case: Item) -> None:
    """A closed case holds no claim: the next complaint opens a case of its own."""
    if case["status"] != CLOSED:
        return
    claim = claim_key(case["customer_id"], case["brand"], case["category"])
    try:
        table.delete(claim["PK"], claim["SK"], "case_key = :case_key", case_key=case["case_key"])
    except ConditionFailed:
        return


def _what(fields: Mapping[str, Any]) -> str:
    return next((what for name, what in (("status", "status"), ("band", "override"), ("queue", "queue"), ("owner", "owner")) if name in fields), "note")


def _say(fields: Mapping[str, Any]) -> str:
    """The fields and their values; a note's words stay with the note."""
    return ", ".join(f"{name}: {value.get('band') if isinstance(value, Mapping) else value}" for name, value in fields.items() if name != "note")
