"""Health, 0 to 100: the weighed mean of the parts that are known. Each line says what it takes away, and they sum. Too few parts are no health at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.deadlines import due_at, ways_of
from caseline.health.history import History, decayed_mean
from caseline.policy import Policy
from caseline.priority.model import renewal_points, round_half_up
from caseline.reports.rows import first_of_turns
from caseline.reports.waits import MET, MISSED, clock_facts
from caseline.signals import isoformat, parse_time
from caseline.table import Item
from caseline.turns import asks_of

MOOD, OPINION = timedelta(days=7), timedelta(days=45)  # half-lives: of a sentiment, and of an answer to a survey
REPEATED = 30  # days
TOO_MANY = 3  # cases, repeats or asks with which a part is at its worst
MONTH = timedelta(days=28)
EVIDENCE = 5


@dataclass(frozen=True)
class Part:
    """`score` from 0, the worst, to 1; `evidence`: signal ids and case keys."""

    score: float
    text: str
    evidence: Sequence[str] = ()


def find_health(policy: Policy, history: History) -> dict[str, Any] | None:
    """`{"value", "coverage", "lines", "missing", "trend", "at_risk", "as_of"}`; a value of None is too little to say, and None that nobody asks."""
    if not policy.health.active:
        return None
    found, coverage = _parts(policy, history), _coverage(policy, history)
    value = _value(policy, found) if coverage >= policy.health.coverage else None
    lines, missing = _lines(policy, found), [name for name, weight in policy.health.parts.items() if weight and name not in found]
    return {
        "value": value, "coverage": round(coverage, 2), "lines": lines, "missing": missing,
        "trend": _trend(policy, history, value), "at_risk": _at_risk(policy, history, value), "as_of": isoformat(history.now),
        "text": _say(value, coverage, lines),
    }  # fmt: skip


def health_value(policy: Policy, history: History) -> int | None:
    return _value(policy, _parts(policy, history)) if policy.health.active and _coverage(policy, history) >= policy.health.coverage else None


def _parts(policy: Policy, history: History) -> dict[str, Part]:
    """Those that something is known of; a customer who was not heard lately has none."""
    if not any(row["occurred_at"] >= history.since for row in history.heard):
        return {}
    found = {name: part(policy, history) for name, part in PARTS.items() if policy.health.parts.get(name)}
    return {name: part for name, part in found.items() if part}


def _coverage(policy: Policy, history: History) -> float:
    """The share of all weights whose parts are known."""
    weights = policy.health.parts
    return sum(weights[name] for name in _parts(policy, history)) / (sum(weights.values()) or 1)


def _value(policy: Policy, found: Mapping[str, Part]) -> int:
    weights = policy.health.parts
    total = sum(weights[name] for name in found) or 1
    return round_half_up(100 * sum(weights[name] * part.score for name, part in found.items()) / total)


def _lines(policy: Policy, found: Mapping[str, Part]) -> list[dict[str, Any]]:
    """What each part takes from 100, in whole points that sum to what is missing: the largest remainders are rounded up."""
    weights = policy.health.parts
    total, taken = sum(weights[name] for name in found) or 1, 100 - _value(policy, found) if found else 0
    losses = {name: 100 * weights[name] * (1 - part.score) / total for name, part in found.items()}
    points = {name: int(loss + 1e-9) for name, loss in losses.items()}
    for name in sorted(losses, key=lambda name: (points[name] - losses[name], name))[: taken - sum(points.values())]:
        points[name] += 1
    ranked = sorted(found, key=lambda name: (-points[name], name))
    return [
        {"part": name, "points": -points[name], "max": weights[name], "text": found[name].text, "evidence": list(found[name].evidence)[:EVIDENCE]}
        for name in ranked
    ]  # fmt: skip


def _say(value: int | None, coverage: float, lines: Sequence[Mapping[str, Any]]) -> str:
    if value is None:
        return f"too little is known: {round(100 * coverage)}% of what health is made of"
    worst = [f"{line['text']} {line['points']}" for line in lines if line["points"]][:3]
    return f"health {value}: {'; '.join(worst) or 'nothing takes from it'}"


def _trend(policy: Policy, history: History, value: int | None) -> dict[str, Any] | None:
    """Against four weeks ago."""
    moment = history.now - MONTH
    before = health_value(policy, history.until(moment))
    return {"change": value - before, "before": before, "since": isoformat(moment)} if value is not None and before is not None else None


def _at_risk(policy: Policy, history: History, value: int | None) -> dict[str, Any] | None:
    """The yearly value, times what is missing of health, times how near the renewal is."""
    try:
        amount = float(str(history.fact("deal_value")))
    except ValueError:
        return None
    if value is None or history.renewal_days is None or not policy.renewal.points:
        return None
    near = renewal_points(policy, history.renewal_days) / policy.renewal.points
    return {"amount": round(amount * (100 - value) / 100 * near, 2), "currency": history.fact("currency"), "renewal_date": str(history.renewal_date)}


# ---- parts


def _sentiment(policy: Policy, history: History) -> Part | None:
    lately = [pair for pair in history.feelings if pair[0]["occurred_at"] >= history.since]
    mood = decayed_mean(lately, history.now, MOOD)
    if mood is None:
        return None
    return Part((mood + 1) / 2, f"sentiment {mood:+.2f} over {_count(len(lately), 'signal')}", _ids([row for row, feeling in lately if feeling < 0]))


def _unresolved(policy: Policy, history: History) -> Part:
    cases = history.unresolved
    text = f"{_count(len(cases), 'case')} unresolved" + (f", the oldest for {_days(history, history.began(cases[0]))}" if cases else "")
    return Part(_worse(len(cases)), text, [case["case_key"] for case in cases])


def _satisfaction(policy: Policy, history: History) -> Part | None:
    """CSAT and NPS; what CES says depends on how it was asked."""
    rated = [(row, rating) for row, rating in history.ratings if rating.metric in ("nps", "csat") and row["occurred_at"] >= history.since]
    mean = decayed_mean([(row, rating.fraction) for row, rating in rated], history.now, OPINION)
    if mean is None:
        return None
    row, last = rated[-1]
    when = _days(history, row["occurred_at"])
    return Part(mean, f"{last.metric.upper()} {last.value:g} of {last.high:g}, {when} ago", _ids([row for row, _ in rated][::-1]))


def _repeats(policy: Policy, history: History) -> Part | None:
    repeated = find_repeats(policy, history)
    return Part(_worse(len(repeated)), f"{_count(len(repeated), 'repeat contact')} in {REPEATED} days", _ids(repeated)) if history.contacts else None


def _unanswered(policy: Policy, history: History) -> Part:
    overdue = find_overdue(policy, history)
    text = f"{_count(len(overdue), 'ask')} unanswered" + (f" for {_days(history, asks_of(overdue[0])[-1])}" if overdue else "")
    return Part(_worse(len(overdue)), text, _ids(overdue))


def _deadlines(policy: Policy, history: History) -> Part | None:
    clocks = [fact for fact in find_clocks(policy, history) if fact["state"] in (MET, MISSED) and history.since <= fact["at"]]
    missed = [fact for fact in clocks if fact["state"] == MISSED]
    if not clocks:
        return None
    return Part(1 - len(missed) / len(clocks), f"{len(missed)} of {_count(len(clocks), 'deadline')} missed", [fact["case_key"] for fact in missed])


PARTS: Mapping[str, Callable[[Policy, History], Part | None]] = {
    "sentiment": _sentiment, "unresolved": _unresolved, "satisfaction": _satisfaction, "repeats": _repeats, "unanswered": _unanswered, "deadlines": _deadlines,
}  # fmt: skip


def find_repeats(policy: Policy, history: History, days: int = REPEATED) -> list[Item]:
    """Contacts of the last days with an earlier one about the same within as many days; of two at the same instant neither is earlier."""
    seen: dict[tuple[str, str], list[str]] = {}
    found = []
    for row in first_of_turns(history.contacts, policy.metrics.turn_minutes):
        issue, before = (row["brand"], row["category"]), isoformat(parse_time(row["occurred_at"]) - timedelta(days=days))
        if row["occurred_at"] >= history.ago(days) and any(before <= moment < row["occurred_at"] for moment in seen.get(issue, ())):
            found.append(row)
        seen.setdefault(issue, []).append(row["occurred_at"])
    return found


def find_clocks(policy: Policy, history: History) -> list[dict[str, Any]]:
    """Of all cases in sight."""
    asked = [(case, key) for case in history.cases if (key := str(case["case_key"])) in history.asks]
    return [fact for case, key in asked for fact in clock_facts(policy, case, history.asks[key], history.replies[key], history.now)]


def find_overdue(policy: Policy, history: History) -> list[Item]:
    """Asks that nobody has answered for longer than the target of their channel: what was asked a minute ago is not unanswered."""
    return [row for row in history.unanswered if asks_of(row)[-1] >= history.since and _due_at(policy, row) <= history.now]


def _due_at(policy: Policy, row: Item) -> datetime:
    return due_at(policy, parse_time(asks_of(row)[-1]), "P4", ways_of(row), row["brand"])


def _worse(count: int) -> float:
    return max(0.0, 1 - count / TOO_MANY)


def _ids(rows: Sequence[Item]) -> list[str]:
    return [str(row["signal_id"]) for row in rows]


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}" + ("" if number == 1 else "s")


def _days(history: History, moment: str) -> str:
    return _count(history.days_since(moment), "day") if history.days_since(moment) else "less than a day"
