"""Conditions of `q`, in which a customer's value can only ever be a value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from caseline.crm._keyset import Position

LONGEST = 1_000


def quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def equals(name: str, value: str) -> str:
    return f"{name} = {quote(value)}"


def contains(name: str, value: str) -> str:
    """Wildcards in the value find more than it: what is found is compared once more."""
    return f"{name} LIKE {quote(f'%{value}%')}"


def ends_with(name: str, value: str) -> str:
    return f"{name} LIKE {quote(f'%{value}')}"


def any_of(conditions: Iterable[str]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions)


def number_in(name: str, numbers: Iterable[str]) -> str:
    """By ids, which are numbers; whatever else is left out."""
    return any_of(f"{name} = {number}" for number in numbers if is_number(number))


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def is_value(text: str) -> bool:
    """Whether it can be looked for."""
    return 0 < len(text) <= LONGEST and text.isprintable()


def show_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"


def after(position: Position, key: str) -> str:
    """What comes after a place in the order of time and id."""
    moment = quote(show_time(position.at))
    if not is_number(position.row_id):
        return f"LastUpdateDate >= {moment}"
    return f"(LastUpdateDate > {moment}) OR (LastUpdateDate = {moment} AND {key} > {position.row_id})"
