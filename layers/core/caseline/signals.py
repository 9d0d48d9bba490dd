"""A signal: one thing a customer said or did, in one shape for every channel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
CREATED, UPDATED, DELETED = "created", "updated", "deleted"
INBOUND, OUTBOUND = "inbound", "outbound"
AUTO_REPLY = "auto_reply"  # an attribute: a machine wrote it, so it asks nothing and answers nothing
OWN_CHANNEL = "caseline"  # what Caseline itself found out about a customer, and no customer has said
POINTER = "pointer"  # a kind: a thin notice, which its channel's `complete` turns into the real thing
KINDS = frozenset(
    "post comment mention message review survey_response email call chat ticket "
    "web_event cart_event device_event reaction repost pointer".split()
)
PRIVATE_KINDS = frozenset("message survey_response email call chat ticket web_event cart_event device_event".split())
_ABSENT: tuple[Any, ...] = (None, "", (), [], {})
METRICS = frozenset({"stars", "nps", "csat", "ces"})
SCORES = frozenset({"nps", "csat", "ces"})  # answers to a survey, which reports count


@dataclass(frozen=True)
class Rating:
    """`low` and `high` are the ends of the scale; a value of 0 counts."""

    metric: str
    value: float
    low: float
    high: float

    @property
    def fraction(self) -> float:
        """0 at the low end, 1 at the high end."""
        return (self.value - self.low) / (self.high - self.low) if self.high != self.low else 0.5


@dataclass(frozen=True)
class Signal:
    """Ids are strings. `identities` are the customer's, the channel's native one first. Times are aware, UTC.

    `revision` orders versions of one item (an edit's time in ISO form or the platform's version; "" for the first).
    `reach` is the author's audience; `engagement` is the item's likes, replies and reposts so far.
    `provider_sentiment` is -1..1 where the platform scored the item itself.
    """

    channel: str
    source: str
    native_id: str
    kind: str
    occurred_at: datetime
    received_at: datetime
    revision: str = ""
    action: str = CREATED
    direction: str = INBOUND
    public: bool = False
    identities: Sequence[str] = ()
    author_name: str | None = None
    agent: str | None = None
    text: str | None = None
    language: str | None = None
    rating: Rating | None = None
    url: str | None = None
    thread_id: str | None = None
    parent_id: str | None = None
    reach: int | None = None
    engagement: int | None = None
    provider_sentiment: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def signal_id(self) -> str:
        return signal_id(self.channel, self.source, self.native_id)

    def to_json(self) -> dict[str, Any]:
        """A JSON object without the fields that are at their default."""
        compact = {name: value for name, value in self.__dict__.items() if value not in _ABSENT}
        compact["occurred_at"], compact["received_at"] = isoformat(self.occurred_at), isoformat(self.received_at)
        if self.rating:
            compact["rating"] = asdict(self.rating)
        if self.identities:
            compact["identities"] = list(self.identities)
        if self.attributes:
            compact["attributes"] = dict(self.attributes)
        compact["schema"] = SCHEMA_VERSION
        return compact

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signal:
        known = {f.name for f in fields(cls)}
        values = {k: v for k, v in data.items() if k in known}
        for name in ("occurred_at", "received_at"):
            values[name] = parse_time(values[name])
        values["identities"] = tuple(values.get("identities", ()))
        if values.get("rating"):
            values["rating"] = Rating(**values["rating"])
        return cls(**values)

    def with_(self, **changes: Any) -> Signal:
        return replace(self, **changes)


@dataclass(frozen=True)
class Unreadable:
    """One item of a batch that could not be read; `raw` is kept for replay."""

    reason: str
    field: str
    raw: Any


def signal_id(channel: str, source: str, native_id: str) -> str:
    """A pure function of channel, source and native id; the parts are length-prefixed so that no two join alike."""
    parts = "".join(f"{len(part)}:{part}" for part in (channel, source, native_id))
    return "sig_" + hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def isoformat(moment: datetime) -> str:
    """UTC with microseconds and Z: sorts as text in time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """ISO 8601; a time without zone is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
