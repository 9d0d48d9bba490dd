"""The shape of a policy: the versioned numbers of the priority model, and who works what. `caseline.policy` reads one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from caseline.calendars import Calendar, read_week

Band = Literal["P1", "P2", "P3", "P4"]
BANDS: tuple[Band, ...] = ("P1", "P2", "P3", "P4")
ALWAYS = "always"  # the calendar by which all time counts

Points = Annotated[int, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=36500)]
Minutes = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A section of the policy: nothing in it changes, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


class Targets(Part):
    """Minutes to the first reply, by band."""

    P1: Minutes
    P2: Minutes
    P3: Minutes
    P4: Minutes


class Aim(Part):
    """Targets of one clock, by band; those of a channel come first."""

    targets: Targets | None = None
    channels: dict[str, Targets] = {}


class BrandSla(Part):
    first: Aim = Aim()
    next: Aim = Aim()
    resolution: Aim = Aim()


class Sla(Part):
    """`targets` and `channels` are of the first reply. The next reply has the same, and a resolution none, unless they have their own."""

    max: Points
    targets: Targets
    channels: dict[str, Targets] = {}
    next: Aim = Aim()
    resolution: Aim = Aim()
    brands: dict[str, BrandSla] = {}

    def aims(self, clock: str, brand: str) -> list[Aim]:
        """Where to look for a clock's targets, the brand's own first."""
        general = Aim(targets=self.targets, channels=self.channels) if clock == "first" else getattr(self, clock)
        return [getattr(self.brands[brand], clock), general] if brand in self.brands else [general]


class BusinessHours(Part):
    """By day of the week, the intervals of a wall clock: `mon: ["09:00-12:00", "13:00-17:00"]`."""

    zone: str
    hours: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], list[str]]
    holidays: list[date] = []

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("there is no such time zone; write one as Europe/Berlin") from None
        return zone

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, hours: dict[str, list[str]]) -> dict[str, list[str]]:
        read_week(hours)
        return hours

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.zone, read_week(self.hours), frozenset(self.holidays))


class Calendars(Part):
    """Which time counts for deadlines: that of a named calendar, or all (`always`)."""

    default: str = ALWAYS
    brands: dict[str, str] = {}
    named: dict[str, BusinessHours] = {}

    def find(self, brand: str) -> Calendar | None:
        chosen = self.named.get(self.brands.get(brand, self.default))
        return chosen.calendar if chosen else None


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


class LowRating(Part):
    """By metric, the share of the scale up to which a rating is a complaint; a metric left out never is one."""

    stars: Share | None = None
    nps: Share | None = None
    csat: Share | None = None
    ces: Share | None = None


NeedRule = Literal["spam", "auto-reply", "rating-only", "news", "courtesy", "low-rating", "complaint", "category", "trouble", "question"]


class NeedRules(Part):
    """`off`: rules, by their names, that are not asked."""

    negative_from: Annotated[float, Field(gt=0, le=1)]
    vague_from: Annotated[float, Field(gt=0, le=1)]
    learned: bool
    categories: list[str]
    questions: bool
    low_rating: LowRating
    star_only: bool
    quiet_kinds: list[str]
    event_kinds: list[str]
    off: list[NeedRule] = []


class OwnCategory(Part):
    """`like` is a general category: its points, floors and queues count, unless the policy names this one there itself."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
    like: str = "unknown"
    phrases: dict[str, list[str]]
    exceptions: Annotated[list[str], Field(alias="except")] = []


class Categories(Part):
    """How issues are recognised: shipped example taxonomies by name, phrases of the tenant's own, and general categories that are not wanted.

    `indirect`: whether a small model finds what is grave but told without its words, and doubts words that only sound grave.
    """

    examples: list[Literal["airline", "app", "finance"]] = []
    own: list[OwnCategory] = []
    without: list[str] = []
    indirect: bool = True


JoinRule = Literal["number", "thread", "category", "unnamed", "similar"]


class Join(Part):
    """Which signals are one case. `off`: rules, by their names, that are not asked; `threads`: kinds whose thread is about one matter."""

    hours: Annotated[int, Field(ge=0)]
    by: Literal["category", "customer"]
    off: list[JoinRule] = []
    threads: list[str] = ["email", "ticket", "chat", "call"]
    alone: list[str] = ["safety", "legal", "security"]


class Reopen(Part):
    """`days` after it was closed a case opens again for a message of the same issue; 0: never. So many times `most_a_day`."""

    days: Annotated[int, Field(ge=0, le=3000)] = 7
    most_a_day: Annotated[int, Field(ge=1, le=1000)] = 3
    closed_in_crm: bool = False
    not_an_issue: bool = False


class Identities(Part):
    fan_in: Annotated[int, Field(ge=1)]


class StormRules(Part):
    """Many customers on one issue within `minutes` are one incident; up to `own_cases` have a case of their own before it is seen."""

    active: bool = True
    minutes: Minutes = 30
    own_cases: Annotated[int, Field(ge=1, le=10)] = 5
    by: list[Literal["text", "link", "thread"]] = ["text", "link", "thread"]
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.6
    min_words: Annotated[int, Field(ge=3)] = 4
    alone: list[str] = ["safety"]
    apart: list[str] = ["legal", "security"]
    key_accounts_alone: bool = True

    def stands_alone(self, category: str, incident: str) -> bool:
        """Whether a signal of this category has a case of its own beside an incident of that one."""
        return category in self.alone or (category in self.apart and category != incident)

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.minutes)


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


class Policy(Part):
    """All weights, floors, bands, targets and routes. `policy_version` names exactly these numbers."""

    version: str
    bands: Bands
    tiers: Tiers
    renewal: Renewal
    reach: Reach
    need_factor: NeedFactor
    severity: dict[str, Points]
    sentiment: Sentiment
    repeat: Repeat
    sla: Sla
    floors: list[Floor]
    routing: Routing
    need: NeedRules
    join: Join
    reopen: Reopen = Reopen()
    identities: Identities
    retention: Retention
    crm: CrmRules = CrmRules()
    categories: Categories = Categories()
    calendars: Calendars = Calendars()
    storms: StormRules = StormRules()
    metrics: Metrics = Metrics()
    health: Health = Health()
    churn: Churn = Churn()
    finds: Finds = Finds()

    @field_validator("version", mode="before")
    @classmethod
    def _read_version(cls, version: Any) -> str:
        return str(version)  # YAML reads 1 as a number and 2026-11-21 as a date

    @cached_property
    def weight_hash(self) -> str:
        """Of all numbers and names but the version: two policies that score alike have the same hash."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json", exclude={"version"}), sort_keys=True).encode()).hexdigest()

    @property
    def policy_version(self) -> str:
        return f"{self.version}+{self.weight_hash[:8]}"

    @property
    def fall_after(self) -> timedelta:
        return timedelta(minutes=self.bands.fall_after_minutes)

    @property
    def join_window(self) -> timedelta:
        return timedelta(hours=self.join.hours)

    def known_category(self, category: str | None) -> str:
        """The category, or `unknown` where this policy has no such category."""
        return category if category in self.severity else "unknown"


def line_maxima(policy: Policy) -> dict[str, int]:
    """The most points each line can have, by factor."""
    return {
        "value": policy.tiers.max, "renewal": policy.renewal.max, "reach": policy.reach.max,
        "severity": max(policy.severity.values(), default=0), "sentiment": max(policy.sentiment.max, policy.sentiment.unscored),
        "repeat": policy.repeat.max, "sla": policy.sla.max,
    }  # fmt: skip
