"""How long customers waited, and whether that was within the target: response times, and adherence by the sentiment of who asked. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.cases.clocks import Wait, due_of, is_same, read_waits
from caseline.deadlines import FIRST, NEXT, RESOLUTION, calendar_of
from caseline.policy import Policy
from caseline.reports.rounding import mean, percent, round_away
from caseline.reports.rows import UNSCORED, level_of
from caseline.signals import isoformat, parse_time
from caseline.table import Item
from caseline.turns import turns_of

Fact = Mapping[str, Any]
CLOCKS = (FIRST, NEXT, RESOLUTION)
LEVELS = ("negative", "mixed", "neutral", "positive", UNSCORED)
MET, MISSED, OPEN = "met", "missed", "open"


def clock_facts(policy: Policy, case: Item, asks: Sequence[Item], replies: Sequence[str], now: datetime) -> Iterator[dict[str, Any]]:
    """Each clock of a case, by the asks that it has: a deleted one starts none."""
    if not asks:
        return
    turns = list(turns_of(asks))
    first = min(turns, key=lambda row: (str(row["occurred_at"]), str(row["signal_id"])))
    by_time = {str(row["occurred_at"]): row for row in sorted(turns, key=lambda row: str(row["signal_id"]), reverse=True)}
    for wait in read_waits({**case, "first_signal_at": first["occurred_at"]}, asks, replies):
        ask = first if wait.clock == RESOLUTION else by_time[wait.since]
        until = wait.until if wait.until and wait.until <= isoformat(now) else None
        yield {
            "kind": "clock", "id": f"{case['case_key']}#{wait.clock}#{wait.since}", "brand": case["brand"], "clock": wait.clock, "level": level_of(ask),
            "since": wait.since, "until": until, "minutes": _minutes(policy, case, wait.since, until) if wait.answered else None,
            **_outcome(policy, case, wait, until, isoformat(now)), "case_key": case["case_key"], "signal_id": ask["signal_id"],
        }  # fmt: skip


def _outcome(policy: Policy, case: Item, wait: Wait, until: str | None, now: str) -> dict[str, Any]:
    """`state` is met (at the reply), missed (at the moment it was due) or open, None without a target; `at` is when it became so.

    A deadline that the clock found missed stands, whatever the band is by now; a reply that was in time, but came to be known late, was in time.
    """
    stored = next((miss for miss in case.get("missed") or () if is_same(miss, wait)), None)
    due = str(stored["due_at"]) if stored else isoformat(found) if (found := due_of(policy, case, wait)) else None
    if due is None:
        return {"due_at": None, "state": None, "at": until or wait.since}
    if until and until <= due:
        return {"due_at": due, "state": MET, "at": until}
    return {"due_at": due, "state": MISSED, "at": due} if due <= now else {"due_at": due, "state": OPEN, "at": wait.since}


def _minutes(policy: Policy, case: Item, since: str, until: str | None) -> float | None:
    """Business time of the brand's calendar."""
    if until is None:
        return None
    start, end, calendar = parse_time(since), parse_time(until), calendar_of(policy, case["brand"])
    return ((calendar.between(start, end) if calendar else end - start).total_seconds()) / 60


# ---- over a window


def response_times(facts: Iterable[Fact], since: str, until: str) -> dict[str, Any]:
    """By clock, in business minutes, of what was answered (or resolved) in the window."""
    found: dict[str, list[float]] = defaultdict(list)
    for fact in facts:
        if fact["minutes"] is not None and since <= fact["until"] < until:
            found[fact["clock"]].append(fact["minutes"])
    return {clock: _spread(sorted(found[clock])) for clock in CLOCKS}


def _spread(minutes: Sequence[float]) -> dict[str, Any]:
    if not minutes:
        return {"n": 0, "mean": None, "median": None, "p90": None}
    middle = len(minutes) // 2
    median = minutes[middle] if len(minutes) % 2 else (minutes[middle - 1] + minutes[middle]) / 2
    ninth = minutes[-(-9 * len(minutes) // 10) - 1]  # the smallest that 90 of 100 do not exceed
    return {"n": len(minutes), "mean": mean(minutes, 1), "median": round_away(median, 1), "p90": round_away(ninth, 1)}


def adherence(facts: Iterable[Fact], since: str, until: str) -> list[dict[str, Any]]:
    """By clock and level: clocks that came to be met or missed in the window, and those that were started by its end and run on."""
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: {MET: 0, MISSED: 0, OPEN: 0})
    for fact in facts:
        if fact["state"] and (fact["at"] < until if fact["state"] == OPEN else since <= fact["at"] < until):
            for level in (fact["level"], "all"):
                counts[(fact["clock"], level)][fact["state"]] += 1
    order = [(clock, level) for clock in CLOCKS for level in (*LEVELS, "all")]
    return [_adherence(*place, counts[place]) for place in order if place in counts]


def _adherence(clock: str, level: str, count: Mapping[str, int]) -> dict[str, Any]:
    due = count[MET] + count[MISSED]
    return {"clock": clock, "level": level, "due": due, **count, "adherence": percent(count[MET], due)}
