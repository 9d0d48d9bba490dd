"""Cloud for Customer: OData v2, results in `d`, several requests in one $batch, a case made with its notes in one deep insert.

An `or` may name one column only, so each column is a request of its own; a star in a compared text is a wildcard, so what is found is compared again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Note
from caseline.crm._batch import BOUNDARY, Item, Part, read_batch, write_batch
from caseline.crm._http import Answer
from caseline.crm._marks import MARK, marked
from caseline.crm.sap._errors import error_of
from caseline.crm.sap._product import FINE, REMEMBERED, Edit, OData, Page, Query, checked_rows, count_of, object_of, quote, time_of, url
from caseline.crm.sap._rows import Row, read, text_of
from caseline.crm.sap._session import Session
from caseline.crm.sap._shape import Settings
from caseline.errors import CrmUnavailableError
from caseline.signals import isoformat

ANY = "*"
TYPES = {"case": "ServiceRequest", "contact": "Contact", "account": "CorporateAccount", "lead": "Lead"}
_OBJECT_ID, _NUMBER = re.compile(r"[0-9A-F]{32}\Z"), re.compile(r"[A-Za-z0-9_-]{1,35}\Z")
_ENTITY = re.compile(r'<EntityType\s+Name="(\w+)"(.*?)</EntityType>', re.DOTALL)
_PROPERTY = re.compile(r'<Property\s[^>]*?\bName="(\w+)"')


class C4c(OData):
    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(session, settings)
        self._etags: dict[str, str] = {}  # by case, as the last answer gave it

    # ---- the language

    def contains(self, column: str, value: str) -> str:
        return self.equals(column, f"*{value}*")

    def since(self, column: str, moment: datetime) -> str:
        return f"{column} ge datetimeoffset'{moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}'"

    def alternatives(self, conditions: Sequence[tuple[str, str]]) -> list[str]:
        columns = dict.fromkeys(column for column, _ in conditions)
        return [" or ".join(condition for column, condition in conditions if column == each) for each in columns]

    def encode(self, value: Any) -> Any:
        """Numbers are texts, times are milliseconds."""
        if isinstance(value, datetime):
            return f"/Date({int(value.timestamp() * 1000)})/"
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    def is_id(self, entity: str, record_id: str) -> bool:
        return bool((_OBJECT_ID if entity == "case" else _NUMBER).match(record_id))

    # ---- reading

    def read_many(self, queries: Sequence[Query]) -> list[Page]:
        """One call: a $batch where there are several."""
        answers = self._get_all([_url(query) for query in queries])
        return [self._page(answer, query) for answer, query in zip(answers, queries, strict=True)]

    def _get_all(self, paths: Sequence[str]) -> list[Answer]:
        if len(paths) == 1:
            return [self.session.call("GET", paths[0])]
        return [answers[0] for answers in self._batch([Part("GET", path[1:]) for path in paths])] if paths else []

    def _page(self, answer: Answer, query: Query) -> Page:
        body = object_of(self._checked(answer, query.entity, query.columns), "d")
        return Page(checked_rows(body.get("results")), count_of(body.get("__count")))

    def find_cases(self, crm_id: str, case_key: str) -> list[Row]:
        expand, query = {"expand": self.settings.case_columns["notes"], "format": "json"}, self.key_query(case_key)
        by_id = [url(self._address(crm_id), expand)] if self.is_id("case", crm_id) else []
        by_key = [_url(query, self.settings.case_columns["notes"])] if case_key else []
        answers = self._get_all([*by_id, *by_key])
        one = [_one(self._checked(answers[0]))] if by_id and answers[0].status != 404 else []
        return [self._remember(row) for row in (*one, *(self._page(answers[-1], query).rows if by_key else ()))]

    def _remember(self, row: Row) -> Row:
        if len(self._etags) >= REMEMBERED:
            self._etags.clear()
        self._etags[text_of(row, self.settings.case_columns["id"])] = text_of(row, "__metadata.etag") or ANY
        return row

    def notes_of(self, row: Row) -> str:
        column = self.settings.note_columns["text"]
        return "\n".join(text_of(note, column) for note in _expanded(row, self.settings))

    # ---- writing

    def create(self, entity: str, values: Mapping[str, Any]) -> Row:
        return _one(self.call("POST", self.settings.paths[entity], entity, values, body=dict(values)))

    def create_case(self, values: Mapping[str, Any], notes: Sequence[Note]) -> Row:
        texts = {self.settings.case_columns["notes"]: [self._text(note) for note in notes]} if notes else {}
        return self._remember(self.create("case", {**values, **texts}))

    def update_case(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Row | None:
        """One call: case and notes together or not at all, and what stands afterwards."""
        if not self.is_id("case", crm_id):
            return None
        place, columns = self._address(crm_id)[1:], self.settings.note_columns
        patch = [Part("PATCH", place, dict(values), {"If-Match": self._etags.pop(crm_id, ANY)})] if values else []
        texts = [Part("POST", self.settings.paths["note"][1:], {columns["case"]: crm_id, **self._text(note)}) for note in notes]
        written, [shown] = self._batch([[*patch, *texts], Part("GET", f"{place}?$format=json")])
        if any(answer.status == 404 for answer in (*written, shown)):
            return None
        for answer in written:
            self._checked(answer, "case", values)
        return self._remember(_one(self._checked(shown)))

    def erase_notes(self, crm_id: str) -> None:
        columns, path = self.settings.note_columns, self.settings.paths["note"]
        for row in self.find_cases(crm_id, ""):
            for note in _expanded(row, self.settings):
                if MARK in text_of(note, columns["text"]):
                    self.call("DELETE", f"{path}({quote(text_of(note, columns['id']))})", fine=(*FINE, 404), headers={"If-Match": ANY})

    def remembers(self, crm_id: str) -> bool:
        return self._etags.get(crm_id, ANY) != ANY

    def update_records(self, edits: Sequence[Edit]) -> None:
        """Two calls: people know a contact by its number, a change needs its object id."""
        known = [edit for edit in edits if self.is_id(edit.entity, edit.record_id)]
        pages = self.read_many([Query(self.settings.paths[edit.entity], self._numbered(edit), top=1) for edit in known])
        parts = [self._edit(edit, page.rows[0]) for edit, page in zip(known, pages, strict=True) if page.rows]
        for answers, (edit, _) in zip(self._batch([[part] for _, part in parts]) if parts else (), parts, strict=True):
            self._checked(answers[0], edit.entity, edit.values)

    def _edit(self, edit: Edit, row: Row) -> tuple[Edit, Part]:
        return edit, Part("PATCH", f"{self.settings.paths[edit.entity]}('{text_of(row, 'ObjectID')}')"[1:], dict(edit.values), {"If-Match": ANY})

    def _numbered(self, edit: Edit) -> str:
        columns = {"contact": self.settings.contact_columns, "account": self.settings.account_columns}[edit.entity]
        return self.equals(columns["id"], edit.record_id)

    def _text(self, note: Note) -> dict[str, str]:
        columns, types = self.settings.note_columns, self.settings.note_types
        return {columns["type"]: types["public" if note.public else "internal"], columns["text"]: marked(note)}

    # ---- what people wrote

    def read_comments(self, since: datetime, cases: Sequence[Row]) -> list[Row]:
        """Of all cases; which of them are ours is asked where there is something to tell."""
        columns, path = self.settings.note_columns, self.settings.paths["note"]
        order = f"{columns['changed_at']},{columns['id']}"
        notes: list[Row] = []
        while len(page := self.read_many([Query(path, self.since(columns["changed_at"], since), order, self.settings.page, len(notes))])[0].rows):
            notes += page
            if len(page) < self.settings.page:
                break
        kinds = set(self.settings.note_types.values())
        foreign = [note for note in notes if text_of(note, columns["type"]) in kinds and MARK not in text_of(note, columns["text"])]
        keys = self._keys_of(list(dict.fromkeys(text_of(note, columns["case"]) for note in foreign)))
        return [self._comment(note, keys[case_id]) for note in foreign if keys.get(case_id := text_of(note, columns["case"]))]

    def _keys_of(self, ids: Sequence[str]) -> dict[str, str]:
        columns, size = self.settings.case_columns, 40
        chunks = [" or ".join(self.equals(columns["id"], case_id) for case_id in ids[at : at + size]) for at in range(0, len(ids), size)]
        pages = self.read_many([Query(self.settings.paths["case"], chunk, top=size) for chunk in chunks])
        return {text_of(row, columns["id"]): text_of(row, self.settings.case_fields["case_key"]) for page in pages for row in page.rows}

    def _comment(self, note: Row, case_key: str) -> dict[str, Any]:
        columns = self.settings.note_columns
        return {
            "id": text_of(note, columns["id"]), "at": isoformat(time_of(note, columns["changed_at"])), "by": text_of(note, columns["changed_by"]),
            "text": text_of(note, columns["text"]), "public": text_of(note, columns["type"]) == self.settings.note_types["public"],
            "case_id": text_of(note, columns["case"]), "case_key": case_key,
        }  # fmt: skip

    # ---- what is there

    def missing_columns(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
        """By the service's own description."""
        described = self.call("GET", "/$metadata", headers={"Accept": "application/xml"}).content.decode("utf-8", "replace")
        known = {name: set(_PROPERTY.findall(inner)) for name, inner in _ENTITY.findall(described)}
        if not described.rstrip().endswith("Edmx>") or not {TYPES[entity] for entity in wanted} <= known.keys():
            raise CrmUnavailableError("SAP described its service in part")
        return {entity: set(columns) - known[TYPES[entity]] for entity, columns in wanted.items()}

    # ---- calls

    def _address(self, crm_id: str) -> str:
        return f"{self.settings.paths['case']}({quote(crm_id)})"

    def _batch(self, items: Sequence[Item]) -> list[list[Answer]]:
        headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}", "Accept": "multipart/mixed"}
        answers = read_batch(self.call("POST", "/$batch", fine=(200, 202), headers=headers, form=write_batch(items, "")))
        if len(answers) != len(items):
            raise CrmUnavailableError("SAP answered a batch in part")
        return answers

    def _checked(self, answer: Answer, entity: str = "", columns: Any = ()) -> Answer:
        if answer.status not in FINE:
            raise error_of(answer, entity, columns)
        return answer


def _expanded(row: Row, settings: Settings) -> list[Row]:
    expanded = read(row, settings.case_columns["notes"])
    notes = expanded.get("results") if isinstance(expanded, dict) else expanded
    return [note for note in notes if isinstance(note, dict)] if isinstance(notes, list) else []


def _one(answer: Answer) -> Row:
    """Cloud for Customer wraps a single record like a list of them; OData v2 itself does not."""
    body = object_of(answer, "d")
    return object_of(answer, "d", "results") if "results" in body else body


def _url(query: Query, expand: str = "") -> str:
    count = "allpages" if query.counted else ""
    options = {"format": "json", "filter": query.condition, "orderby": query.order, "top": query.top, "skip": query.skip, "inlinecount": count}
    return url(query.path, {**options, "expand": expand})
