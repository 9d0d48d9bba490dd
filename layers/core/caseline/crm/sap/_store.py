"""What stands in SAP for a case of ours, and what is sent: the store that `_keeping` keeps cases right in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from caseline.crm import ALL, CLOSED, OPEN, CaseRecord, Note, StandingCase
from caseline.crm._keeping import Standing
from caseline.crm._marks import MARK, join_notes
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.sap._errors import StaleError
from caseline.crm.sap._product import REMEMBERED, Product, Query, quote
from caseline.crm.sap._rows import Row, text_of
from caseline.crm.sap._shape import NOTES, Settings

SUBJECT, TEXT, KEY = 250, 255, 64


class Store:
    def __init__(self, product: Product, settings: Settings, optional: OptionalFields, base_url: str) -> None:
        self._product, self._settings, self._optional, self._base_url = product, settings, optional, base_url
        self._columns, self._fields = settings.case_columns, settings.case_fields
        self._versions: dict[str, float] = {}  # by case, of ours, as the last answer to a write gave it

    # ---- as the keeper wants it

    def find(self, crm_id: str, case_key: str) -> Sequence[Standing]:
        found = self._optional.attempt(lambda: self._product.find_cases(crm_id, key_of(case_key)), self._required)
        standing = [self._standing(row) for row in found]
        return [each for each in standing if each.crm_id == crm_id or (case_key and each.case_key == key_of(case_key))]

    def create(self, record: CaseRecord) -> Standing:
        values = {**self._settings.new_case, **self._native(record), **self.ours(record), self._fields["case_key"]: key_of(record.case_key)}

        def create() -> tuple[Row, Sequence[Note]]:
            field, rest = self._in_field("", record.notes)
            return self._product.create_case(self._known(values | field), rest), rest

        row, rest = self._optional.attempt(create, self._required)
        return replace(self._written(row), field=ALL if self._field and not rest else "")

    def _in_field(self, written: str | None, notes: Sequence[Note]) -> tuple[dict[str, str], Sequence[Note]]:
        """In a field of ours where there is one that all fit into, so that they cost no call; and those that do not."""
        text = "\n\n".join(filter(None, [written, join_notes(notes)]))
        return ({self._field: text}, ()) if text and written is not None and self._field and len(text) <= self._settings.long_text else ({}, notes)

    def update(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        return self.write(crm_id, values, notes, None)

    def write(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note], written: str | None) -> Standing | None:
        """None also where our own fields alone were to be written and somebody changed the case meanwhile: then it is read."""

        def write() -> tuple[Row | None, Sequence[Note]]:
            field, rest = self._in_field(written, notes)
            return self._product.update_case(crm_id, self._known({**values, **field}), rest), rest

        try:
            row, rest = self._optional.attempt(write, self._required)
        except StaleError:
            if notes:
                raise
            return None
        return replace(self._written(row), field=ALL if self._field and written is not None and not rest else "") if row else None

    def erase(self, standing: Standing, subject: str) -> Sequence[str]:
        """Notes of ours stand in a field of ours, too, which may be missing."""
        self._product.erase_notes(standing.crm_id)
        values = {**({self._columns["subject"]: fit_text(subject, SUBJECT)} if subject else {}), self._field: ""}
        if sent := {column: value for column, value in values.items() if column}:
            self._product.update_case(standing.crm_id, sent, ())
        return ()

    def is_known(self, crm_id: str, version: int) -> bool:
        """Whether our last write left it at that version, and a write of ours would be refused if anybody changed it since."""
        return version > 0 and self._versions.get(crm_id) == version and self._product.remembers(crm_id)

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        values = {
            "version": record.version, "score": record.score, "band": record.band, "headline": fit_text(record.headline, TEXT),
            "reasons": fit_text("\n".join(record.reasons), self._settings.long_text), "category": fit_text(record.category, TEXT),
            "queue": fit_text(record.queue, 80), "link": fit_text(record.url, 2_000),
        }  # fmt: skip
        return {self._fields[name]: self._product.encode(value) for name, value in values.items() if self._fields[name]}

    def shared(self, band: str, queue: str, owner: str) -> dict[str, str]:
        settings, columns = self._settings, self._columns
        return {
            columns["priority"]: settings.priority(band), columns["team"]: settings.queues.get(queue, ""),
            columns["owner"]: settings.owners.get(owner, ""),
        }  # fmt: skip

    def state(self, is_closed: bool) -> dict[str, Any]:
        return {self._columns["status"]: self._settings.statuses[CLOSED if is_closed else OPEN]}

    def link(self, standing: Standing) -> str:
        return self._base_url + self._settings.case_link.format(id=standing.crm_id, number=standing.number)

    # ---- all of ours

    def page(self, after: str) -> tuple[list[StandingCase], str]:
        """By the key itself, so that no page is shifted by what is made or deleted meanwhile."""
        column, top = self._fields["case_key"], self._settings.page
        name = self._product.name(column)
        condition = f"{name} ge {quote(after)}" if after else self._settings.key_filter.format(key=name)
        query = Query(self._settings.paths["case"], condition, name, top, entity="case", columns=(column,))
        [page] = self._optional.attempt(lambda: self._product.read_many([query]), self._required)
        standing = [self._standing(row) for row in page.rows if text_of(row, column) not in ("", after)]
        last = text_of(page.rows[-1], column) if len(page.rows) == top else ""
        return [_listed(each) for each in standing], last if last != after else ""

    # ---- what is sent, and what stands

    @property
    def _required(self) -> list[str]:
        return [f"case.{self._fields['case_key']}"]

    @property
    def _field(self) -> str:
        """The field that our notes stand in, "" where there is none."""
        return next(iter(self._optional.of("case", [self._fields.get(NOTES, "")])), "")

    def _known(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {column: values[column] for column in self._optional.of("case", values)}

    def _native(self, record: CaseRecord) -> dict[str, Any]:
        account, contact = record.account_id or self._settings.default_account, record.contact_id
        values = {
            self._columns["subject"]: fit_text(" ".join(record.subject.split()), SUBJECT) or record.case_key,
            self._columns["status"]: self._settings.statuses[CLOSED if record.status == CLOSED else "new"],
            self._columns["account"]: account if self._product.is_id("account", account) else "",
            self._columns["contact"]: contact if self._product.is_id("contact", contact) else "",
            **self.shared(record.band, record.queue, record.owner),
        }
        return {column: value for column, value in values.items() if value}

    def _written(self, row: Row) -> Standing:
        standing = self._standing(row)
        if len(self._versions) >= REMEMBERED:
            self._versions.clear()
        self._versions[standing.crm_id] = standing.version
        return standing

    def _standing(self, row: Row) -> Standing:
        columns, fields = self._columns, self._fields
        shared = {columns[name]: text_of(row, columns[name]) for name in ("priority", "team", "owner")}
        written, others = text_of(row, self._field), self._product.notes_of(row)
        return Standing(
            text_of(row, columns["id"]), text_of(row, columns["number"]), text_of(row, fields["case_key"]),
            self._settings.shown_status(text_of(row, columns["status"])), _number(text_of(row, fields["version"])), text_of(row, fields["band"]),
            text_of(row, fields["queue"]), shared, "\n".join([written, others]),
            written=written if self._field else None, field=ALL if self._field and MARK not in others else "",
        )  # fmt: skip


def key_of(case_key: str) -> str:
    """As SAP can keep it; a key of ours is so already."""
    return fit_text(" ".join(case_key.split()), KEY)


def _listed(case: Standing) -> StandingCase:
    return StandingCase(case.crm_id, case.case_key, case.status, case.band or None, int(case.version) if case.version >= 0 else None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1
