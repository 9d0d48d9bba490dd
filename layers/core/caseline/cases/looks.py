"""When an open case is judged again though nothing happened: a target comes near, a lower score has lasted, the CRM gave no answer, a day has passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.clocks import due_moments
from caseline.cases.evidence import Scene, oldest_ask
from caseline.cases.ledger import load_claims
from caseline.deadlines import add_time, reply_target, ways_of
from caseline.policy import Policy
from caseline.priority import Priority
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table

BANDS = ("P1", "P2", "P3", "P4")
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


def look_soon(table: Table, customer_id: str, at: str) -> None:
    """The customer's open cases are judged at that moment, or with the next push."""
    for claim in load_claims(table, customer_id):
        place = f"CASE#{claim['case_key']}"
        with suppress(ConditionFailed):
            table.update(place, "CASE", "SET look_at = :at", "look_at > :at", at=at)
            table.update(place, "CASE", "SET due_at = :at", "due_shard = :look", at=at, look="look")


def _ticks(policy: Policy, case: Mapping[str, Any], live: Sequence[Item], scene: Scene) -> list[datetime]:
    """By the targets of the score's band, and of the next lower one, from which the wait itself may have raised it."""
    ask = oldest_ask(live, scene)
    if ask is None:
        return []
    brand, place = str(ask.get("brand") or ""), BANDS.index(case["priority"]["auto_band"])
    asked, targets = parse_time(ask["occurred_at"]), [reply_target(policy, band, ways_of(ask), brand) for band in BANDS[place : place + 2]]
    return [add_time(policy, asked, share * target, brand) for target in targets for share in TICKS]


def falls_since(policy: Policy, case: Mapping[str, Any], previous: Priority, found: Priority, scene: Scene) -> str:
    """Since when the score would be lower than what stands; "" where it would not, or where too little is known to say so."""
    if found.score >= previous.score or scene.stale:
        return ""
    return str(case.get("lower_since") or isoformat(scene.now))
