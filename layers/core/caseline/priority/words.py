"""A priority in words: one line for a CRM field, and every line with its source for people who ask why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.priority import Line, Priority

HEADLINE_LENGTH = 255  # of a text field in the CRMs


def headline(priority: Priority, category: str = "") -> str:
    """One line for a CRM field of 255 characters: band, score, and the reasons that weigh most."""
    text = f"{priority.band} {priority.score}" + (f" {category.replace('_', '-')}" if category else "")
    for number, line in enumerate(sorted((line for line in priority.lines if line.points), key=lambda line: -line.points)):
        more = f"{text}{': ' if number == 0 else '; '}{line.text} +{line.points}"
        if len(more) > HEADLINE_LENGTH:
            break
        text = more
    return text[:HEADLINE_LENGTH]


def explain_lines(priority: Priority) -> list[str]:
    """Every line with its points, its source and when it was read; the score, band and queue last."""
    return [*(f"+{line.points} {_with_origin(line)}" for line in priority.lines), _total(priority)]


def say_fall(previous: Priority, found: Priority) -> str:
    """What weighs less than before: "62 P2 by now, 80 P1 before; sla 0 instead of 10: nothing waits for a reply"."""
    before = {line.factor: line.points for line in previous.lines}
    now = {line.factor: line.points for line in found.lines}
    less = [f"{line.factor} {line.points} instead of {before[line.factor]}: {line.text}" for line in found.lines if line.points < before.get(line.factor, 0)]
    gone = [f"{line.factor} 0 instead of {line.points}" for line in previous.lines if line.points and line.factor not in now]
    return "; ".join([f"{found.score} {found.auto_band} by now, {previous.score} {previous.auto_band} before", *less, *gone])


def priority_from_json(data: Mapping[str, Any], queue: str = "") -> Priority:
    """The priority of a stored case; `queue` stands beside it in the row."""
    lines = tuple(Line(**line) for line in data["lines"])
    return Priority(int(data["score"]), data["auto_band"], lines, data.get("policy_version", ""), queue, data.get("override"))


def _with_origin(line: Line) -> str:
    origin = line.source if line.source == "policy" else f"{line.source}, read {_minute(line.as_of)}"
    return f"{line.text[:-1]}; {origin})" if line.text.endswith(")") else f"{line.text} ({origin})"


def _total(priority: Priority) -> str:
    by = f" (set by {priority.override.get('by') or 'a person'}, automatic {priority.auto_band})" if priority.override else ""
    return f"= {priority.score} {priority.band}{by} -> queue {priority.queue}"


def _minute(as_of: str) -> str:
    return f"{as_of[:16]}Z" if len(as_of) > 16 else as_of
