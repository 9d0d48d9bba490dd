"""When a signal asked for something: as it was said, and each time that its author changed it to say something new. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from caseline.signals import isoformat, parse_time
from caseline.storms.fingerprints import likeness, sketch_of
from caseline.table import Item
from caseline.timeline import read_text

SIMILAR = 0.6  # share of words from which on two versions say the same
SHORT = 300  # characters up to which they are also compared letter by letter: of few words one that is corrected is many
SAME_LETTERS = 0.8
KEPT = 5


def turns_of(rows: Iterable[Item]) -> Iterator[Item]:
    """The rows, each as often as it asked: for a clock it is said when it was made, or changed, to ask."""
    for row in rows:
        yield from ({**row, "occurred_at": moment} for moment in asks_of(row))


def asks_of(row: Mapping[str, Any]) -> list[str]:
    return list(row.get("asks") or [str(row["occurred_at"])])


def asks_after(old: Item, row: Item) -> list[str] | None:
    """When the signal asked, with its next version `row`: what it asked for stands with its time, and what is new is asked now. None for an ordinary one."""
    if row.get("need") != "due":
        return None
    asked = asks_of(old) if old.get("need") == "due" else []
    if asked and row.get("category") == old.get("category") and is_alike(read_text(row) or "", read_text(old) or ""):
        return old.get("asks")
    return [*asked, _changed_at(row)][-KEPT:]


def is_alike(now: str, then: str, similar: float = SIMILAR) -> bool:
    """Whether only a word was corrected."""
    if now == then or likeness(sketch_of(now), sketch_of(then)) >= similar:
        return True
    return max(len(now), len(then)) <= SHORT and SequenceMatcher(None, now.casefold(), then.casefold()).ratio() >= SAME_LETTERS


def _changed_at(row: Item) -> str:
    """The revision, where that is a time, which no clock of a platform puts after the delivery; else when it was received."""
    try:
        return min(isoformat(parse_time(str(row.get("revision") or "~"))), str(row["received_at"]))
    except ValueError:
        return str(row["received_at"])
