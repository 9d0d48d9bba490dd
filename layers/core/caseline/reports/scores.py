"""NPS, CSAT and CES of a window's ratings. Each figure travels with its formula and its n; scales are never mixed. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from caseline.reports.rounding import mean, percent, round_away

Fact = Mapping[str, Any]
ENOUGH = 30  # answers from which a trend is told
NPS = "100 * (answers of 9-10 - answers of 0-6) / n, the latest answer of each person and survey"
# Scales whose meaning is settled: the method, and who is content by it.
CSAT_METHODS = {(1.0, 5.0): ("top-2-box: share of 4 and 5, in percent", lambda value: value >= 4)}
CES_METHODS = {
    (1.0, 7.0): ("agreement: share of 5 to 7, in percent; higher is easier", lambda value: value >= 5),
    (1.0, 5.0): ("effort: share of 1 and 2, in percent; lower is easier", lambda value: value <= 2),
}


def net_promoters(facts: Iterable[Fact], before: Iterable[Fact] = ()) -> dict[str, Any]:
    """`before` are the ratings of the window before, for the trend, which is told where it is more than chance."""
    found, previous = _count_nps(facts), _count_nps(before)
    told = _figure(found) | {"previous": _figure(previous), "trend": None, "formula": NPS}
    if found["n"] < ENOUGH or previous["n"] < ENOUGH:
        return told
    change = _score(found) - _score(previous)
    return told | {"trend": None if abs(change) < _margin(found) else "up" if change > 0 else "down"}


def _count_nps(facts: Iterable[Fact]) -> dict[str, int]:
    known = [fact for fact in facts if fact["metric"] == "nps"]
    valid = [fact for fact in known if (fact["low"], fact["high"]) == (0, 10) and _is_on_scale(fact) and float(fact["value"]).is_integer()]
    values = [fact["value"] for fact in latest_answers(valid)]
    promoters, detractors = sum(value >= 9 for value in values), sum(value <= 6 for value in values)
    return {
        "promoters": promoters, "passives": len(values) - promoters - detractors, "detractors": detractors, "n": len(values),
        "superseded": len(valid) - len(values), "off_scale": len(known) - len(valid),
    }  # fmt: skip


def _is_on_scale(fact: Fact) -> bool:
    return bool(fact["low"] <= fact["value"] <= fact["high"])


def latest_answers(facts: Iterable[Fact]) -> list[Fact]:
    """One for each person and survey."""
    newest: dict[tuple[Any, ...], Fact] = {}
    for fact in sorted(facts, key=lambda fact: (fact["at"], fact["id"])):
        newest[(fact["brand"], fact["person"], fact["wave"])] = fact
    return list(newest.values())


def _figure(counts: Mapping[str, int]) -> dict[str, Any]:
    known = counts["n"] > 0
    return {"value": round_away(_score(counts)) if known else None, "margin": round_away(_margin(counts), 1) if known else None, **counts}


def _score(counts: Mapping[str, int]) -> Fraction:
    return Fraction(100 * (counts["promoters"] - counts["detractors"]), counts["n"])


def _margin(counts: Mapping[str, int]) -> float:
    """Half the width of the interval that holds the true score in 95 of 100 cases."""
    p, d = counts["promoters"] / counts["n"], counts["detractors"] / counts["n"]
    return 196.0 * math.sqrt(max(0.0, (p + d - (p - d) ** 2) / counts["n"]))


def satisfaction(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    return _by_scale(facts, "csat", CSAT_METHODS)


def effort(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    return _by_scale(facts, "ces", CES_METHODS)


def _by_scale(facts: Iterable[Fact], metric: str, methods: Mapping[tuple[float, float], Any]) -> list[dict[str, Any]]:
    """A figure for each scale that was answered on; on one whose meaning nobody has settled the mean alone."""
    scales: dict[tuple[float, float], list[float]] = defaultdict(list)
    for fact in facts:
        if fact["metric"] == metric and _is_on_scale(fact):
            scales[(float(fact["low"]), float(fact["high"]))].append(fact["value"])
    return [_on_scale(scale, values, *methods.get(scale, ("mean", None))) for scale, values in sorted(scales.items())]


def _on_scale(scale: tuple[float, float], values: Sequence[float], method: str, is_content: Any) -> dict[str, Any]:
    average = mean(values)
    value = percent(sum(map(is_content, values)), len(values)) if is_content else average
    return {"scale": [round_away(end, 2) for end in scale], "method": method, "value": value, "mean": average, "n": len(values)}
