"""What people did in HubSpot, by polling: five searches and, where something moved, a read with history.

A search is ordered by the time of the last change. Rows that share it are read by id, so that no page loses or repeats one; what was changed within
the last minutes is searched again, as HubSpot's index is late, and what was told of it stands in the cursor. Which of a record's changes are
people's is told by the history of its properties: what our own app wrote is left out.

Told: priority, stage, owner, outcome, category and queue of our tickets; notes and e-mails of agents; identities and company of contacts; value of
companies; merges; deleted tickets, as long as HubSpot lists them among the first few hundred of its bin. Not told: deleted contacts and companies,
which come by webhook alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from caseline.crm import Change
from caseline.crm._keyset import HEAD_START
from caseline.crm.hubspot._api import Api, Filter, Record, compare, equals, exists, text_of
from caseline.crm.hubspot._cases import Cases
from caseline.crm.hubspot._comments import COMMENT_COLUMNS, Comments
from caseline.crm.hubspot._login import Login
from caseline.crm.hubspot._people import COMPANY, contact_properties, full_name, read_contact
from caseline.crm.hubspot._place import Place, from_epoch, read_time, to_epoch
from caseline.crm.hubspot._settings import Settings
from caseline.crm.hubspot._webhooks import company_fields, ticket_fields
from caseline.errors import CrmAuthError

log = logging.getLogger(__name__)
PAGE, BIN_PAGES = 50, 5
MERGED = "hs_merged_object_ids"
MODIFIED = {"contacts": "lastmodifieddate"}
TICKETS, CONTACTS, COMPANIES, BIN = "tickets", "contacts", "companies", "bin"
ENTITIES = {TICKETS: "case", CONTACTS: "contact", COMPANIES: "account"}


class Changes:
    def __init__(self, api: Api, login: Login, settings: Settings, cases: Cases, clock: Callable[[], datetime]) -> None:
        self.list_cases = cases.page
        self._api, self._login, self._settings, self._clock = api, login, settings, clock
        self._told = {TICKETS: self._told_of_ticket, CONTACTS: self._told_of_contact, COMPANIES: self._told_of_company}
        self._comments, self._watched = Comments(api, settings.case_fields["case_key"]), _watched(settings)
        self._overlap, self._refused = settings.overlap_seconds * 1_000, set[str]()

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """One page of each stream that has any."""
        start, kept = to_epoch(self._clock() - HEAD_START), json.loads(cursor or "{}")
        if not kept:
            return [], json.dumps({name: Place(start, start).to_json() for name in self._streams()})
        places = {name: Place.from_json(kept[name]) if name in kept else Place(start, start) for name in self._streams()}
        found: list[Change] = []
        for name, place in places.items():
            changes, places[name] = self._bin(place) if name == BIN else self._stream(name, place)
            found += changes
        return sorted(found, key=lambda change: change.at), json.dumps({name: place.to_json() for name, place in places.items()}, separators=(",", ":"))

    def _streams(self) -> tuple[str, ...]:
        return (TICKETS, *self._settings.comments, CONTACTS, COMPANIES, BIN)

    # Paging.
    def _stream(self, kind: str, place: Place) -> tuple[list[Change], Place]:
        """Until a page has something to tell or all is read."""
        while True:
            rows = self._page(kind, place)
            fresh = [row for row in rows if place.seen.get(row["id"]) != _modified(kind, row)]
            changes = list(self._tell(kind, fresh, place)) if fresh else []
            following = self._follow(kind, place, rows)
            if changes or (len(rows) < PAGE and not place.id):
                return changes, following
            place = following

    def _page(self, kind: str, place: Place) -> list[Record]:
        name = MODIFIED.get(kind, "hs_lastmodifieddate")
        filters: list[Filter] = [exists(self._settings.case_fields["case_key"])] if kind == TICKETS else []
        if place.id:
            filters += [equals(name, str(place.t)), compare("hs_object_id", "GT", place.id)]
        else:
            filters += [compare(name, "GTE", str(place.t))]
        if kind in self._refused:
            return []
        try:
            return self._api.search(kind, [filters], self._columns(kind), sort="hs_object_id" if place.id else name, limit=PAGE)
        except CrmAuthError:
            if kind not in self._settings.comments:
                raise
            self._refused.add(kind)
            log.warning("HubSpot lets the app read no %s: what agents say there is not told", kind)
            return []

    def _follow(self, kind: str, place: Place, rows: Sequence[Record]) -> Place:
        moments = {row["id"]: _modified(kind, row) for row in rows}
        newest = max([*moments.values(), *place.seen.values()], default=place.base)
        is_full, go = len(rows) == PAGE, partial(place.next, newest, moments, self._overlap)
        if place.id:  # one instant, row by row
            return go(id=rows[-1]["id"]) if is_full else go(t=place.t + 1, id="")
        if is_full:
            reached = max(moments.values())
            return go(id="0") if reached == place.t else go(t=reached)
        return place.end(newest, moments, self._overlap)

    def _columns(self, kind: str) -> list[str]:
        return ["hs_object_id", MODIFIED.get(kind, "hs_lastmodifieddate"), *COMMENT_COLUMNS.get(kind, ())]

    # Telling.
    def _tell(self, kind: str, rows: Sequence[Record], place: Place) -> Iterator[Change]:
        if kind not in ENTITIES:
            yield from self._comments.tell(kind, [row for row in rows if row["id"] not in place.seen])
            return
        for row, entries in self._theirs(kind, rows, place):
            if merged := entries.pop(MERGED, None):
                yield from self._merged(kind, row, merged)
            told = self._told[kind](row, entries) if entries else None
            if told is not None:
                yield self._change(kind, row, entries, told)

    def _theirs(self, kind: str, rows: Sequence[Record], place: Place) -> Iterator[tuple[Record, dict[str, Record]]]:
        """Each record with the newest entries of the watched properties that somebody else has set since it was last looked at."""
        watched = [*self._watched[kind], MERGED]
        key = [self._settings.case_fields["case_key"]] if kind == TICKETS else []
        for row in self._api.read_many(kind, [row["id"] for row in rows], [*watched, *key], history=watched):
            since = place.seen.get(row["id"], place.base - 1)
            newest = {name: entries[0] for name, entries in (row.get("propertiesWithHistory") or {}).items() if entries}
            theirs = {name: entry for name, entry in newest.items() if _moment(entry) > since and not self._is_own(entry)}
            if theirs:
                yield row, theirs

    def _told_of_ticket(self, row: Record, entries: Mapping[str, Record]) -> dict[str, Any] | None:
        return self._translate(ticket_fields, entries) or None

    def _told_of_contact(self, row: Record, entries: Mapping[str, Record]) -> dict[str, Any]:
        told = {"identities": list(read_contact(row, self._settings).identities), "name": full_name(row), "account_id": text_of(row, COMPANY)}
        return {name: value for name, value in told.items() if value}

    def _told_of_company(self, row: Record, entries: Mapping[str, Record]) -> dict[str, Any]:
        return self._translate(company_fields, entries)

    def _translate(self, read: Callable[[str, str, Settings], dict[str, Any] | None], entries: Mapping[str, Record]) -> dict[str, Any]:
        found = [read(name, str(entry.get("value") or ""), self._settings) or {} for name, entry in entries.items()]
        return {name: value for each in found for name, value in each.items()}

    def _merged(self, kind: str, row: Record, entry: Record) -> list[Change]:
        ids = [each for each in str(entry.get("value") or "").split(";") if each and each != row["id"]]
        at = from_epoch(_moment(entry))
        return [Change("merged", crm_id, at, fields={"entity": ENTITIES[kind], "into": row["id"]}, by=_author(entry)) for crm_id in ids]

    def _bin(self, place: Place) -> tuple[list[Change], Place]:
        """Tickets of ours in the bin since; it is not ordered by time."""
        key, after, found = self._settings.case_fields["case_key"], "", list[Record]()
        for _ in range(BIN_PAGES):
            page = self._api.get(f"{self._settings.objects_path}/tickets", archived="true", limit=100, properties=key, **({"after": after} if after else {}))
            found += page.get("results", ())
            after = str(((page.get("paging") or {}).get("next") or {}).get("after") or "")
            if not after:
                break
        gone = {str(row["id"]): (to_epoch(read_time(row.get("archivedAt") or row["updatedAt"])), text_of(row, key)) for row in found}
        fresh = {crm_id: (at, known) for crm_id, (at, known) in gone.items() if known and at >= place.t and crm_id not in place.seen}
        changes = [Change("deleted", crm_id, from_epoch(at), known, {"entity": "case"}) for crm_id, (at, known) in fresh.items()]
        moments = {crm_id: at for crm_id, (at, _) in fresh.items()}
        return changes, place.end(max([*moments.values(), *place.seen.values()], default=place.base), moments, self._overlap)

    def _change(self, kind: str, row: Record, entries: Mapping[str, Record], told: Mapping[str, Any]) -> Change:
        last = max(entries.values(), key=_moment)
        case_key = text_of(row, self._settings.case_fields["case_key"]) if kind == TICKETS else ""
        return Change(ENTITIES[kind], row["id"], from_epoch(_moment(last)), case_key, told, _author(last), f"{row['id']}-{_moment(last)}")

    def _is_own(self, entry: Record) -> bool:
        app = self._settings.app_id or self._login.about().app_id
        return entry.get("sourceType") == "INTEGRATION" and str(entry.get("sourceId")) == app


def _watched(settings: Settings) -> dict[str, list[str]]:
    """Open cases follow from our own tickets: they are no news."""
    ours = [settings.case_fields[name] for name in ("outcome", "category", "queue") if settings.case_fields[name]]
    facts = [name for fact, name in settings.account_fields.items() if name and fact != "open_cases"]
    return {TICKETS: ["hs_ticket_priority", "hs_pipeline_stage", "hubspot_owner_id", *ours], CONTACTS: contact_properties(settings), COMPANIES: facts}


def _modified(kind: str, row: Record) -> int:
    return to_epoch(read_time(text_of(row, MODIFIED.get(kind, "hs_lastmodifieddate")) or row["updatedAt"]))


def _moment(entry: Record) -> int:
    return to_epoch(read_time(str(entry["timestamp"])))


def _author(entry: Record) -> str:
    return str(entry.get("updatedByUserId") or entry.get("sourceId") or entry.get("sourceType") or "")
