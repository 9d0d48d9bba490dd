"""One customer's own figures of the last ninety days, by the same definitions as a report. Pure."""

from __future__ import annotations

from typing import Any

from caseline.health.history import DAYS, History
from caseline.health.score import find_clocks, find_repeats
from caseline.policy import Policy
from caseline.reports.waits import adherence, response_times
from caseline.signals import isoformat

SHOWN = 10  # answers to surveys, the newest


def measure(policy: Policy, history: History) -> dict[str, Any]:
    """`{"days", "scores", "response_times", "sla", "repeat_contacts"}`; a score with its scale, its time and its signal."""
    since, until, clocks = history.since, isoformat(history.now), find_clocks(policy, history)
    rated = [(row, rating) for row, rating in history.ratings if row["occurred_at"] >= since][::-1]
    scores = [
        {"metric": rating.metric, "value": rating.value, "scale": [rating.low, rating.high], "at": row["occurred_at"], "signal_id": row["signal_id"]}
        for row, rating in rated[:SHOWN]
    ]  # fmt: skip
    return {
        "days": DAYS, "scores": scores, "response_times": response_times(clocks, since, until), "sla": adherence(clocks, since, until),
        "repeat_contacts": len(find_repeats(policy, history, DAYS)),
    }  # fmt: skip
