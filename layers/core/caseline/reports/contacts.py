"""Whether customers had to come again: repeat contacts by issue, contacts for each problem, and cases resolved at once. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from caseline.reports.rounding import percent, round_away
from caseline.signals import isoformat, parse_time

Fact = Mapping[str, Any]
Moments = dict[tuple[str, str, str], list[str]]


def repeat_contacts(contacts: Sequence[Fact], cases: Iterable[Fact], since: str, until: str, days: int) -> list[dict[str, Any]]:
    """By category, of the contacts and the resolutions in the window; `contacts` reach `days` back beyond it."""
    moments = _moments(contacts)
    inside = [fact for fact in contacts if since <= fact["at"] < until]
    repeats = Counter(fact["category"] for fact in inside if _came_before(moments, fact, days))
    resolved = [case for case in cases if case["resolved_at"] and since <= case["resolved_at"] < until]
    again = Counter(case["category"] for case in resolved if _comes_again(moments, case, days))
    counts, closed = Counter(fact["category"] for fact in inside), Counter(case["category"] for case in resolved)
    problems: dict[str, set[str]] = defaultdict(set)
    for fact in inside:
        problems[fact["category"]].add(fact["case_key"])
    return [
        {
            "category": name, "contacts": counts[name], "repeats": repeats[name], "rate": percent(repeats[name], counts[name]), "cases": len(problems[name]),
            "contacts_per_case": round_away(counts[name] / len(problems[name]), 2) if problems[name] else None, "resolved": closed[name],
            "first_contact_resolution": percent(closed[name] - again[name], closed[name]),
        }
        for name in sorted({*counts, *closed})
    ]  # fmt: skip


def _moments(contacts: Iterable[Fact]) -> Moments:
    """When each person came about each category, in order."""
    found: Moments = defaultdict(list)
    for fact in contacts:
        found[_issue(fact)].append(fact["at"])
    return {issue: sorted(times) for issue, times in found.items()}


def _issue(fact: Fact) -> tuple[str, str, str]:
    return fact["brand"], fact["person"], fact["category"]


def _came_before(moments: Moments, contact: Fact, days: int) -> bool:
    """An earlier one at most so many days before; of two at the same instant neither is earlier."""
    times, start = moments[_issue(contact)], isoformat(parse_time(contact["at"]) - timedelta(days=days))
    return bisect_left(times, start) < bisect_left(times, contact["at"])


def _comes_again(moments: Moments, case: Fact, days: int) -> bool:
    times, end = moments.get(_issue(case), []), isoformat(parse_time(case["resolved_at"]) + timedelta(days=days))
    return bisect_right(times, case["resolved_at"]) < bisect_right(times, end)
