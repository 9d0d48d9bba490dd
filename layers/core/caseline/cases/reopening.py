"""Whether a closed case may open again for a message of the same issue. Where it may not, a new case follows it and says why.

Two machines that answer each other never come to an end by themselves, so a case and those that follow it open again only so often within a day: then what
is said in other words has a case of its own, and who says nearly the same once more is noted in the case, which stays closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.policy import Policy
from caseline.signals import isoformat, parse_time

NOT_AN_ISSUE = "not_an_issue"
DAY = timedelta(days=1)
Closed = Mapping[str, Any]


def why_not(policy: Policy, case: Closed, now: datetime) -> str:
    """"" where it may."""
    return next((words(policy, case, now) for holds, words in HINDRANCES if holds(policy, case, now)), "")


def opened_again(case: Closed, now: datetime) -> dict[str, Any]:
    """What an opening adds to the case that opens now, again or after `case`: when it, or what it follows, did so within the day."""
    return {"again": [*_openings(case, now), isoformat(now)]}


def goes_round(policy: Policy, case: Closed, now: datetime) -> str:
    """"" while it may still be a person who comes again."""
    often = len(_openings(case, now))
    return f"opened again {often} time{'' if often == 1 else 's'} within a day" if often >= policy.reopen.most_a_day else ""


def _openings(case: Closed, now: datetime) -> list[str]:
    return [moment for moment in case.get("again") or () if moment > isoformat(now - DAY)]


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
    (lambda policy, case, now: bool(goes_round(policy, case, now)), goes_round),
    (lambda policy, case, _now: case.get("outcome") == NOT_AN_ISSUE and not policy.reopen.not_an_issue, lambda *_: "a person closed it as not an issue"),
    (
        lambda policy, case, _now: bool(case.get("closed_in")) and not policy.reopen.closed_in_crm,
        lambda _policy, case, _now: f"a person closed it in {case['closed_in']}",
    ),
)
