"""Whether a closed case may open again for a message of the same issue. Where it may not, a new case follows it and says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.policy import Policy
from caseline.signals import parse_time

NOT_AN_ISSUE = "not_an_issue"
Closed = Mapping[str, Any]


def why_not(policy: Policy, case: Closed, now: datetime) -> str:
    """"" where it may."""
    return next((words(policy, case, now) for holds, words in HINDRANCES if holds(policy, case, now)), "")


def _days(case: Closed, now: datetime) -> float:
    return (now - parse_time(str(case["closed_at"]))).total_seconds() / 86_400 if case.get("closed_at") else float("inf")


def _say_days(_policy: Policy, case: Closed, now: datetime) -> str:
    days = _days(case, now)
    return f"closed {days:.0f} days ago" if days != float("inf") else "closed long ago"


HINDRANCES: Sequence[tuple[Callable[[Policy, Closed, datetime], bool], Callable[[Policy, Closed, datetime], str]]] = (
    (lambda _policy, case, _now: bool(case.get("joined") or case.get("adopted_by") or case.get("kind")), lambda *_: "it was closed into another one"),
    (lambda _policy, case, _now: bool(case.get("erased") or case.get("closed_by") == "caseline"), lambda *_: "nothing was left of it"),
    (lambda _policy, case, _now: bool(case.get("deleted_there")), lambda *_: "it was deleted in the CRM"),
    (lambda policy, _case, _now: policy.reopen.days == 0, lambda *_: "the policy reopens none"),
    (lambda policy, case, now: _days(case, now) > policy.reopen.days, _say_days),
    (lambda policy, case, _now: case.get("outcome") == NOT_AN_ISSUE and not policy.reopen.not_an_issue, lambda *_: "a person closed it as not an issue"),
    (
        lambda policy, case, _now: bool(case.get("closed_in")) and not policy.reopen.closed_in_crm,
        lambda _policy, case, _now: f"a person closed it in {case['closed_in']}",
    ),
)
