"""Where the CRM stands: whether it answers, what is left of its quota, what waits for it, and what the last count of both sides found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from caseline.cases.ledger import load_cases
from caseline.cases.waiting import due_rows
from caseline.crm._guard import DOWN, LIMITED, Limits, read_limits
from caseline.crm._pace import BUILTIN
from caseline.reconciling import read_report
from caseline.signals import isoformat
from caseline.table import Item, Table

COUNTED = 2_000  # cases that wait are counted up to here
SHOWN = 20
_REPORT = ("at", "here", "there", "count", "differences", "failed_at", "why")


def show_crm(table: Table, name: str, now: datetime) -> dict[str, Any]:
    """`{"name", "remote", "state", "since", "until", "why", "remaining", "allowed", "scarce", "unsynced", "errors", "waiting", "last_poll",
    "reconciliation", "as_of"}`.

    `state` is up, limited (until `until`) or down (`since`, `why`: the class of its last error). Of a quota that the CRM tells of, `remaining` of `allowed`
    calls are left; `scarce`: they are kept for P1 cases. `unsynced` cases are not there as they are here; `errors` counts them by the class of their last
    one, `waiting` has the first of them. `reconciliation` is null until both sides were counted.
    """
    limits, due = read_limits(table, name, now), _unsynced(table)
    return {
        "name": name, "remote": name != BUILTIN, **_standing(limits), "unsynced": len(due), "errors": _count_errors(due),
        "waiting": [_waiting(case) for case in due[:SHOWN]], "last_poll": _last_poll(table, name), "reconciliation": _reconciliation(table, name),
        "as_of": isoformat(now),
    }  # fmt: skip


def _standing(limits: Limits) -> dict[str, Any]:
    return {
        "state": limits.state, "since": limits.since or None, "until": _moment(limits.until) if limits.state == LIMITED else None,
        "why": limits.why or None if limits.state == DOWN else None, "remaining": limits.remaining, "allowed": limits.allowed, "scarce": limits.is_scarce,
    }  # fmt: skip


def _unsynced(table: Table) -> list[Item]:
    """What is due to be pushed and is not there yet, the first to go first."""
    keys = [str(row["PK"]).partition("#")[2] for row in islice(due_rows(table), COUNTED) if str(row["PK"]).startswith("CASE#")]
    rows = load_cases(table, keys) if keys else {}
    return [rows[case_key] for case_key in keys if case_key in rows and rows[case_key]["version"] > rows[case_key]["pushed_version"]]


def _count_errors(cases: list[Item]) -> dict[str, int]:
    return dict(Counter(str(case["crm"]["error"]) for case in cases if case["crm"].get("error")))


def _waiting(case: Item) -> dict[str, Any]:
    return {
        "case_key": case["case_key"], "subject": case["subject"], "band": case["priority"]["band"], "updated_at": case["updated_at"],
        "sync": case["crm"]["sync"], "error": case["crm"].get("error"), "due_at": case.get("due_at"),
    }  # fmt: skip


def _last_poll(table: Table, name: str) -> str | None:
    polled_at = (table.get(f"CURSOR#crm/{name}", "CURSOR") or {}).get("polled_at")
    return _moment(float(polled_at)) if polled_at else None


def _reconciliation(table: Table, name: str) -> Mapping[str, Any] | None:
    """A report on a CRM that was configured before says nothing about this one."""
    report = read_report(table)
    return {part: report.get(part) for part in _REPORT} if report and report.get("crm") == name else None


def _moment(seconds: float) -> str:
    return isoformat(datetime.fromtimestamp(seconds, UTC))
