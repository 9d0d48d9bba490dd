"""What people did in Dynamics since a cursor. All tables in one call.

By time (the default) rows are read in the order they were changed, from a little before the last one that was seen, so that what was committed late is not
missed; what was told is remembered by its version number for as long as it may be read again. By change tracking (`changes: delta`) Dynamics keeps the place.
What it does not tell: by time, deletions (its webhook and the nightly reconciliation do); which column was changed, so that a person's change of a contact
or an account is not seen when Caseline writes to the same row before it is read; the queue of a case. Notes are internal; sent mails of a case are its answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._batch import Part
from caseline.crm._keyset import HEAD_START
from caseline.crm.dynamics._accounts import Accounts
from caseline.crm.dynamics._api import Api, Row, row_of, rows_of
from caseline.crm.dynamics._links import below
from caseline.crm.dynamics._odata import url
from caseline.crm.dynamics._records import Records, status_of
from caseline.crm.dynamics._rows import STREAMS, Reader, Stream
from caseline.crm.dynamics._settings import BANDS
from caseline.errors import CrmNotFoundError, CrmRejectedError
from caseline.payloads import read_time

PAGE, LISTED, MAX_PAGES, MARKS = 200, 500, 20, 1_000
ANNOTATIONS = 'odata.include-annotations="*"'


@dataclass
class Place:
    """How far a table was read. `next` is the rest of this sweep, `floor` where the next one begins, `seen` the rows told since then: version and time."""

    floor: str = ""
    high: str = ""
    next: str = ""
    begun: bool = True
    seen: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def is_under_way(self) -> bool:
        return bool(self.next) or not self.begun


class Changes:
    def __init__(self, api: Api, records: Records, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._api, self._records, self._settings, self._clock = api, records, records.settings, clock
        self._reader, self._me = Reader(records, accounts), ""

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """Goes on until there is something to tell or all is read."""
        places = self._places(cursor)
        for _ in range(MAX_PAGES):
            changes = self._page(places)
            if changes or not any(place.is_under_way for place in places.values()):
                break
        changes.sort(key=lambda change: change.at)
        return changes, json.dumps({name: vars(place) for name, place in places.items()}, separators=(",", ":"))

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._records.optional.attempt(lambda: self._list(cursor), self._records.required)

    # ---- one page of every table

    def _page(self, places: Mapping[str, Place]) -> list[Change]:
        return self._records.optional.attempt(lambda: self._read_page(places), self._records.required)

    def _read_page(self, places: Mapping[str, Place]) -> list[Change]:
        """Tables whose sweep is over wait for those that have more."""
        waiting = [stream for stream in STREAMS if places[stream.table].is_under_way] or list(STREAMS)
        whoami = [] if self._me else [Part("GET", "/WhoAmI")]
        answers = self._api.batch([*whoami, *(self._part(stream, places[stream.table]) for stream in waiting)])
        if whoami:
            self._me = str(row_of(answers.pop(0)[0]).get("UserId") or "").lower()
        pages = [(stream, self._checked(answer[0], places[stream.table])) for stream, answer in zip(waiting, answers, strict=True)]
        return [change for stream, page in pages for change in self._take(stream, places[stream.table], page)]

    def _part(self, stream: Stream, place: Place) -> Part:
        tracked = "odata.track-changes," if self._is_delta and not place.next else ""
        size = f"odata.maxpagesize={PAGE},{ANNOTATIONS}" if place.begun else f"odata.maxpagesize={LISTED}"
        return Part("GET", place.next or self._query(stream, place), headers={"Prefer": f"{tracked}{size}"})

    def _query(self, stream: Stream, place: Place) -> str:
        columns = ",".join(self._reader.columns(stream))
        if self._is_delta:
            return place.floor or url(f"/{stream.table}", select=columns)
        condition = f"modifiedon ge {place.floor}" + (f" and {self._reader.condition(stream)}" if stream.condition else "")
        return url(f"/{stream.table}", select=columns, filter=condition, expand=self._reader.expansion(stream), orderby=f"modifiedon asc,{stream.key} asc")

    def _checked(self, answer: Any, place: Place) -> Row:
        try:
            rows_of(answer)
            return row_of(answer)
        except (CrmRejectedError, CrmNotFoundError):
            if not (self._is_delta and place.floor):
                raise
            # A token is good for a week: whoever was away longer begins anew, and reconciliation tells the rest.
            place.floor, place.next, place.begun = "", "", False
            return {"value": []}

    def _take(self, stream: Stream, place: Place, page: Row) -> list[Change]:
        fresh = [row for row in page["value"] if self._is_new(stream, place, row)]
        changes = [change for row in fresh for change in self._reader.read(stream, row, self._me, self._clock())] if place.begun else []
        self._move(place, page)
        return changes

    def _is_new(self, stream: Stream, place: Place, row: Row) -> bool:
        if self._is_delta:
            return True
        mark, version, at = str(row[stream.key])[-12:], row.get("versionnumber"), str(row["modifiedon"])
        known, place.seen[mark] = place.seen.get(mark), [version, at]
        place.high = max(place.high, at)
        return known is None or known[0] != version

    def _move(self, place: Place, page: Row) -> None:
        place.next = self._below(page.get("@odata.nextLink"))
        if self._is_delta and (done := self._below(page.get("@odata.deltaLink"))):
            place.floor, place.begun = done, True
        elif not place.next and not self._is_delta and place.high:
            place.floor = max(place.floor, _text(read_time(place.high) - timedelta(seconds=self._settings.overlap)), _crowded(place))
            place.seen = {mark: seen for mark, seen in place.seen.items() if seen[1] >= place.floor}

    def _places(self, cursor: str) -> dict[str, Place]:
        """Delta tokens begin with the tables as they are."""
        kept: Mapping[str, Any] = json.loads(cursor) if cursor else {}
        floor = "" if self._is_delta else _text(self._clock() - HEAD_START)
        fresh = Place(floor, begun=not self._is_delta)
        return {stream.table: Place(**{**vars(fresh), "seen": {}, **kept.get(stream.table, {})}) for stream in STREAMS}

    @property
    def _is_delta(self) -> bool:
        return self._settings.changes == "delta"

    def _below(self, link: Any) -> str:
        return below(self._api, link) if link else ""

    # ---- all cases

    def _list(self, cursor: str) -> tuple[list[StandingCase], str]:
        names = self._records.settings.case_fields
        columns = self._records.optional.of("incident", ["incidentid", "statecode", names["case_key"], names["version"], names["band"]])
        first = url("/incidents", select=",".join(columns), filter=f"{names['case_key']} ne null", orderby="incidentid asc")
        answer = self._api.call("GET", cursor or first, headers={"Prefer": f"odata.maxpagesize={LISTED}"})
        return [self._standing(row) for row in rows_of(answer)], self._below(row_of(answer).get("@odata.nextLink"))

    def _standing(self, row: Row) -> StandingCase:
        version, band = row.get(self._records.column("version")), self._settings.option_name(BANDS, row.get(self._records.column("band")))
        return StandingCase(row["incidentid"], row[self._records.column("case_key")], status_of(row), band, version)


def _crowded(place: Place) -> str:
    """In a storm less is looked back, so that the marks stay few and nothing is told for ever."""
    times = sorted(seen[1] for seen in place.seen.values())
    return str(times[-MARKS]) if len(times) > MARKS else ""


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
