"""Priority: a score of 0-100, its band, and the lines that sum to the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from caseline.assessment import Assessment
from caseline.crm import Account


@dataclass(frozen=True)
class Line:
    """One reason: `points` of at most `max`, from `value`, read from `source` at `as_of`, said in `text`."""

    factor: str
    points: int
    max: int
    value: Any
    source: str
    as_of: str
    text: str
    assumed: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """All that the model looks at. Counts never include the case or the signal being scored.

    `need` is due or none; `ask` is false for praise and news, `star_only` for a rating without words.
    `audience` and `velocity` (engagement per hour over the author's usual) count for public signals only.
    `waits`: something does; `waited` is the share of the SLA target that has passed (1.0 = due now). `candidates` counts the accounts of an ambiguous match.
    """

    assessment: Assessment
    now: datetime
    account: Account | None = None
    account_stale: bool = False
    ambiguous: bool = False
    public: bool = False
    audience: int | None = None
    velocity: float = 0.0
    category: str = "unknown"
    ask: bool = True
    star_only: bool = False
    unresolved: int = 0
    same_category: int = 0
    waited: float = 0.0
    signal_at: str = ""
    candidates: int = 0
    waits: bool = False


@dataclass(frozen=True)
class Priority:
    """`band` is what a human set where `override` says so; `auto_band` follows from the score."""

    score: int
    auto_band: str
    lines: Sequence[Line]
    policy_version: str
    queue: str = ""
    override: Mapping[str, Any] | None = None
    band: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "band", (self.override or {}).get("band") or self.auto_band)

    def to_json(self) -> dict[str, Any]:
        return {
            "score": self.score, "band": self.band, "auto_band": self.auto_band, "override": self.override,
            "lines": [line.to_json() for line in self.lines], "policy_version": self.policy_version,
        }
