"""How much a case matters, and who works it: points, bands, floors, routes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated

from pydantic import Field

from caseline.policy_parts import BANDS, Band, Days, Minutes, Part, Points, Share


class Bands(Part):
    """The lowest score of each band; P4 is what is below P3. A priority falls when it has been lower for `fall_after_minutes`."""

    P1: Points
    P2: Points
    P3: Points
    fall_after_minutes: Minutes = 30

    def band_of(self, score: int) -> Band:
        return next((band for band in BANDS[:3] if score >= getattr(self, band)), "P4")


class Tiers(Part):
    points: dict[str, Points]
    unknown: Points
    key: list[str]

    @property
    def max(self) -> int:
        return max(self.unknown, *self.points.values(), 0)


class Renewal(Part):
    """Days are counted to the renewal date; a lapsed contract has a negative count."""

    points: Points
    near_days: Annotated[int, Field(ge=0)]
    far_days: Days
    lapsed: Points
    lapsed_days: Annotated[int, Field(ge=0)]
    unknown: Points
    unpaid: list[str]
    ended: list[str]

    @property
    def max(self) -> int:
        return max(self.points, self.lapsed, self.unknown)


class Reach(Part):
    from_audience: Annotated[int, Field(ge=1)]
    per_tenfold: Points
    audience_max: Points
    velocity_max: Points

    @property
    def max(self) -> int:
        return self.audience_max + self.velocity_max


class NeedFactor(Part):
    ask: Share
    star_only: Share
    none: Share


class Sentiment(Part):
    max: Points
    unscored: Points


class Repeat(Part):
    max: Points
    unresolved: Points
    same_category: Points


class Condition(Part):
    """All that is given must hold. Only "at least" and "within": a floor can never lower what a larger factor raised."""

    categories: list[str] = []
    key_account: bool = False
    public: bool = False
    renewal_within: Annotated[int, Field(ge=0)] | None = None
    strength: Share | None = None
    velocity: Annotated[float, Field(ge=0)] | None = None
    audience: Annotated[int, Field(ge=0)] | None = None
    unresolved: Annotated[int, Field(ge=0)] | None = None
    waited: Annotated[float, Field(ge=0)] | None = None
    points: Points | None = None

    @cached_property
    def minima(self) -> Mapping[str, float]:
        names = ("strength", "velocity", "audience", "unresolved", "waited", "points")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class Floor(Part):
    name: str
    text: str
    when: Condition
    score: Points


class Rule(Part):
    queue: Annotated[str, Field(min_length=1)]
    key_account: bool = False
    categories: list[str] = []
    bands: list[Band] = []
    languages: list[Annotated[str, Field(pattern="^[a-z]{2,3}$")]] = []


class Routing(Part):
    default: Annotated[str, Field(min_length=1)]
    rules: list[Rule] = []
    last_agent_days: Annotated[int, Field(ge=0)] = 0
