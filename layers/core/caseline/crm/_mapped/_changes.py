"""What people did since a cursor, by the mapping's requests under `changes`: one call for each kind that it has, or a page more.

Our own writes are left out by `user`, where rows say who wrote them. What the mapping has no request for is not told by polling: deletions are then found
by the nightly reconciliation, contacts and accounts when they are looked up again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._mapped._api import Api, Row
from caseline.crm._mapped._cases import CaseStore
from caseline.crm._mapped._mapping import KINDS, Mapped
from caseline.crm._mapped._rows import Reader
from caseline.crm._streams import Streams
from caseline.errors import PayloadError
from caseline.signals import isoformat

WHOLE = 1_000_000_000  # rows: without a keyset all pages are read at once


class Changes:
    def __init__(self, api: Api, mapped: Mapped, reader: Reader, store: CaseStore, clock: Callable[[], datetime]) -> None:
        self._api, self._mapped, self._reader, self._store, self._changes = api, mapped, reader, store, mapped.changes
        self._requests = {kind: request for kind in KINDS if (request := getattr(mapped.changes, kind))}
        overlap, page = timedelta(seconds=mapped.changes.overlap), mapped.changes.limit if mapped.changes.keyset else WHOLE
        self._streams = Streams(list(self._requests), self._fetch, self._reader.place, self._tell, clock, overlap, page)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        try:
            return self._streams.read(cursor)
        except PayloadError:
            raise self._api.strange() from None

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._store.page(cursor)

    def _fetch(self, places: Mapping[str, Position]) -> dict[str, Sequence[Row]]:
        return {kind: self._rows(kind, places[kind]) for kind in self._requests}

    def _rows(self, kind: str, place: Position) -> list[Row]:
        values = {"after": isoformat(place.at), "after_id": place.row_id or "0", "limit": self._changes.limit}
        if self._changes.keyset:
            return self._api.page(self._requests[kind], values)[0]
        return sorted(self._api.rows(self._requests[kind], values), key=lambda row: self._reader.place(kind, row))

    def _tell(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> list[Change]:
        return [change for row in rows for change in self._reader.changes(kind, row)]
