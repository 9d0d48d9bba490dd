"""What people did in Salesforce, read by time and id; and all cases of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from caseline.crm import CLOSED, OPEN, Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._optional import OptionalFields
from caseline.crm.salesforce._api import Api, Composed, Record, query_part
from caseline.crm.salesforce._feeds import COMMON, Feeds, row_time
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote, quote_time
from caseline.errors import CrmRejectedError

PAGE, LISTED, ROUNDS = 200, 1_000, 20
QUERIES = 5  # that one composite call takes


class Changes:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._clock = api, settings, optional, clock
        self._overlap = timedelta(seconds=settings.overlap)
        self._key = settings.case_fields["case_key"]
        self._feeds = Feeds(settings, lambda: api.user_id)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """Page by page until there is something to tell or all is read."""
        positions = self._positions(cursor)
        if not cursor:
            return [], _dump(positions)
        for _ in range(ROUNDS):
            changes, positions, more = self._optional.attempt(partial(self._page, positions))
            if changes or not more:
                break
        return sorted(changes, key=lambda change: change.at), _dump(positions)

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        rows = self._optional.attempt(lambda: self._api.query(self._listing(cursor)), [f"Case.{self._key}"])
        return [self._standing(row) for row in rows], rows[-1]["Id"] if len(rows) == LISTED else ""

    def _positions(self, cursor: str) -> dict[str, Position]:
        """An object that was not read so far begins as in a first reading."""
        try:
            known = {name: Position.from_json(each) for name, each in json.loads(cursor or "{}").items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CrmRejectedError("Salesforce: the cursor is not one of ours", "cursor") from None
        now = self._clock().replace(microsecond=0)
        return {name: known.get(name) or Position.begin(now) for name in self._feeds.by_name}

    def _page(self, positions: Mapping[str, Position]) -> tuple[list[Change], dict[str, Position], bool]:
        """One page of each object, five objects in a call. Whether there is more."""
        changes, after, more = list[Change](), dict(positions), False
        names = [name for name in self._feeds.by_name if self._optional.has(name)]
        for start in range(0, len(names), QUERIES):
            asked = names[start : start + QUERIES]
            composed = self._api.compose([query_part(name, self._query(name, positions[name]), deleted=True) for name in asked])
            for name in asked:
                told, after[name], is_full = self._take(composed, name, positions[name])
                changes, more = [*changes, *told], more or is_full
        return changes, after, more

    def _take(self, composed: Composed, name: str, position: Position) -> tuple[list[Change], Position, bool]:
        rows = composed.records(name)
        is_full = len(rows) == PAGE
        fresh, after = position.take(rows, lambda row: (row_time(row), row["Id"]), is_full, self._overlap)
        return [change for row in fresh if (change := self._feeds.tell(name, row))], after, is_full

    def _query(self, name: str, position: Position) -> str:
        feed, at = self._feeds.by_name[name], quote_time(position.at)
        after = f"(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > {quote(position.row_id)}))" if position.row_id else f"SystemModstamp >= {at}"
        columns = [column for column in dict.fromkeys([*COMMON, *feed.columns]) if column and self._exists(name, column)]
        where = f"{feed.where} AND {after}" if feed.where else after
        return f"SELECT {', '.join(columns)} FROM {name} WHERE {where} ORDER BY SystemModstamp, Id LIMIT {PAGE}"

    def _exists(self, name: str, column: str) -> bool:
        parent, _, field = column.rpartition(".")
        return self._optional.has("Case" if parent == "Parent" else name, field if parent == "Parent" else column)

    # All cases.

    def _listing(self, cursor: str) -> str:
        columns = self._optional.of("Case", ["Id", "IsClosed", *(self._settings.case_fields[name] for name in ("case_key", "band", "version"))])
        after = f" AND Id > {quote(cursor)}" if is_id(cursor) else ""
        return f"SELECT {', '.join(columns)} FROM Case WHERE {self._key} != null{after} ORDER BY Id LIMIT {LISTED}"

    def _standing(self, row: Record) -> StandingCase:
        version = row.get(self._settings.case_fields["version"])
        band = row.get(self._settings.case_fields["band"])
        return StandingCase(row["Id"], row[self._key], CLOSED if row.get("IsClosed") else OPEN, band, None if version is None else int(version))


def _dump(positions: Mapping[str, Position]) -> str:
    return json.dumps({name: position.to_json() for name, position in positions.items()}, separators=(",", ":"))
