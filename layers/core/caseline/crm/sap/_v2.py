"""Sales and Service Cloud V2: JSON over REST, records wrapped in `value`, one call for each thing. It has no batch for cases and no upsert.

A case and its notes are two services: a note is made first and then linked, several as one. A note that was made and never linked is at no case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape
from typing import Any

from caseline.crm import Note
from caseline.crm._http import Answer
from caseline.crm._marks import MARK, marked, pack_texts
from caseline.crm._optional import MissingFieldError
from caseline.crm.sap._product import FINE, REMEMBERED, Edit, OData, Page, Query, checked_rows, count_of, object_of, quote, time_of, to_body, url
from caseline.crm.sap._rows import Row, read, text_of, write
from caseline.crm.sap._session import Session
from caseline.crm.sap._shape import Settings
from caseline.errors import CrmNotFoundError
from caseline.markup import strip_tags
from caseline.signals import isoformat

MERGE = {"Content-Type": "application/merge-patch+json"}
ANY = "*"
CHUNK = 40  # ids in a filter
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


@dataclass(frozen=True)
class Standing:
    etag: str
    notes: list[Any]


NOBODY = Standing(ANY, [])


class V2(OData):
    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(session, settings)
        self._standing: dict[str, Standing] = {}  # by case, as the last answer gave it

    # ---- the language

    def name(self, column: str) -> str:
        """Extension fields are named with a slash, SAP's own with a dot."""
        return column.replace("extensions.", "extensions/", 1)

    def contains(self, column: str, value: str) -> str:
        return f"contains({self.name(column)},{quote(value)})"

    def since(self, column: str, moment: datetime) -> str:
        return f"{self.name(column)} ge {_time(moment)}"

    def alternatives(self, conditions: Sequence[tuple[str, str]]) -> list[str]:
        return [" or ".join(condition for _, condition in conditions)] if conditions else []

    def encode(self, value: Any) -> Any:
        return isoformat(value) if isinstance(value, datetime) else value

    def is_id(self, entity: str, record_id: str) -> bool:
        return bool(_UUID.match(record_id))

    # ---- reading

    def read_many(self, queries: Sequence[Query]) -> list[Page]:
        return [self._page(query) for query in queries]

    def _page(self, query: Query) -> Page:
        options = {"filter": query.condition, "orderby": query.order, "top": query.top, "skip": query.skip, "count": "true" if query.counted else ""}
        body = object_of(self.call("GET", url(query.path, options), query.entity, query.columns))
        return Page(checked_rows(body.get("value")), count_of(body.get("count")))

    def find_cases(self, crm_id: str, case_key: str) -> list[Row]:
        found = self._get(crm_id) if self.is_id("case", crm_id) else None
        return [found] if found else self._page(self.key_query(case_key)).rows if case_key else []

    def _get(self, crm_id: str) -> Row | None:
        try:
            return self._remember(self.call("GET", f"{self.settings.paths['case']}/{crm_id}"))
        except CrmNotFoundError:
            return None

    def _remember(self, answer: Answer) -> Row:
        row = object_of(answer, "value")
        notes = read(row, self.settings.case_columns["notes"])
        if len(self._standing) >= REMEMBERED:
            self._standing.clear()
        self._standing[text_of(row, self.settings.case_columns["id"])] = Standing(answer.headers.get("ETag") or ANY, notes if isinstance(notes, list) else [])
        return row

    def notes_of(self, row: Row) -> str:
        notes = read(row, self.settings.case_columns["notes"])
        return "\n".join(unescape(text_of(note, "content")) for note in notes if isinstance(note, dict)) if isinstance(notes, list) else ""

    # ---- writing

    def create(self, entity: str, values: Mapping[str, Any]) -> Row:
        return object_of(self._post(entity, values), "value")

    def create_case(self, values: Mapping[str, Any], notes: Sequence[Note]) -> Row:
        linked = {self.settings.case_columns["notes"]: self._add_notes(notes)} if notes else {}
        return self._remember(self._post("case", {**values, **linked}))

    def update_case(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Row | None:
        """Notes are sent as the whole list of what is linked, so it has to be known."""
        if not self.is_id("case", crm_id) or (notes and crm_id not in self._standing and self._get(crm_id) is None):
            return None
        standing = self._standing.pop(crm_id, NOBODY)
        both = {self.settings.case_columns["notes"]: [*standing.notes, *self._add_notes(notes)]} if notes else {}
        answer = self._patch("case", crm_id, {**values, **both}, standing.etag, fine=(*FINE, 404))
        if answer.status == 404:
            return None
        return self._remember(answer) if answer.content else self._get(crm_id)

    def erase_notes(self, crm_id: str) -> None:
        """Blanked, then unlinked, then deleted: whoever dies in between leaves no words, and finds what is linked yet."""
        row, column = self._get(crm_id), self.settings.case_columns["notes"]
        linked = read(row, column) if row else None
        ours = [note for note in linked or () if isinstance(note, dict) and not _is_foreign(note)]
        for note in ours:
            self._patch("note", text_of(note, "noteId"), {self.settings.note_columns["text"]: f"<p>{MARK}erased]</p>"}, ANY, fine=(*FINE, 404))
        if ours:
            self._patch("case", crm_id, {column: [note for note in linked or () if note not in ours]}, self._standing.pop(crm_id, NOBODY).etag)
        for note in ours:
            self.call("DELETE", f"{self.settings.paths['note']}/{text_of(note, 'noteId')}", fine=(*FINE, 404), headers={"If-Match": ANY})

    def remembers(self, crm_id: str) -> bool:
        return self._standing.get(crm_id, NOBODY).etag != ANY

    def update_records(self, edits: Sequence[Edit]) -> None:
        for edit in edits:
            if self.is_id(edit.entity, edit.record_id):
                self._patch(edit.entity, edit.record_id, edit.values, ANY)

    def _post(self, entity: str, values: Mapping[str, Any]) -> Answer:
        return self.call("POST", self.settings.paths[entity], entity, values, body=write(values))

    def _patch(self, entity: str, record_id: str, values: Mapping[str, Any], etag: str, fine: Sequence[int] = FINE) -> Answer:
        path, body = f"{self.settings.paths[entity]}/{record_id}", to_body(write(values))
        return self.call("PATCH", path, entity, values, fine, headers={**MERGE, "If-Match": etag}, form=body)

    def _add_notes(self, notes: Sequence[Note]) -> list[dict[str, str]]:
        """As one, or as few as they fit into."""
        columns, pieces = self.settings.note_columns, (escape(marked(note), quote=False).replace("\n", "<br>") for note in notes)
        kind, texts = self.settings.note_types["internal"], pack_texts(pieces, self.settings.long_text - len("<p></p>"), "<br><br>")
        made = [self.create("note", {columns["text"]: f"<p>{text}</p>", columns["type"]: kind}) for text in texts]
        return [{"noteId": text_of(row, columns["id"])} for row in made]

    # ---- what people wrote

    def read_comments(self, since: datetime, cases: Sequence[Row]) -> list[Row]:
        """A case names its notes; their times and authors stand in another service."""
        cases_of = {text_of(note, "noteId"): case for case in cases for note in read(case, self.settings.case_columns["notes"]) or () if _is_foreign(note)}
        ids, columns = [note_id for note_id in cases_of if _UUID.match(note_id)], self.settings.note_columns
        chunks = [" or ".join(f"{columns['id']} eq {note_id}" for note_id in ids[at : at + CHUNK]) for at in range(0, len(ids), CHUNK)]
        notes = [note for chunk in chunks for note in self._page(Query(self.settings.paths["note"], chunk, top=CHUNK)).rows]
        rows = [self._comment(note, cases_of[text_of(note, columns["id"])]) for note in notes if text_of(note, columns["id"]) in cases_of]
        return [row for row in rows if row["at"] >= isoformat(since)]

    def _comment(self, note: Row, case: Row) -> dict[str, Any]:
        columns, fields = self.settings.note_columns, self.settings
        return {
            "id": text_of(note, columns["id"]), "at": isoformat(time_of(note, columns["changed_at"])), "by": text_of(note, columns["changed_by"]),
            "text": strip_tags(text_of(note, columns["text"])), "public": text_of(note, columns["type"]) == fields.note_types["public"],
            "case_id": text_of(case, fields.case_columns["id"]), "case_key": text_of(case, fields.case_fields["case_key"]),
        }  # fmt: skip

    # ---- what is there

    def missing_columns(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
        return {entity: self._missing(entity, columns) for entity, columns in wanted.items()}

    def _missing(self, entity: str, columns: Sequence[str]) -> set[str]:
        """V2 describes no extension fields; asked for one that it lacks it says so."""
        missing: set[str] = set()
        while left := [column for column in columns if column not in missing]:
            condition = " and ".join(f"{self.name(column)} ne null" for column in left)
            try:
                self._page(Query(self.settings.paths[entity], condition, top=1, entity=entity, columns=left))
            except MissingFieldError as error:
                missing.add(error.column)
            else:
                break
        return missing


def _is_foreign(note: Any) -> bool:
    return isinstance(note, dict) and MARK not in text_of(note, "content")


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
