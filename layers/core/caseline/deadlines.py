"""Deadlines: how long a customer may wait for the first reply. Wall-clock time; no business calendars."""

from __future__ import annotations

from datetime import datetime, timedelta

from caseline.policy import Policy


def reply_target(policy: Policy, band: str = "P4", channel: str = "") -> timedelta:
    """The time to the first reply; the channel's own target where the policy has one."""
    targets = policy.sla.channels.get(channel, policy.sla.targets)
    return timedelta(minutes=getattr(targets, band))


def due_at(policy: Policy, asked_at: datetime, band: str = "P4", channel: str = "") -> datetime:
    return asked_at + reply_target(policy, band, channel)


def waited_share(policy: Policy, asked_at: datetime | None, now: datetime, band: str = "P4", channel: str = "") -> float:
    """The share of the target that has passed since the first unanswered ask: 1.0 is due now, 0 is nothing unanswered."""
    if asked_at is None:
        return 0.0
    return max(0.0, (now - asked_at) / reply_target(policy, band, channel))
