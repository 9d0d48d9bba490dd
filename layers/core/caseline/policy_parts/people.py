"""What concerns customers and what is kept of them: metrics, health, churn, finds, retention, and their contact in the CRM."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from caseline.policy_parts import Band, Days, Part, Points, Share


class Identities(Part):
    fan_in: Annotated[int, Field(ge=1)]


class Metrics(Part):
    """`turn_minutes`: messages of a conversation that follow each other as closely are one contact.

    `exclude`: customers who never count: an identity, `domain:acme.example`, or `account:<its id in the CRM>`.
    """

    repeat_days: Days = 7
    turn_minutes: Annotated[int, Field(ge=0)] = 60
    exclude: list[Annotated[str, Field(pattern="^[^:]+:.+$")]] = []


HealthPart = Literal["sentiment", "unresolved", "satisfaction", "repeats", "unanswered", "deadlines"]
HEALTH: dict[HealthPart, int] = {"sentiment": 25, "unresolved": 20, "satisfaction": 20, "repeats": 15, "unanswered": 10, "deadlines": 10}
ChurnRule = Literal["cancel", "unresolved", "unanswered", "score_drop", "detractor", "repeats", "sentiment", "silence"]
CHURN: dict[ChurnRule, int] = {
    "cancel": 25, "unresolved": 20, "unanswered": 15, "score_drop": 15, "detractor": 15, "repeats": 15, "sentiment": 15, "silence": 10,
}  # fmt: skip


class Health(Part):
    """`weights` of the parts, 0 for one that does not count; less than `coverage` of them known is no health."""

    active: bool = True
    weights: dict[HealthPart, Points] = HEALTH
    coverage: Share = 0.5

    @property
    def parts(self) -> dict[str, int]:
        return {str(name): weight for name, weight in self.weights.items()}

    @field_validator("weights")
    @classmethod
    def _fill_weights(cls, weights: dict[HealthPart, int]) -> dict[HealthPart, int]:
        return {**HEALTH, **weights}


class Churn(Part):
    """`off`: rules, by their names, that are not asked; points times `renewal_factor` within `renewal_days` of a renewal; `words`: competitors."""

    active: bool = True
    off: list[ChurnRule] = []
    points: dict[ChurnRule, Points] = CHURN
    renewal_days: Annotated[int, Field(ge=0)] = 90
    renewal_factor: Annotated[float, Field(ge=1, le=10)] = 1.25
    words: list[Annotated[str, Field(min_length=3)]] = []
    lifecycles: list[str] = ["churned", "former", "lost"]

    @property
    def rules(self) -> dict[str, int]:
        """The points of those that are asked."""
        return {str(name): points for name, points in self.points.items() if points and name not in self.off}

    @field_validator("points")
    @classmethod
    def _fill_points(cls, points: dict[ChurnRule, int]) -> dict[ChurnRule, int]:
        return {**CHURN, **points}


class Finds(Part):
    """Which churn rules are asked on schedule while a renewal is within `within_days`; `most` finds for one renewal; `tiers`: these alone, all where empty."""

    active: bool = True
    within_days: Annotated[int, Field(ge=1, le=365)] = 60
    rules: list[ChurnRule] = ["sentiment", "repeats", "silence"]
    most: Annotated[int, Field(ge=1)] = 3
    tiers: list[str] = []


class Retention(Part):
    """`days` from when something was received. `cases`: from when a case was closed; `quarantine`: of what was not understood. Both as `days` if not said."""

    days: Days
    cases: Days | None = None
    quarantine: Days | None = None

    @property
    def of_cases(self) -> timedelta:
        return timedelta(days=self.cases or self.days)

    @property
    def of_quarantine(self) -> timedelta:
        return timedelta(days=self.quarantine or self.days)


Side = Literal["ours", "theirs"]
SIDES: dict[str, Side] = {
    "name": "theirs", "handles": "theirs", "sentiment": "ours", "sentiment_trend": "ours", "last_nps": "ours", "last_csat": "ours", "last_ces": "ours",
    "unanswered": "ours", "channels": "ours", "last_contact": "ours", "health": "ours",
}  # fmt: skip


class CrmRules(Part):
    """`create`: what a customer whom the CRM does not know becomes there, if its case has at least the band `create_from`. `sides`: who writes a field
    of a contact; the other side only reads it. `take_back_notes`: what was told of a signal, and how its customer felt,
    is taken back when they are erased."""

    create: Literal["never", "lead", "contact"] = "never"
    create_from: Band = "P2"
    sides: dict[str, Side] = {}
    take_back_notes: bool = True

    @field_validator("sides")
    @classmethod
    def _check_sides(cls, sides: dict[str, Side]) -> dict[str, Side]:
        if unknown := sorted(set(sides) - set(SIDES)):
            raise ValueError(f"no field {unknown[0]!r}; write some of {', '.join(SIDES)}")
        return sides

    def is_ours(self, name: str) -> bool:
        return {**SIDES, **self.sides}.get(name) == "ours"
