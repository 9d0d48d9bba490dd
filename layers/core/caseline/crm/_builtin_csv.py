"""The accounts file: a CSV with a row per contact, read row by row; what is wrong is said with its line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from caseline.crm import TIERS
from caseline.crm._text import fit_text
from caseline.identity import normalise_identity

if TYPE_CHECKING:
    from _csv import Reader

HEADER = (
    "account_id", "account_name", "tier", "deal_value", "currency", "renewal_date", "contract_status", "lifecycle_stage", "product_tier",
    "contact_id", "contact_name", "email", "phone", "handles",
)  # fmt: skip
_ID = re.compile(r"[^\s#\x00-\x1f]{1,200}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_WIDE = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True)
class CsvFault:
    """`line` and `column` count from 1; `column` 0 is the whole line. `message` says what to write."""

    line: int
    column: int
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.name}: {self.message}" if self.name else f"{self.line}: {self.message}"


@dataclass(frozen=True)
class ContactRow:
    """One good row: the cells, cleaned, and the contact's identities."""

    line: int
    cells: Mapping[str, str]
    identities: tuple[str, ...]


def read_rows(data: bytes) -> Iterator[ContactRow | CsvFault]:
    """Good rows and faults in the file's order. A fault of the encoding or the header ends the reading: nothing is guessed."""
    text = _decode(data)
    if isinstance(text, CsvFault):
        yield text
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [cell.strip() for cell in _first(reader)]
    if fault := _header_fault(header):
        yield fault
        return
    for line, cells in _lines(reader):
        if isinstance(cells, CsvFault):
            yield cells
        elif any(cell.strip() for cell in cells):
            yield from _read_row(line, header, cells)


def _decode(data: bytes) -> str | CsvFault:
    for mark, name in _WIDE:
        if data.startswith(mark):
            return CsvFault(1, 0, "", f"the file is {name}; save it as CSV UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return CsvFault(line, 0, "", f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as CSV UTF-8")


def _first(reader: Reader) -> list[str]:
    cells = next(_lines(reader), (1, []))[1]
    return cells if isinstance(cells, list) else []


def _lines(reader: Reader) -> Iterator[tuple[int, list[str] | CsvFault]]:
    """Each record with the line it starts on. A broken quote is a fault of its record; reading goes on after it."""
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, CsvFault(line, 0, "", f"the line is broken ({error}); put a cell with quotes or commas in double quotes and double the quotes in it")


def _header_fault(header: list[str]) -> CsvFault | None:
    if sorted(header) == sorted(HEADER):
        return None
    expected = ",".join(HEADER)
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        return CsvFault(1, 0, "", f"the cells are not separated by commas; save the file with commas and the header {expected}")
    missing = [name for name in HEADER if name not in header]
    if missing:
        return CsvFault(1, 0, "", f"the header lacks {', '.join(missing)}; write {expected}")
    column = next(place for place, name in enumerate(header, 1) if name not in HEADER or header.index(name) != place - 1)
    return CsvFault(1, column, fit_text(header[column - 1], 40), f"is unknown or there twice; write the header {expected}")


def _read_row(line: int, header: list[str], cells: list[str]) -> Iterator[ContactRow | CsvFault]:
    if len(cells) != len(header):
        yield CsvFault(line, 0, "", f"there are {len(cells)} cells for {len(header)} columns; put a cell that has a comma in double quotes")
        return
    raw = {name: fit_text(cell.strip(), 10_000) for name, cell in zip(header, cells, strict=True)}
    good: dict[str, str] = {}
    faults = []
    for column, name in enumerate(header, 1):
        try:
            good[name] = _CELLS[name](raw[name])
        except ValueError as error:
            faults.append(CsvFault(line, column, name, str(error)))
    if faults:
        yield from faults
    else:
        yield ContactRow(line, good, _identities(good))


def _identities(cells: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (cells["email"], cells["phone"], *cells["handles"].split(";")))))


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no id; write 1 to 200 characters without spaces and #")
    return _plain(text)


def _plain(text: str) -> str:
    """A spreadsheet that opens such a cell would run it; no name or stage starts like that."""
    if text.startswith("="):
        raise ValueError("starts with =, like a formula; write the plain text")
    return fit_text(text, 300)


def _tier(text: str) -> str:
    if text and text.casefold() not in TIERS:
        raise ValueError(f"{_shown(text)} is no tier; write one of {', '.join(TIERS)}")
    return text.casefold()


def _amount(text: str) -> str:
    try:
        value = Decimal(text or "0")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or value >= Decimal(10) ** 15:
        raise ValueError(f"{_shown(text)} is no amount; write digits with a point, such as 120000.00")
    return f"{value:f}" if text else ""


def _currency(text: str) -> str:
    if text and not _CURRENCY.fullmatch(text.upper()):
        raise ValueError(f"{_shown(text)} is no currency; write three letters, such as EUR")
    return text.upper()


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise ValueError(f"{_shown(text)} is no date; write YYYY-MM-DD, such as 2027-03-31") from None


def _identity(namespace: str, example: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        # Spreadsheets keep a leading + with an apostrophe.
        value = text.removeprefix("'")
        found = normalise_identity(f"{namespace}:{value}") if value else ""
        if found is None:
            raise ValueError(f"{_shown(text)} is no {namespace}; write it like {example}")
        return found

    return read


def _handles(text: str) -> str:
    found = {part.strip(): normalise_identity(part.strip()) for part in text.split(";") if part.strip()}
    for part, identity in found.items():
        if identity is None or ":" not in part:
            raise ValueError(f"{_shown(part)} is no handle; write namespace:id or namespace:@name with ; between, such as x:12345;x:@ann")
    return ";".join(filter(None, found.values()))


def _shown(text: str) -> str:
    return repr(fit_text(text, 40))


_CELLS: Mapping[str, Callable[[str], str]] = {
    "account_id": _id, "account_name": _plain, "tier": _tier, "deal_value": _amount, "currency": _currency, "renewal_date": _date,
    "contract_status": _plain, "lifecycle_stage": _plain, "product_tier": _plain, "contact_id": _id, "contact_name": _plain,
    "email": _identity("email", "ann@example.com"), "phone": _identity("phone", "+442079460000"), "handles": _handles,
}  # fmt: skip
