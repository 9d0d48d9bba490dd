"""What both products of SAP have in common: queries in OData, records, pages, and how a value can only ever be a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote as url_quote

from caseline.crm import Note
from caseline.crm._http import Answer
from caseline.crm._text import fit_text
from caseline.crm.sap._errors import error_of
from caseline.crm.sap._rows import Row, text_of
from caseline.crm.sap._session import Session
from caseline.crm.sap._shape import Settings
from caseline.errors import CrmUnavailableError, PayloadError
from caseline.payloads import read_time

LONGEST = 512  # of a text in a filter: no key, address or handle is longer
FINE = (200, 201, 204)
REMEMBERED = 200  # cases whose ETag is kept from the last answer
_MILLIS = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/\Z")


@dataclass(frozen=True)
class Query:
    """A page of a collection; `columns` are ours that the condition names, to tell which one is missing."""

    path: str
    condition: str = ""
    order: str = ""
    top: int = 100
    skip: int = 0
    counted: bool = False
    entity: str = ""
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """`count` is of all that match, where it was asked for."""

    rows: list[Row]
    count: int = 0


@dataclass(frozen=True)
class Edit:
    entity: str
    record_id: str
    values: Mapping[str, Any]


class Product(Protocol):
    """`settings` are those of the product. Rows are read with `_rows.read`."""

    settings: Settings

    def read_many(self, queries: Sequence[Query]) -> list[Page]: ...
    def find_cases(self, crm_id: str, case_key: str) -> list[Row]:
        """With their notes, that of the id first."""

    def create(self, entity: str, values: Mapping[str, Any]) -> Row: ...
    def create_case(self, values: Mapping[str, Any], notes: Sequence[Note]) -> Row: ...
    def update_case(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Row | None:
        """The case afterwards; None where there is none. StaleError where somebody changed it since the last answer that showed it."""

    def erase_notes(self, crm_id: str) -> None:
        """Those of ours."""

    def remembers(self, crm_id: str) -> bool:
        """Whether its ETag is known from the last answer."""

    def update_records(self, edits: Sequence[Edit]) -> None: ...
    def read_comments(self, since: datetime, cases: Sequence[Row]) -> list[Row]:
        """Of the cases, or of all: id, at, by, text, public and case_id."""

    def missing_columns(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
        """Those that SAP does not know, by entity."""

    def notes_of(self, row: Row) -> str: ...
    def alternatives(self, conditions: Sequence[tuple[str, str]]) -> list[str]:
        """Filters that together mean any of the conditions, each given with its column."""

    def contains(self, column: str, value: str) -> str: ...
    def equals(self, column: str, value: str) -> str: ...
    def since(self, column: str, moment: datetime) -> str: ...
    def name(self, column: str) -> str: ...
    def encode(self, value: Any) -> Any: ...
    def is_id(self, entity: str, record_id: str) -> bool: ...


class OData:
    """The base of both."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session, self.settings = session, settings

    def equals(self, column: str, value: str) -> str:
        return f"{self.name(column)} eq {quote(value)}"

    def name(self, column: str) -> str:
        return column

    def key_query(self, case_key: str) -> Query:
        column = self.settings.case_fields["case_key"]
        return Query(self.settings.paths["case"], self.equals(column, case_key), top=5, entity="case", columns=(column,))

    def call(self, method: str, path: str, entity: str = "", columns: Iterable[str] = (), fine: Iterable[int] = FINE, **request: Any) -> Answer:
        answer = self.session.call(method, path, **request)
        if answer.status not in fine:
            raise error_of(answer, entity, columns)
        return answer


def quote(value: str) -> str:
    return "'" + fit_text(value, LONGEST).replace("'", "''") + "'"


def url(path: str, options: Mapping[str, Any]) -> str:
    """Each option is encoded whole."""
    query = "&".join(f"${name}={url_quote(str(value), safe='')}" for name, value in options.items() if value not in ("", 0, False))
    return f"{path}?{query}" if query else path


def object_of(answer: Answer, *steps: str) -> dict[str, Any]:
    """What stands in the answer at the steps; CrmUnavailableError for another shape than SAP's."""
    value: Any = answer.json()
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise CrmUnavailableError("SAP answered another shape than its API has")
    return value


def checked_rows(rows: Any) -> list[Row]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CrmUnavailableError("SAP answered another shape than its API has")
    return rows


def count_of(value: Any) -> int:
    return int(value) if str(value).isdecimal() else 0


def time_of(row: Row, column: str) -> datetime:
    """ISO, or milliseconds as OData v2 writes them; CrmUnavailableError for a record without."""
    text = text_of(row, column)
    found = _MILLIS.match(text)
    try:
        return datetime.fromtimestamp(int(found[1]) / 1_000, UTC) if found else read_time(text).astimezone(UTC)
    except (PayloadError, ValueError, OverflowError):
        raise CrmUnavailableError(f"SAP gave a record without {column}") from None


def to_body(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False).encode()
