"""Deadlines: how long a customer may wait for the first reply, the next one, and the end of it; in the business time of the brand's calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.calendars import Calendar
from caseline.policy import Policy

FIRST, NEXT, RESOLUTION = "first", "next", "resolution"
Ways = Sequence[str]  # what a channel's targets may be named by: the channel, then the kind of the signal


def ways_of(row: Mapping[str, Any]) -> Ways:
    """A mail is an `email` whichever service brings it."""
    return str(row["channel"]), str(row.get("kind") or "")


def reply_target(policy: Policy, band: str, ways: Ways, brand: str) -> timedelta:
    """The time to the first reply; the channel's own target where the policy has one, and the brand's own before that."""
    found = find_target(policy, FIRST, band, ways, brand)
    assert found is not None, "the first reply always has a target"
    return found


def find_target(policy: Policy, clock: str, band: str, ways: Ways, brand: str) -> timedelta | None:
    """None where the policy sets none. The next reply has the target of the first unless it has its own."""
    for aim in policy.sla.aims(clock, brand):
        targets = next((aim.channels[way] for way in ways if way in aim.channels), aim.targets)
        if targets:
            return timedelta(minutes=getattr(targets, band))
    return find_target(policy, FIRST, band, ways, brand) if clock == NEXT else None


def calendar_of(policy: Policy, brand: str) -> Calendar | None:
    """None where all time counts."""
    return policy.calendars.find(brand)


def add_time(policy: Policy, start: datetime, amount: timedelta, brand: str) -> datetime:
    calendar = calendar_of(policy, brand)
    return calendar.add(start, amount) if calendar else start + amount


def due_at(policy: Policy, asked_at: datetime, band: str, ways: Ways, brand: str) -> datetime:
    return add_time(policy, asked_at, reply_target(policy, band, ways, brand), brand)


def waited_share(policy: Policy, asked_at: datetime | None, now: datetime, band: str, ways: Ways, brand: str) -> float:
    """The share of the target that has passed since the first unanswered ask: 1.0 is due now, 0 is nothing unanswered."""
    if asked_at is None:
        return 0.0
    calendar = calendar_of(policy, brand)
    waited = calendar.between(asked_at, now) if calendar else now - asked_at
    return max(0.0, waited / reply_target(policy, band, ways, brand))
