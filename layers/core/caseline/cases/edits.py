"""Whether a signal that its author changed after its case was closed says something new. A corrected word is nothing new. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from caseline.cases.ledger import CLOSED
from caseline.policy import Policy
from caseline.storms.fingerprints import likeness, sketch_of
from caseline.table import Item
from caseline.timeline import LIVE, read_text

SHORT = 300  # characters up to which texts are also compared letter by letter: of few words one that is corrected is many
SAME_LETTERS = 0.8


def says_anew(policy: Policy, row: Item, case: Mapping[str, Any]) -> bool:
    """It calls for a case as what stood when its case was closed did not: it asked for nothing, was less grave, or used other words."""
    if row["state"] != LIVE or row["need"] != "due":
        return False
    if case["status"] == CLOSED and case.get("closed_by") == "caseline":
        return True  # nothing was left of the case
    before = _stood_at(row, str(case.get("closed_at") or ""))
    return before is not None and (before["need"] != "due" or _is_graver(policy, row, before) or not _is_alike(policy, row, before))


def _stood_at(row: Item, moment: str) -> Mapping[str, Any] | None:
    """The version that stood then; None where it is the one that stands now."""
    return next((version for version in row.get("previous", ()) if version.get("until", "") > moment), None)


def _is_graver(policy: Policy, row: Item, before: Mapping[str, Any]) -> bool:
    return policy.severity.get(str(row["category"]), 0) > policy.severity.get(str(before["category"]), 0)


def _is_alike(policy: Policy, row: Item, before: Mapping[str, Any]) -> bool:
    now, then = read_text(row) or "", str(before["text"])
    if now == then or likeness(sketch_of(now), sketch_of(then)) >= policy.storms.similarity:
        return True
    return max(len(now), len(then)) <= SHORT and SequenceMatcher(None, now.casefold(), then.casefold()).ratio() >= SAME_LETTERS
