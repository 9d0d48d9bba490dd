"""Records as SAP writes them: columns by name, a dot for each step into an object. Nothing heavy here: the door reads events with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


def read(row: Row, column: str) -> Any:
    """None where there is none."""
    value: Any = row
    for step in column.split(".") if column else [""]:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def text_of(row: Row, column: str) -> str:
    value = read(row, column)
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def write(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as one record."""
    body: dict[str, Any] = {}
    for column, value in values.items():
        *steps, last = column.split(".")
        place = body
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = value
    return body
