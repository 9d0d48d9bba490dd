"""The policy: the versioned, validated numbers of the priority model, and who works what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from caseline.config_text import Location, read_yaml, report_problems, suggest
from caseline.errors import ConfigError

SHIPPED = Path(__file__).with_name("policy.yaml")
Band = Literal["P1", "P2", "P3", "P4"]
BANDS: tuple[Band, ...] = ("P1", "P2", "P3", "P4")

Points = Annotated[int, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=36500)]
Minutes = Annotated[int, Field(ge=1)]


class Part(BaseModel):
    """A section of the policy: nothing in it changes, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Bands(Part):
    """The lowest score of each band; P4 is what is below P3."""

    P1: Points
    P2: Points
    P3: Points

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


class Sla(Part):
    max: Points
    targets: Targets
    channels: dict[str, Targets] = {}


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


class Routing(Part):
    default: Annotated[str, Field(min_length=1)]
    rules: list[Rule] = []


class LowRating(Part):
    """By metric, the share of the scale up to which a rating is a complaint; a metric left out never is one."""

    stars: Share | None = None
    nps: Share | None = None
    csat: Share | None = None
    ces: Share | None = None


class NeedRules(Part):
    negative_from: Annotated[float, Field(gt=0, le=1)]
    categories: list[str]
    questions: bool
    low_rating: LowRating
    star_only: bool
    quiet_kinds: list[str]
    event_kinds: list[str]


class Join(Part):
    hours: Annotated[int, Field(ge=0)]
    by: Literal["category", "customer"]


class Identities(Part):
    fan_in: Annotated[int, Field(ge=1)]


class Retention(Part):
    days: Days


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
    identities: Identities
    retention: Retention

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
    def join_window(self) -> timedelta:
        return timedelta(hours=self.join.hours)

    def known_category(self, category: str | None) -> str:
        """The category, or `unknown` where this policy has no such category."""
        return category if category in self.severity else "unknown"


def load_policy(text: str | None = None, name: str = "policy.yaml") -> Policy:
    """The policy of a YAML or JSON text; the shipped one for None and "default". Raises ConfigError that says where and what to write."""
    if text is None or text.strip() == "default":
        return shipped_policy()
    data = read_yaml(text, name)
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1:1: a policy is a mapping; start it with `version: 1`")
    try:
        policy = Policy.model_validate(_fill_in(data))
    except ValidationError as error:
        problems = [(_path(e["loc"]), _say(e["type"], e["loc"], e["msg"], e["input"])) for e in error.errors()]
        raise ConfigError(report_problems(problems, text, name)) from None
    if problems := list(find_contradictions(policy)):
        raise ConfigError(report_problems(problems, text, name))
    return policy


@lru_cache(maxsize=1)
def shipped_policy() -> Policy:
    return Policy.model_validate(_shipped_data())


@lru_cache(maxsize=1)
def _shipped_data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = read_yaml(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name)
    return data


def find_contradictions(policy: Policy) -> Iterator[tuple[Location, str]]:
    """What is well formed by itself, but not together: the place, and what to write."""
    yield from _check_numbers(policy)
    for place, names in _category_lists(policy):
        for index, category in enumerate(names):
            if category not in policy.severity:
                yield (*place, index), f"no category {category!r} under severity{suggest(category, policy.severity)}"
    for index, tier in enumerate(policy.tiers.key):
        if tier not in policy.tiers.points:
            yield ("tiers", "key", index), f"no tier {tier!r} under tiers.points{suggest(tier, policy.tiers.points)}"
    for index, floor in enumerate(policy.floors):
        if floor.when == Condition():
            yield ("floors", index, "when"), "this floor would raise every case; write at least one condition"


def _check_numbers(policy: Policy) -> Iterator[tuple[Location, str]]:
    bands, renewal = policy.bands, policy.renewal
    if not bands.P1 > bands.P2 > bands.P3 > 0:
        yield ("bands",), "write P1 above P2 above P3 above 0"
    if renewal.far_days <= renewal.near_days:
        yield ("renewal", "far_days"), f"write more than near_days ({renewal.near_days})"
    if not {"unknown", "praise"} <= policy.severity.keys():
        yield ("severity",), "write points for `unknown` and `praise`, too"
    if (total := sum(line_maxima(policy).values())) > 100:
        yield (), f"the lines add up to {total} points; lower some, so that they are at most 100"


def line_maxima(policy: Policy) -> dict[str, int]:
    """The most points each line can have, by factor."""
    return {
        "value": policy.tiers.max, "renewal": policy.renewal.max, "reach": policy.reach.max,
        "severity": max(policy.severity.values(), default=0), "sentiment": max(policy.sentiment.max, policy.sentiment.unscored),
        "repeat": policy.repeat.max, "sla": policy.sla.max,
    }  # fmt: skip


def _category_lists(policy: Policy) -> Iterator[tuple[Location, list[str]]]:
    yield ("need", "categories"), policy.need.categories
    for index, floor in enumerate(policy.floors):
        yield ("floors", index, "when", "categories"), floor.when.categories
    for index, rule in enumerate(policy.routing.rules):
        yield ("routing", "rules", index, "categories"), rule.categories


def _fill_in(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """What a policy leaves out is as shipped: whole sections, and keys of a section; never a category or a floor. Its version it must say."""
    shipped = {name: value for name, value in _shipped_data().items() if name != "version"}
    filled = {name: {**shipped[name], **value} for name, value in data.items() if _is_section(name) and isinstance(value, dict)}
    return {**shipped, **data, **filled}


def _is_section(name: Any) -> bool:
    field = Policy.model_fields.get(name)
    return field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, Part)


def _path(location: Location) -> Location:
    return [part for part in location if part != "[key]"]


def _say(kind: str, location: Location, message: str, value: Any) -> str:
    if kind == "missing":
        return f"missing; write `{location[-1]}:` and its value"
    if kind == "extra_forbidden":
        return f"unknown key{suggest(str(location[-1]), _known_keys(location[:-1]))}"
    shown = repr(value)[:80] if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return f"{message[:1].lower()}{message[1:]}, not {shown}"


def _known_keys(path: Location) -> Sequence[str]:
    """The keys of the section at `path`."""
    part: Any = Policy
    for step in path:
        part = part.model_fields[step].annotation if hasattr(part, "model_fields") else get_args(part)[-1]
    return list(part.model_fields)
