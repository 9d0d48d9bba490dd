"""What a case is about that holds all that a customer says (`join.by: customer`): not what happens to be said first, but what most of it is about. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from caseline.cases.changes import people_worked
from caseline.cases.joining import UNKNOWN
from caseline.policy import Policy
from caseline.table import Item


def title_of(policy: Policy, case: Item, live: Sequence[Item]) -> str:
    """A case that a person works or has given another category keeps its own, and so does an incident."""
    stays = people_worked(case) or case.get("corrected") or case.get("kind")
    return str(case["category"] if stays else most_said(policy, live) or case["category"])


def most_said(policy: Policy, signals: Sequence[Item]) -> str:
    """The category of most of the signals, "" where none has any. What is grave enough to stand alone outweighs all others.

    Of equals the one that was said first, so that it does not matter in which order signals come.
    """
    ordered = sorted(signals, key=lambda row: (str(row["occurred_at"]), str(row["signal_id"])))
    names = [str(row["category"]) for row in ordered if row["category"] != UNKNOWN]
    grave = [name for name in names if name in policy.join.alone]
    return max(grave or names, key=names.count, default="")
