"""Cases in ServiceNow by correlation id. Notes go with a save, as entries of its journals; their marks are read with the case."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import CLOSED, NOTES_STAND, CaseRecord, Note, StandingCase
from caseline.crm._keeping import Standing
from caseline.crm._marks import join_notes
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.servicenow._accounts import record_link
from caseline.crm.servicenow._api import Api, Row, list_part, row_of, rows_of, table_path
from caseline.crm.servicenow._errors import error_of, is_not_found
from caseline.crm.servicenow._query import any_of, is_id, is_value
from caseline.crm.servicenow._rows import INTERNAL, PUBLIC, case_columns, text_of
from caseline.crm.servicenow._settings import Settings
from caseline.errors import CrmRejectedError

FOUND, LISTED, KEY = 10, 200, 100
JOURNALS = "in ServiceNow: an admin deletes the case's rows with these words in sys_journal_field, sys_audit and sys_history_line"
# Between these ServiceNow shows a journal's text as HTML.
_CODE = re.compile(r"\[(/?)code\]", re.IGNORECASE)


class CaseStore:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields) -> None:
        self._api, self._settings, self._optional, self._table = api, settings, optional, settings.case_table

    def find(self, crm_id: str, case_key: str) -> Sequence[Standing]:
        """What matches is compared once more: ServiceNow leaves a term of a query out that it does not understand."""
        key = _key(case_key) if case_key else ""
        terms = [*([f"sys_id={crm_id}"] if is_id(crm_id) else []), *([f"{self._settings.case_key}={key}"] if key else [])]
        if not terms:
            return []
        query = f"{any_of(terms)}^ORDERBYsys_created_on"
        part = list_part(self._table, query, [*case_columns(self._settings), PUBLIC, INTERNAL], FOUND, display_value="all")
        rows = [self._standing(row) for row in rows_of(self._api.call(part.method, part.path, self._table))]
        return [each for each in rows if each.crm_id == crm_id or (key and each.case_key == key)]

    def create(self, record: CaseRecord) -> Standing:
        settings = self._settings
        state = self.state(is_closed=True) if record.status == CLOSED else {"state": settings.states["new"]}
        links = {"account": record.account_id, settings.contact_reference: record.contact_id}
        values = {
            settings.case_key: _key(record.case_key), "correlation_display": settings.display, "contact_type": settings.contact_type,
            "short_description": fit_text(" ".join(record.subject.split()), 160) or record.case_key,
            "description": fit_text("\n".join([record.headline, *record.reasons, record.url]), 4_000),
            **self.ours(record), **self.shared(record.band, record.queue, record.owner), **state, **_journals(record.notes),
            **{name: sys_id for name, sys_id in links.items() if name and is_id(sys_id)},
        }  # fmt: skip
        sent = {name: value for name, value in values.items() if value != ""}
        row = row_of(self._api.call("POST", self._path(), self._table, sent))
        return self._written(row, sent)

    def update(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        if not is_id(crm_id):
            return None
        sent = {**values, **_journals(notes)}
        answer = self._api.call("PATCH", self._path(crm_id), self._table, sent, fine=(200, 404))
        if answer.status == 200:
            return self._written(row_of(answer), sent)
        if not is_not_found(answer):
            raise error_of(answer, self._table)
        return None

    def erase(self, standing: Standing, subject: str) -> Sequence[str]:
        """Journals are for adding to alone."""
        if subject:
            self.update(standing.crm_id, {"short_description": fit_text(subject, 160), "description": fit_text(subject, 4_000)}, ())
        return [NOTES_STAND, JOURNALS]

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        values = {
            "version": str(record.version), "score": str(record.score), "band": record.band, "headline": fit_text(record.headline, 255),
            "reasons": fit_text("\n".join(record.reasons), 32_000), "category": fit_text(record.category, 255), "queue": fit_text(record.queue, 80),
            "link": fit_text(record.url, 1_024),
        }  # fmt: skip
        return {self._settings.case_fields[name]: value for name, value in values.items() if self._settings.case_fields[name]}

    def shared(self, band: str, queue: str, owner: str) -> dict[str, str]:
        settings = self._settings
        return {"priority": settings.priority(band), "assignment_group": settings.queues.get(queue, ""), "assigned_to": settings.owners.get(owner, "")}

    def state(self, is_closed: bool) -> dict[str, Any]:
        return {"state": self._settings.states["closed"], **self._settings.closing} if is_closed else {"state": self._settings.states["open"]}

    def link(self, standing: Standing) -> str:
        return record_link(self._api.base_url, self._table, standing.crm_id)

    def page(self, after: str) -> tuple[list[StandingCase], str]:
        """By id, so that no page is shifted by what is made meanwhile."""
        begin = f"^sys_id>{after}" if is_id(after) else ""
        query = f"correlation_display={self._settings.display}^{self._settings.case_key}ISNOTEMPTY{begin}^ORDERBYsys_id"
        part = list_part(self._table, query, [*case_columns(self._settings), "correlation_display"], LISTED)
        rows = rows_of(self._api.call(part.method, part.path, self._table))
        found = [_listed(self._standing(row)) for row in rows if text_of(row, self._settings.case_key)]
        return found, text_of(rows[-1], "sys_id") if len(rows) == LISTED else ""

    def _path(self, sys_id: str = "") -> str:
        return table_path(self._table, sys_id, fields=",".join(filter(None, [*case_columns(self._settings), *self._settings.case_fields.values()])))

    def _written(self, row: Row, sent: Mapping[str, Any]) -> Standing:
        """ServiceNow drops fields that it does not know without a word: they are missing from its answer."""
        for name in self._settings.case_fields.values():
            if name in sent and name not in row:
                self._optional.lacks(self._table, name)
        return self._standing(row)

    def _standing(self, row: Row) -> Standing:
        fields, version = self._settings.case_fields, text_of(row, self._settings.case_fields["version"])
        shared = {name: text_of(row, name) for name in ("priority", "assignment_group", "assigned_to")}
        notes = "\n".join(text_of(row, name, "display_value") for name in (PUBLIC, INTERNAL))
        return Standing(
            text_of(row, "sys_id"), text_of(row, "number"), text_of(row, self._settings.case_key),
            CLOSED if self._settings.status(text_of(row, "state")) == CLOSED else "open", float(version) if version.isdecimal() else -1,
            text_of(row, fields["band"]), text_of(row, fields["queue"]), shared, notes,
        )  # fmt: skip


def _key(case_key: str) -> str:
    """As it can be looked for; a key of ours always can."""
    key = fit_text(case_key, KEY)
    if not is_value(key):
        raise CrmRejectedError("ServiceNow: such a case key cannot be looked for", "case_key")
    return key


def _journals(notes: Sequence[Note]) -> dict[str, str]:
    """One entry each for what customers see and what they do not."""
    parts = {PUBLIC: [note for note in notes if note.public], INTERNAL: [note for note in notes if not note.public]}
    return {name: _CODE.sub(r"[\1code ]", join_notes(part)) for name, part in parts.items() if part}


def _listed(standing: Standing) -> StandingCase:
    version = int(standing.version) if standing.version >= 0 else None
    return StandingCase(standing.crm_id, standing.case_key, standing.status, standing.band or None, version)
