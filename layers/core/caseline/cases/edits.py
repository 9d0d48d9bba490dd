"""Whether a signal that its author changed after its case was closed says something new. A corrected word is nothing new. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.cases.ledger import CLOSED
from caseline.policy import Policy
from caseline.table import Item
from caseline.timeline import LIVE, read_text
from caseline.turns import is_alike


def says_anew(policy: Policy, row: Item, case: Mapping[str, Any]) -> bool:
    """It calls for a case as what stood when its case was closed did not: it asked for nothing, was less grave, or used other words."""
    if row["state"] != LIVE or row["need"] != "due":
        return False
    if case["status"] == CLOSED and case.get("closed_by") == "caseline":
        return True  # nothing was left of the case
    before = _stood_at(row, str(case.get("closed_at") or ""))
    if before is None:
        return False
    alike = is_alike(read_text(row) or "", str(before["text"]), policy.storms.similarity)
    return before["need"] != "due" or _is_graver(policy, row, before) or not alike


def _stood_at(row: Item, moment: str) -> Mapping[str, Any] | None:
    """The version that stood then; None where it is the one that stands now."""
    return next((version for version in row.get("previous", ()) if version.get("until", "") > moment), None)


def _is_graver(policy: Policy, row: Item, before: Mapping[str, Any]) -> bool:
    return policy.severity.get(str(row["category"]), 0) > policy.severity.get(str(before["category"]), 0)
