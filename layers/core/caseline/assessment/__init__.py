"""What analysis says of a signal. One protocol; an adapter is a module of this package, opened by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Protocol

from caseline.errors import ConfigError

NEGATIVE, NEUTRAL, POSITIVE, MIXED = "negative", "neutral", "positive", "mixed"


@dataclass(frozen=True)
class Text:
    """One text to analyse. `language` is what the platform said (BCP 47) or None; `channel` may shift the prior."""

    text: str
    language: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class Assessment:
    """`sentiment` is None exactly when `unscored` says why. Probabilities are 0..1 and calibrated.

    `strength` is max(0, P(negative) - P(positive)) and stands wherever the model says negativity times confidence.
    `category` is one of the policy's issue categories, `because` the words by which a grave one was found; `model` names analyser and version.
    `complaint_from` and `question_from` are the strengths that a tenant's own model learnt; 0 where it learnt none.
    """

    sentiment: str | None = None
    positive: float = 0.0
    negative: float = 0.0
    neutral: float = 0.0
    mixed: float = 0.0
    confidence: float = 0.0
    emotion: str | None = None
    category: str | None = None
    urgency: str | None = None
    language: str | None = None
    unscored: str | None = None
    conflict: bool = False
    because: str = ""
    model: str = ""
    complaint_from: float = 0.0
    question_from: float = 0.0

    @property
    def strength(self) -> float:
        return round(max(0.0, self.negative - self.positive), 4)

    def to_json(self) -> dict[str, Any]:
        data = {k: v for k, v in asdict(self).items() if v not in (None, "", False, 0.0)}
        if self.sentiment is not None:
            data["strength"] = self.strength
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Assessment:
        return cls(**{k: v for k, v in data.items() if k in cls.__dataclass_fields__})


def unscored(reason: str, **facts: Any) -> Assessment:
    """Unscored is never neutral and never calm: the reason stands where the sentiment would."""
    return Assessment(unscored=reason, **facts)


class Analyser(Protocol):
    def assess(self, texts: Sequence[Text]) -> list[Assessment]:
        """One assessment for each text, in order. A failure of one is `unscored`; a failure of all raises UnavailableError."""


def open_analyser(name: str, **dependencies: Any) -> Analyser:
    """`embedded` or `comprehend`; dependencies are clients and settings the adapter's `create` takes."""
    if name not in ("embedded", "comprehend"):
        raise ConfigError(f"analysis.name: no analyser {name!r}; write embedded or comprehend")
    analyser: Analyser = import_module(f"{__name__}.{name}").create(**dependencies)
    return analyser
