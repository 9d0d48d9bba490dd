"""Service requests by a key of ours. Notes are messages; which ones there are stands in a field of ours, written together with them or not at all:
a message's own text takes a call each to read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from caseline.crm import CLOSED, NOTES_STAND, OPEN, CaseRecord, Note, StandingCase
from caseline.crm._keeping import Keeper, Standing
from caseline.crm._marks import MARK, mark, marked
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.oracle._api import Api, Part, Row, item_path, list_path, row_of, rows_of
from caseline.crm.oracle._errors import FinalError, error_of, is_not_found
from caseline.crm.oracle._query import any_of, equals, is_number, is_value
from caseline.crm.oracle._rows import CASES, OWNER, QUEUE, SEVERITY, STATUS, case_columns, own_fields, text_of
from caseline.crm.oracle._settings import Settings
from caseline.errors import CrmNotFoundError, CrmRejectedError

FOUND, LISTED, KEY = 10, 200, 64
TEXT, REMEMBERED = 1_500, 130  # characters of a text field, notes that its marks stand for
CLOSED_FOR_GOOD = "in Oracle: the service request is closed for good and gives nothing back, so who administers it deletes it"
UPSERT = {"Upsert-Mode": "true"}


class CaseKeeper(Keeper):
    """Which notes a case has is known by their short marks."""

    def __init__(self, store: CaseStore) -> None:
        super().__init__(store)
        self._cases = store

    def _missing(self, notes: Sequence[Note], standing: Standing) -> list[Note]:
        written = standing.notes.split()
        return [note for note in notes if _short(note.note_id) not in written]

    def _tell(self, record: CaseRecord) -> Standing | None:
        return self._cases.tell(record) if record.notes else super()._tell(record)

    def _update(self, standing: Standing, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        return self._cases.write(standing, values, notes) if notes else self._cases.update(standing.crm_id, values, ())


class CaseStore:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields) -> None:
        self._api, self._settings, self._optional = api, settings, optional
        self._fields, self._own = settings.case_fields, own_fields(settings)
        self.required = [f"{CASES}.{self._fields['case_key']}"]

    def find(self, crm_id: str, case_key: str) -> Sequence[Standing]:
        key = _key(case_key) if case_key else ""
        conditions = [*([equals("SrNumber", crm_id)] if is_value(crm_id) else []), *([equals(self._fields["case_key"], key)] if key else [])]
        if not conditions:
            return []
        path = list_path(CASES, any_of(conditions), self._columns(), FOUND, "SrId:asc")
        found = [self._standing(row) for row in self._api.rows(path, self._own)]
        return [each for each in found if each.crm_id == crm_id or (key and each.case_key == key)]

    def create(self, record: CaseRecord) -> Standing:
        """With its messages as children; where the pod matches the key it updates the one that is there instead."""
        key, closed = _key(record.case_key), record.status == CLOSED
        parties = {"AccountPartyId": record.account_id, "PrimaryContactPartyId": record.contact_id}
        state = self.state(is_closed=True) if closed else {STATUS: self._settings.statuses["new"]}
        values = {
            "Title": fit_text(" ".join(record.subject.split()), 400) or key, "ChannelTypeCd": self._settings.channel,
            "ProblemDescription": fit_text("\n".join([record.headline, *record.reasons, record.url]), 1_000),
            **self.ours(record), **self.shared(record.band, record.queue, record.owner), **state, **self._noted(record.notes, ()),
            **{name: party for name, party in parties.items() if is_number(party)}, self._fields["case_key"]: key,
        }  # fmt: skip
        body = self._body(values)
        if record.notes:
            body["messages"] = [self._message(note) for note in record.notes]
        answer = self._api.call("POST", f"/{CASES}", body, self._own, headers=UPSERT)
        return self._standing(row_of(answer.json()), is_new=answer.status == 201)

    def update(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        """One call, without notes: those are written by `write`. A case that is closed for good stays as it is."""
        if not is_value(crm_id):
            return None
        try:
            return self._patch(crm_id, values)
        except FinalError:
            return next(iter(self.find(crm_id, "")), None)

    def erase(self, standing: Standing, subject: str) -> Sequence[str]:
        """Messages of ours are known by their own text, which takes a call each to read. One that is closed for good gives nothing back."""
        place = item_path(CASES, standing.crm_id)
        try:
            for message_id in self._messages(place):
                self._take_back(f"{place}/child/messages/{message_id}")
            if subject:
                self._patch(standing.crm_id, {"Title": fit_text(subject, 400), "ProblemDescription": fit_text(subject, 1_000)})
        except FinalError:
            return [NOTES_STAND, CLOSED_FOR_GOOD]
        return ()

    def _messages(self, place: str) -> list[str]:
        found: list[Row] = []
        while True:
            body = self._api.call("GET", f"{place}/child/messages?fields=MessageId&onlyData=true&limit={LISTED}&offset={len(found)}").json()
            found += rows_of(body)
            if not rows_of(body) or not body.get("hasMore"):
                return [text_of(row, "MessageId") for row in found]

    def _take_back(self, message: str) -> None:
        content = self._api.call("GET", f"{message}/enclosure/MessageContent", headers={"Accept": "*/*"}).content
        if MARK.encode() in content:
            self._api.call("DELETE", message, fine=(200, 204))

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        values = {
            "version": record.version, "score": record.score, "band": record.band, "headline": fit_text(record.headline, 255),
            "reasons": fit_text("\n".join(record.reasons), TEXT), "category": fit_text(record.category, 255), "queue": fit_text(record.queue, 80),
            "link": fit_text(record.url, TEXT),
        }  # fmt: skip
        return {self._fields[name]: value for name, value in values.items() if self._fields[name]}

    def shared(self, band: str, queue: str, owner: str) -> dict[str, str]:
        settings = self._settings
        return {SEVERITY: settings.priority(band), QUEUE: settings.queues.get(queue, ""), OWNER: settings.owners.get(owner, "")}

    def state(self, is_closed: bool) -> dict[str, Any]:
        statuses = self._settings.statuses
        return {STATUS: statuses["closed"], **self._settings.closing} if is_closed else {STATUS: statuses["open"]}

    def link(self, standing: Standing) -> str:
        return f"{self._api.base_url}/fscmUI/redwood/service/ec/container/sr/detail?srNumber={standing.number}"

    def page(self, after: str) -> tuple[list[StandingCase], str]:
        """By id, so that no page is shifted by what is made meanwhile."""
        condition = f"{self._fields['case_key']} IS NOT NULL" + (f" AND SrId > {after}" if is_number(after) else "")
        rows = self._api.rows(list_path(CASES, condition, self._columns(), LISTED, "SrId:asc"), self._own)
        return [_listed(self._standing(row)) for row in rows], text_of(rows[-1], "SrId") if len(rows) == LISTED else ""

    # Writing.

    def _patch(self, crm_id: str, values: Mapping[str, Any]) -> Standing | None:
        answer = self._api.call("PATCH", item_path(CASES, crm_id), self._body(values), self._own, fine=(200, 404))
        if answer.status == 200:
            return self._standing(row_of(answer.json()))
        if not is_not_found(answer):
            raise error_of(answer)
        return None

    def tell(self, record: CaseRecord) -> Standing | None:
        """The marks of these notes alone: older ones are told for good, and nobody sends them again."""
        unread = Standing(record.crm_id, record.crm_id, record.case_key, "")
        try:
            written = self.write(unread, self.ours(record), record.notes) if is_value(record.crm_id) else unread
        except CrmNotFoundError:
            return None
        return None if written is unread else written

    def write(self, standing: Standing, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing:
        """The case with its messages: all or none, so that its marks tell the truth. One that is closed for good takes none."""
        place, body = item_path(CASES, standing.crm_id), self._body({**values, **self._noted(notes, standing.notes.split())})
        parts = [Part("update", place, body)] if body else []
        try:
            answers = self._api.batch([*parts, *(Part("create", f"{place}/child/messages", self._message(note)) for note in notes)], self._own)
        except FinalError:
            return standing
        return self._standing(row_of(answers[0])) if parts else standing

    def _body(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Numbers as such; what is empty is left to Fusion."""
        known = {name: values[name] for name in self._optional.of(CASES, values)}
        return {name: int(value) if name in (QUEUE, OWNER) or name.endswith("PartyId") else value for name, value in known.items() if value != ""}

    def _noted(self, notes: Sequence[Note], standing: Sequence[str]) -> dict[str, str]:
        name = self._fields["notes"]
        return {name: " ".join([*standing, *(_short(note.note_id) for note in notes)][-REMEMBERED:])} if name and notes else {}

    def _message(self, note: Note) -> dict[str, str]:
        """Its content is a large object, which goes in base64; of some kinds it is HTML."""
        kind, text = self._settings.messages["public" if note.public else "internal"], marked(note)
        text = escape(text, quote=False).replace("\n", "<br>\n") if kind in self._settings.html_messages else text
        return {"MessageTypeCd": kind, "MessageContent": base64.b64encode(text.encode()).decode()}

    # Reading.

    def _columns(self) -> list[str]:
        return self._optional.of(CASES, case_columns(self._settings))

    def _standing(self, row: Row, is_new: bool = True) -> Standing:
        fields, version = self._fields, text_of(row, self._fields["version"])
        shared = {name: text_of(row, name) for name in (SEVERITY, QUEUE, OWNER)}
        number = text_of(row, "SrNumber")
        return Standing(
            number, number, text_of(row, fields["case_key"]), CLOSED if self._settings.status(text_of(row, STATUS)) == CLOSED else OPEN,
            float(version) if version.isdecimal() else -1, text_of(row, fields["band"]), text_of(row, fields["queue"]), shared,
            text_of(row, fields["notes"]), is_new,
        )  # fmt: skip


def _short(note_id: str) -> str:
    """A note's mark in the one field that has them all."""
    return hashlib.blake2s(mark(note_id).encode(), digest_size=5).hexdigest()


def _key(case_key: str) -> str:
    """As it can be looked for; a key of ours always can."""
    key = fit_text(case_key, KEY)
    if not is_value(key):
        raise CrmRejectedError("Oracle: such a case key cannot be looked for", "case_key")
    return key


def _listed(standing: Standing) -> StandingCase:
    version = int(standing.version) if standing.version >= 0 else None
    return StandingCase(standing.crm_id, standing.case_key, standing.status, standing.band or None, version)
