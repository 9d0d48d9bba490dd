"""What changed in several tables since a cursor, each read in the order of time and id, all of them in one call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change
from caseline.crm._keyset import Position

MAX_PAGES = 20
Row = Mapping[str, Any]


class Streams:
    """`fetch` gives a page of each table from its position on, `place` a row's time and id, `tell` what rows of a table say."""

    def __init__(
        self, names: Sequence[str], fetch: Callable[[Mapping[str, Position]], Mapping[str, Sequence[Row]]], place: Callable[[str, Row], tuple[datetime, str]],
        tell: Callable[[str, Sequence[Row]], list[Change]], clock: Callable[[], datetime], overlap: timedelta, page: int,
    ) -> None:  # fmt: skip
        self._names, self._fetch, self._place, self._tell = names, fetch, place, tell
        self._clock, self._overlap, self._page = clock, overlap, page

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """Goes on until there is something to tell or all is read; the first reading only begins."""
        places, changes, is_more = self._places(cursor), list[Change](), bool(cursor)
        for _ in range(MAX_PAGES):
            if changes or not is_more:
                break
            pages = self._fetch(places)
            changes = [change for name, rows in pages.items() for change in self._take(places, name, rows)]
            is_more = any(len(rows) >= self._page for rows in pages.values())
        changes.sort(key=lambda change: change.at)
        return changes, json.dumps({name: place.to_json() for name, place in places.items()}, separators=(",", ":"))

    def _take(self, places: dict[str, Position], name: str, rows: Sequence[Row]) -> list[Change]:
        fresh, places[name] = places[name].take(rows, lambda row: self._place(name, row), len(rows) >= self._page, self._overlap)
        return self._tell(name, fresh) if fresh else []

    def _places(self, cursor: str) -> dict[str, Position]:
        kept: Mapping[str, Any] = json.loads(cursor) if cursor else {}
        return {name: Position.from_json(kept[name]) if name in kept else Position.begin(self._clock()) for name in self._names}
