"""How far a stream of records was read that is searched by the time of their last change, so that none is missed and none is told twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

SEEN = 1_500  # beyond these the oldest is forgotten, and may be told again


@dataclass(frozen=True)
class Place:
    """How far a stream was read, in epoch milliseconds: all before `base`; in the run that goes on all before `t` and, at `t` itself, those up to `id` where
    one is given. `seen` has when each row that was read lately had been changed."""

    base: int
    t: int
    id: str = ""
    seen: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> list[Any]:
        return [self.base, self.t - self.base, self.id, {key: moment - self.base for key, moment in self.seen.items()}]

    @classmethod
    def from_json(cls, data: list[Any]) -> Place:
        base, ahead, row_id, seen = data
        return cls(base, base + ahead, row_id, {key: moment + base for key, moment in seen.items()})

    def next(self, newest: int, rows: Mapping[str, int], overlap: int, **place: Any) -> Place:
        """With these rows seen; those that no search will show again are forgotten."""
        seen = {key: moment for key, moment in {**self.seen, **rows}.items() if moment >= max(self.base, newest - overlap)}
        return replace(self, seen=dict(sorted(seen.items(), key=lambda each: each[1])[-SEEN:]), **place)

    def end(self, newest: int, rows: Mapping[str, int], overlap: int) -> Place:
        """All is read: the next run begins a little before the newest row."""
        base = max(self.base, newest - overlap)
        return self.next(newest, rows, overlap, base=base, t=base, id="")


def read_time(text: str) -> datetime:
    """HubSpot's ISO 8601 with Z."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def to_epoch(moment: datetime) -> int:
    """Milliseconds, as searches compare them."""
    return round(moment.timestamp() * 1_000)


def from_epoch(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
