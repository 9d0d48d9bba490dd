"""When an open case is judged again though nothing happened: a target comes near, a lower score has lasted, the CRM gave no answer, a day has passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.clocks import due_moments
from caseline.cases.evidence import Scene, oldest_ask
from caseline.deadlines import add_time, reply_target, ways_of
from caseline.policy import Policy
from caseline.priority import Priority
from caseline.signals import isoformat, parse_time
from caseline.table import Item

WAIT = "sla"  # the line of the wait, and the floors that go by it
TICKS = (0.5, 0.75, 1.0)  # shares of the target
DAILY = timedelta(days=1)  # a renewal comes nearer
UNREAD = timedelta(minutes=5)  # judged without the account, because the CRM did not answer


def look_again(policy: Policy, case: Mapping[str, Any], live: Sequence[Item], scene: Scene) -> str:
    """The next moment (ISO) at which the same facts may weigh otherwise."""
    moments = [scene.now + DAILY, *_ticks(policy, case, live, scene), *due_moments(policy, case, live, scene)]
    if scene.stale and scene.account is None:
        moments.append(scene.now + UNREAD)
    if case.get("lower_since"):
        moments.append(parse_time(case["lower_since"]) + policy.fall_after)
    return isoformat(min(moment for moment in moments if moment > scene.now))


def _ticks(policy: Policy, case: Mapping[str, Any], live: Sequence[Item], scene: Scene) -> list[datetime]:
    ask = oldest_ask(live, scene)
    if ask is None:
        return []
    brand = str(ask.get("brand") or "")
    asked, target = parse_time(ask["occurred_at"]), reply_target(policy, _band_without_wait(policy, case["priority"]), ways_of(ask), brand)
    return [add_time(policy, asked, share * target, brand) for share in TICKS]


def _band_without_wait(policy: Policy, priority: Mapping[str, Any]) -> str:
    """The wait is measured by the target of the band that all but the wait comes to."""
    lines = priority["lines"]
    points = sum(line["points"] for line in lines if line["factor"] not in (WAIT, "floor"))
    floors = [line["max"] for line in lines if line["factor"] == "floor" and line["value"] != WAIT]
    return policy.bands.band_of(max([points, *floors]))


def falls_since(policy: Policy, case: Mapping[str, Any], previous: Priority, found: Priority, scene: Scene) -> str:
    """Since when the score would be lower than what stands; "" where it would not, or where too little is known to say so."""
    if found.score >= previous.score or scene.stale:
        return ""
    return str(case.get("lower_since") or isoformat(scene.now))
