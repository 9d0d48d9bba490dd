"""Tickets in HubSpot: one for each case key, which is a property with unique values, so that a second create is refused by HubSpot itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from caseline.crm import ALL, CLOSED, OPEN, CaseRecord, Note, SavedCase, StandingCase
from caseline.crm._erasing import take_back
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.hubspot._api import Api, Record, associate, compare, exists, text_of
from caseline.crm.hubspot._errors import BadAssociationError, DuplicateError
from caseline.crm.hubspot._notes import Activities, append_notes
from caseline.crm.hubspot._settings import Settings
from caseline.errors import CrmConflictError, CrmNotFoundError

PRIORITY, STAGE, OWNER, PIPELINE, MERGED = "hs_ticket_priority", "hs_pipeline_stage", "hubspot_owner_id", "hs_pipeline", "hs_merged_object_ids"
LONG, PAGE = 60_000, 200
HISTORY = "HubSpot shows earlier values in the ticket's history, and keeps deleted notes for 90 days"


class Cases:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, link: Callable[[str, str], str], clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._link = api, settings, optional, link
        self._fields, self._activities = settings.case_fields, Activities(api, settings, clock)

    def save(self, record: CaseRecord) -> SavedCase:
        """One call where nothing has to be looked at: a first save, or one that changes our own properties only. Else a read before it."""
        if record.first and not record.crm_id:
            return self._create(record)
        return self._refresh(record) or self._read_and_save(record)

    def _read_and_save(self, record: CaseRecord) -> SavedCase:
        standing = self._standing(record)
        return self._save_over(record, standing) if standing else self._create(record)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Two workers that add notes to one ticket at the same moment could lose one: the outbox's lease keeps them apart."""
        standing = self._read(crm_id)
        if standing is None:
            raise CrmNotFoundError("HubSpot has no such ticket")
        values, rest = self._noted([Note(note_id, text)], text_of(standing, self._fields["notes"]))
        if values and self._update(crm_id, values) is None:
            raise CrmNotFoundError("HubSpot has no such ticket")
        self._activities.add(crm_id, rest)

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        """Also of a ticket that was merged: in the one that it went into, which keeps its subject."""
        standing = self._read(crm_id) or self._survivor(crm_id)
        return take_back(partial(self._erase, standing["id"]), subject, standing["id"] != crm_id) if standing else ()

    def _erase(self, place: str, subject: str) -> Sequence[str]:
        [name] = self._optional.of("tickets", [self._fields["notes"]]) or [""]
        blank = {"subject": fit_text(subject, 255), "content": fit_text(subject, LONG)} if subject else {}
        if values := {**({name: ""} if name else {}), **blank}:
            self._update(place, values)
        self._activities.erase(place)
        return [HISTORY]

    def page(self, after: str) -> tuple[list[StandingCase], str]:
        """By id, so that no page is shifted by what is made meanwhile and no limit of a search is reached. What was made a few seconds ago may lack yet."""
        key = self._fields["case_key"]
        filters = [exists(key), *([compare("hs_object_id", "GT", after)] if after else [])]
        rows = self._api.search("tickets", [filters], self._columns(), sort="hs_object_id", limit=PAGE)
        return [self._standing_case(row) for row in rows], rows[-1]["id"] if len(rows) == PAGE else ""

    # Finding.
    def _standing(self, record: CaseRecord) -> Record | None:
        """Where it was saved, where its key is, or what it was merged into."""
        found = self._read(record.crm_id) if record.crm_id else None
        return found or self._by_key(record.case_key) or (self._survivor(record.crm_id) if record.crm_id else None)

    def _read(self, crm_id: str) -> Record | None:
        return self._api.read("tickets", crm_id, self._columns()) if crm_id.isdecimal() else None

    def _by_key(self, case_key: str) -> Record | None:
        return self._optional.attempt(lambda: self._api.read("tickets", _key(case_key), self._columns(), by=self._fields["case_key"]), self._required())

    def _survivor(self, crm_id: str) -> Record | None:
        rows = self._api.search("tickets", [[compare(MERGED, "CONTAINS_TOKEN", crm_id)]], [*self._columns(), MERGED]) if crm_id.isdecimal() else []
        return next((row for row in rows if crm_id in text_of(row, MERGED).split(";")), None)

    def _columns(self) -> list[str]:
        return [PRIORITY, STAGE, OWNER, *filter(None, (self._fields[name] for name in ("case_key", "version", "band", "queue", "notes")))]

    # Writing.
    def _create(self, record: CaseRecord) -> SavedCase:
        try:
            made, rest = self._optional.attempt(lambda: self._post(record), self._required())
        except DuplicateError:
            standing = self._by_key(record.case_key)
            if standing is None:
                raise
            return self._save_over(record, standing)
        self._activities.add(made["id"], rest, look=False)
        return self._saved(made, True, record.status, ALL if self._property and not rest else "")

    def _post(self, record: CaseRecord) -> tuple[Record, list[Note]]:
        noted, rest = self._noted(record.notes, "")
        values = {**_native(record), **self._ours(record), **self._given(record), **noted, self._fields["case_key"]: _key(record.case_key)}
        kept = {name: values[name] for name in self._optional.of("tickets", values)}
        try:
            return self._api.create("tickets", kept, self._associations(record)), rest
        except BadAssociationError:
            # The contact or company has been deleted since it was looked up.
            return self._api.create("tickets", kept), rest

    def _given(self, record: CaseRecord) -> dict[str, str]:
        stage = self._settings.stages["closed" if record.status == CLOSED else "new"]
        owner = self._settings.assignee(record.owner, record.queue)
        values = {PIPELINE: self._settings.pipeline, STAGE: stage, PRIORITY: self._priority(record.band), OWNER: owner}
        return {name: value for name, value in values.items() if value}

    def _refresh(self, record: CaseRecord) -> SavedCase | None:
        """Unread; the notes' property whole, where it is known what it holds. None where that cannot be."""
        if not record.is_news or not record.crm_id.isdecimal() or (record.notes and record.told is None):
            return None
        noted, rest = self._noted([*(record.told or ()), *record.notes], "")
        updated = None if rest else self._update(record.crm_id, {**self._ours(record), **noted})
        if updated is None or (noted and not self._property):
            return None
        return self._saved(updated, False, self._status(text_of(updated, STAGE)), "" if record.told is None else ALL)

    def _save_over(self, record: CaseRecord, standing: Record) -> SavedCase:
        """A newer version than what stands is written; notes that are not there yet are written in any case. What a ticket was merged into has notes of
        its own in that property."""
        is_own = record.crm_id in ("", standing["id"])
        notes, rest = self._noted(record.notes, text_of(standing, self._fields["notes"])) if is_own else ({}, list(record.notes))
        is_newer, values = self._version(standing) < record.version, notes
        if is_newer:
            values = {**self._ours(record), **self._shared(record, standing), **notes}
        if values and self._update(standing["id"], values) is None:
            raise CrmConflictError("the ticket went away while it was being saved")
        self._activities.add(standing["id"], rest, look=not record.untold)
        stage = values.get(STAGE) or text_of(standing, STAGE)
        return self._saved(standing, False, self._status(stage), ALL if is_own and record.told is not None and not rest else "")

    def _shared(self, record: CaseRecord, standing: Record) -> dict[str, str]:
        """What people may set too moves only while it is what we set last. Without `before` that is what our own properties say."""
        if self._settings.is_closed(text_of(standing, STAGE)) and record.before.get("status", OPEN) != CLOSED:
            return {}  # a person closed it
        before = {"band": text_of(standing, self._fields["band"]), "queue": text_of(standing, self._fields["queue"]), **record.before}
        stands, values = text_of(standing, PRIORITY), {}
        if stands in ("", self._priority(before["band"])) and stands != self._priority(record.band):
            values[PRIORITY] = self._priority(record.band)
        owner, ours = text_of(standing, OWNER), self._settings.assignee(before.get("owner", ""), before["queue"])
        wanted = self._settings.assignee(record.owner, record.queue)
        if owner in ("", ours) and wanted not in ("", owner):
            values[OWNER] = wanted
        return values | self._moved(record, text_of(standing, STAGE))

    def _moved(self, record: CaseRecord, stage: str) -> dict[str, str]:
        """Closed where Caseline closed it, opened again only where Caseline had closed it."""
        stands, before = (CLOSED if self._settings.is_closed(stage) else OPEN), record.before.get("status", OPEN)
        if record.status == stands or record.status == before:
            return {}
        return {STAGE: self._settings.stages["closed" if record.status == CLOSED else "open"]}

    def _update(self, crm_id: str, values: dict[str, str]) -> Record | None:
        def update() -> Record | None:
            return self._api.update("tickets", crm_id, {name: values[name] for name in self._optional.of("tickets", values)})

        return self._optional.attempt(update, self._required())

    def _noted(self, notes: Sequence[Note], standing: str) -> tuple[dict[str, str], list[Note]]:
        """The notes' property as it should be, and the notes that have no room there."""
        if not self._property:
            return {}, list(notes)
        text, rest = append_notes(standing, notes)
        return ({self._property: text} if text != standing else {}), rest

    @property
    def _property(self) -> str:
        """That of the notes, "" where they are not to stand in one."""
        return next(iter(self._optional.of("tickets", [self._fields["notes"]])), "") if self._settings.notes == "field" else ""

    def _ours(self, record: CaseRecord) -> dict[str, str]:
        values = {
            "version": str(record.version), "score": str(record.score), "band": record.band, "headline": fit_text(record.headline, 255),
            "reasons": fit_text("\n".join(record.reasons), LONG), "category": fit_text(record.category, 255), "queue": fit_text(record.queue, 255),
            "link": fit_text(record.url, 2_000),
        }  # fmt: skip
        return {self._fields[name]: value for name, value in values.items() if self._fields[name]}

    def _associations(self, record: CaseRecord) -> list[dict[str, Any]]:
        ends = {"contact": record.contact_id, "company": record.account_id}
        return [associate(crm_id, self._settings.association_types[kind]) for kind, crm_id in ends.items() if crm_id.isascii() and crm_id.isdecimal()]

    def _priority(self, band: str) -> str:
        return self._settings.priority(band)

    def _version(self, standing: Record) -> float:
        text = text_of(standing, self._fields["version"])
        return float(text) if text.replace(".", "", 1).isdecimal() else -1

    def _required(self) -> list[str]:
        return [f"tickets.{self._fields['case_key']}"]

    def _status(self, stage: str) -> str:
        """An answer to an update may leave the stage out."""
        return (CLOSED if self._settings.is_closed(stage) else OPEN) if stage else ""

    def _saved(self, row: Record, created: bool, status: str, field: str = "") -> SavedCase:
        return SavedCase(row["id"], row["id"], str(row.get("url") or "") or self._link("tickets", row["id"]), created, status, field)

    def _standing_case(self, row: Record) -> StandingCase:
        status = self._status(text_of(row, STAGE)) or OPEN
        band, version = text_of(row, self._fields["band"]) or None, self._version(row)
        return StandingCase(row["id"], text_of(row, self._fields["case_key"]), status, band, int(version) if version >= 0 else None)


def _key(case_key: str) -> str:
    """As HubSpot can keep it; a key of ours is so already."""
    return fit_text(case_key, 255)


def _native(record: CaseRecord) -> dict[str, str]:
    """What stands in HubSpot's own properties; people may write it anew, so it is sent once."""
    return {"subject": fit_text(record.subject, 255) or record.case_key, "content": fit_text("\n".join([record.headline, *record.reasons, record.url]), LONG)}
