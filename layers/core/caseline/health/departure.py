"""Why a customer left, told from the timeline once the CRM says that they did: what stood open, unanswered and missed in the ninety days before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from statistics import mean
from typing import Any

from caseline.crm import Fact
from caseline.health.churn import LAST, find_fall
from caseline.health.history import DAYS, History
from caseline.health.score import find_clocks, find_overdue, find_repeats
from caseline.policy import Policy
from caseline.priority.scene import find_fact, read_word
from caseline.reports.waits import MISSED
from caseline.signals import isoformat, parse_time
from caseline.table import Item

ENOUGH = 2  # answers that make a slope


def explain_departure(policy: Policy, history: History) -> dict[str, Any] | None:
    """`{"since", "status", "source", "days", "lines": [{what, count, text, evidence}], "text"}`; None while the CRM says nothing of the kind."""
    found = find_departure(policy, history)
    if found is None:
        return None
    fact, moment = found
    lines = list(_lines(policy, history.until(moment)))
    told = "; ".join(line["text"] for line in lines) or "nothing on the timeline foretold it"
    return {
        "since": isoformat(moment), "status": str(fact.value), "source": fact.source, "days": DAYS, "lines": lines,
        "text": f"{fact.value} since {isoformat(moment)[:10]}. In the {DAYS} days before: {told}",
    }  # fmt: skip


def find_departure(policy: Policy, history: History) -> tuple[Fact, datetime] | None:
    """The fact that says so, and when the CRM began to."""
    words = {"contract_status": policy.renewal.ended, "lifecycle_stage": policy.churn.lifecycles}
    for name, ended in words.items():
        fact = find_fact(history.account, name)
        if fact and read_word(fact) in ended:
            return fact, min(history.now, parse_time((history.status_since or {}).get(name) or fact.as_of or isoformat(history.now)))
    return None


def _lines(policy: Policy, history: History) -> Iterator[dict[str, Any]]:
    since = history.since
    cases = history.unresolved
    if cases:
        yield _line("unresolved", cases, f"{_count(len(cases), 'case')} unresolved", [case["case_key"] for case in cases])
    if waiting := find_overdue(policy, history):
        yield _line("unanswered", waiting, f"{_count(len(waiting), 'ask')} unanswered", _ids(waiting))
    missed = [fact for fact in find_clocks(policy, history) if fact["state"] == MISSED and since <= fact["at"] <= isoformat(history.now)]
    if missed:
        yield _line("deadlines", missed, f"{_count(len(missed), 'deadline')} missed", sorted({fact["case_key"] for fact in missed}))
    if repeats := find_repeats(policy, history, DAYS):
        yield _line("repeats", repeats, f"{_count(len(repeats), 'repeat contact')}", _ids(repeats))
    yield from _opinion(history)
    yield from _first_fall(history)


def _opinion(history: History) -> Iterator[dict[str, Any]]:
    """By metric, how the answers moved: the slope of the line through them, in points a month."""
    for metric in ("csat", "nps"):
        rated = [(row, rating) for row, rating in history.ratings if rating.metric == metric and row["occurred_at"] >= history.since]
        rated = [pair for pair in rated if (pair[1].low, pair[1].high) == (rated[-1][1].low, rated[-1][1].high)]
        slope = _slope([(parse_time(row["occurred_at"]).timestamp() / 86_400, rating.value) for row, rating in rated])
        if slope is not None and slope < 0:
            text = f"{metric.upper()} from {rated[0][1].value:g} to {rated[-1][1].value:g}, {30 * slope:+.1f} a month"
            yield _line(metric, rated, text, _ids([row for row, _ in rated]))


def _slope(points: list[tuple[float, float]]) -> float | None:
    if len(points) < ENOUGH:
        return None
    middle, level = mean(x for x, _ in points), mean(y for _, y in points)
    width = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - level) for x, y in points) / width if width else None


def _first_fall(history: History) -> Iterator[dict[str, Any]]:
    """The first time that the customer's last five were clearly below what was before."""
    for end in range(LAST + 1, len(history.feelings) + 1):
        if history.feelings[end - 1][0]["occurred_at"] >= history.since and (fall := find_fall(history.feelings[:end])):
            rows = [row for row, _ in history.feelings[end - LAST : end]]
            text = f"sentiment fell from {fall[0]:+.2f} to {fall[1]:+.2f}, first seen {rows[-1]['occurred_at'][:10]}"
            yield _line("sentiment", rows, text, _ids(rows))
            return


def _line(what: str, found: Any, text: str, evidence: list[str]) -> dict[str, Any]:
    return {"what": what, "count": len(found), "text": text, "evidence": evidence[:10]}


def _ids(rows: list[Item]) -> list[str]:
    return [str(row["signal_id"]) for row in rows]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
