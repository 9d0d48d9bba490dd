"""Answers of a survey: which of them is a score, which are words, and which say who answered.

The setting `questions` says what a question is where the platform does not: `{<id, ref or title>: <role>}` with the roles nps, csat, ces, stars, comment,
email, phone, name and ignore, or `{metric: csat, low: 1, high: 7}` for another scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.signals import METRICS, Rating
from caseline.sources import Source

SCALES = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "ces": (1.0, 7.0), "stars": (1.0, 5.0)}  # also the order of weight


@dataclass(frozen=True)
class Role:
    name: str
    low: float | None = None
    high: float | None = None


def find_role(source: Source, *names: str | None) -> Role | None:
    """What the source's settings say a question is, by any of its names."""
    questions = source.settings.get("questions") or {}
    said = next((questions[name] for name in names if name and name in questions), None) if isinstance(questions, Mapping) else None
    if isinstance(said, Mapping):
        return Role(str(said.get("metric")), said.get("low"), said.get("high"))
    return Role(str(said)) if said else None


@dataclass
class Answers:
    """Collects answers as they are read; `facts` is what a signal takes of them. `region` is that of the source (caseline.sources)."""

    region: str = ""
    ratings: list[Rating] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    name: str | None = None
    others: dict[str, Any] = field(default_factory=dict)

    def take(self, role: Role, value: Any, path: str, title: str = "") -> None:
        """An answer whose role is known. A score may come as text."""
        if role.name in METRICS:
            self.rate(role.name, value, path, role.low, role.high)
        elif role.name == "comment":
            self.say(str(value))
        elif role.name in ("email", "phone"):
            self.identities.append(f"{role.name}:{value}")
        elif role.name == "name":
            self.name = str(value)
        elif role.name != "ignore":
            self.others[title or path] = value

    def rate(self, metric: str, value: Any, path: str, low: float | None = None, high: float | None = None) -> None:
        bottom, top = SCALES[metric]
        bottom, top = float(bottom if low is None else low), float(top if high is None else high)
        score = _read_number(value, path)
        if not bottom <= score <= top:
            raise PayloadError(f"must be between {bottom:g} and {top:g}", path)
        self.ratings.append(Rating(metric, score, bottom, top))

    def call(self, *names: str | None) -> None:
        """The names of who answered, as far as they are known."""
        self.name = " ".join(name for name in names if name) or None

    def say(self, text: str | None) -> None:
        if text and text.strip() and text.strip() not in self.words:
            self.words.append(text.strip())

    def facts(self, *native: str, **attributes: Any) -> dict[str, Any]:
        """Text, rating, identities (`native` ones first), name and attributes. Of several scores the weightiest is the rating, the others stand beside it."""
        ranked = sorted(self.ratings, key=lambda rating: list(SCALES).index(rating.metric))
        beside = {"answers": self.others, "ratings": [asdict(rating) for rating in ranked[1:]], **attributes}
        return {
            "text": "\n\n".join(self.words) or None, "rating": ranked[0] if ranked else None, "author_name": self.name,
            "identities": normalise_identities([*native, *self.identities], self.region),
            "attributes": {name: value for name, value in beside.items() if value not in (None, "", [], {})},
        }


def _read_number(value: Any, path: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise PayloadError("must be a number", path)
    return number
