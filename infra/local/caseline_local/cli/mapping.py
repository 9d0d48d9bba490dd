"""A mapping: how a row of someone's file becomes the generic signal. A YAML file of the signal's own shape whose leaves say where each value comes from.

    id: tweet_id                         # a column
    url: "https://x.com/i/status/{tweet_id}"   # text with columns in it; nothing if one of them is blank
    kind: {value: mention}               # always this
    occurred_at: {column: created, format: "%Y-%m-%d %H:%M:%S %z"}   # or epoch, epoch_ms; ISO 8601 without
    direction: {column: from, map: {agent: outbound}, default: inbound}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from caseline.signals import isoformat, parse_time

TOP = (
    "id", "kind", "public", "occurred_at", "author", "to", "text", "language", "rating", "url", "thread_id", "parent_id", "direction", "engagement",
    "channel_label", "attributes",
)  # fmt: skip
RULE = {"column", "value", "format", "timezone", "map", "default", "split"}
_NEEDED = ("id", "occurred_at", "author")
_HOLE = re.compile(r"\{([^{}]+)\}")
_INTEGERS, _NUMBERS, _BOOLEANS = {"author.reach", "engagement"}, {"rating.value", "rating.low", "rating.high"}, {"public"}
_TRUE, _FALSE = {"true", "yes", "1", "y"}, {"false", "no", "0", "n"}
Row = Mapping[str, Any]


class MappingError(Exception):
    """A mapping that cannot be used, or a row that it cannot map; the text says which field and what to write."""


def check_mapping(mapping: Any) -> Mapping[str, Any]:
    """The mapping, if it is one. MappingError says what to write."""
    if not isinstance(mapping, dict):
        raise MappingError("write a mapping of the signal's fields to columns, such as `id: tweet_id`")
    for name in mapping:
        if name not in TOP:
            raise MappingError(f"{name}: no field of a signal; write one of {', '.join(TOP)}")
    for name in _NEEDED:
        if name not in mapping:
            raise MappingError(f"{name}: is needed; write where it comes from")
    if not {"text", "rating"} & mapping.keys():
        raise MappingError("text: is needed, or rating; write where it comes from")
    return mapping


def columns_of(mapping: Any) -> Iterator[str]:
    """The columns that a mapping reads."""
    if isinstance(mapping, str):
        yield from _HOLE.findall(mapping) or [mapping]
    elif isinstance(mapping, dict) and _is_rule(mapping):
        yield from columns_of(mapping.get("column", [])) if "column" in mapping else ()
    elif isinstance(mapping, dict | list):
        for member in mapping.values() if isinstance(mapping, dict) else mapping:
            yield from columns_of(member)


def map_row(mapping: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """The `data` of a generic signal, what is blank left out. MappingError where something needed is missing or cannot be read."""
    data: dict[str, Any] = _map(mapping, row, "")
    for path in ("id", "occurred_at", "author.id"):
        if _at(data, path) is None:
            raise MappingError(f"{path}: is blank")
    if not data.get("text") and (data.get("rating") or {}).get("value") is None:
        raise MappingError("text: is blank, and there is no rating")
    if (data.get("rating") or {}).get("value") is None:
        data.pop("rating", None)
    return data


def shift_times(data: dict[str, Any], offset: timedelta) -> dict[str, Any]:
    return {**data, "occurred_at": isoformat(parse_time(data["occurred_at"]) + offset)}


def _map(rule: Any, row: Row, path: str) -> Any:
    if isinstance(rule, str):
        return _convert(_read(rule, row), path, {})
    if isinstance(rule, list):
        return [value for member in rule if (value := _map(member, row, path)) is not None]
    if not isinstance(rule, dict):
        return rule
    if not _is_rule(rule):
        return {name: value for name, member in rule.items() if (value := _map(member, row, f"{path}.{name}" if path else str(name))) is not None}
    if "value" in rule:
        return rule["value"]
    found = _read(rule["column"], row)
    if "map" in rule and found is not None:
        found = {str(key): value for key, value in rule["map"].items()}.get(str(found), rule.get("default"))
    return rule.get("default") if found is None else _convert(found, path, rule)


def _is_rule(rule: Mapping[str, Any]) -> bool:
    """A rating, too, has a `value`: there it is one only beside keys of rules alone."""
    return ("column" in rule or "value" in rule) and rule.keys() <= RULE


def _read(rule: str, row: Row) -> Any:
    """A column's cell, or a text with cells in it; None where one is blank."""
    holes = _HOLE.findall(rule)
    cells = [_cell(row, name) for name in holes or [rule]]
    if any(cell is None for cell in cells):
        return None
    if not holes:
        return cells[0]
    filled = iter(cells)
    return _HOLE.sub(lambda _: str(next(filled)), rule)


def _cell(row: Row, name: str) -> Any:
    """A column, or a dotted path into a JSON object; blank is None."""
    value: Any = row.get(name)
    if name not in row:
        value = row
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return None if isinstance(value, str) and not value.strip() else value


def _convert(value: Any, path: str, rule: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    try:
        if "split" in rule:
            return [part.strip() for part in str(value).split(rule["split"]) if part.strip()]
        return _CONVERTERS.get(_kind(path), _as_text)(value, rule)
    except (ValueError, OverflowError, LookupError) as error:
        raise MappingError(f"{path}: {str(value)[:60]!r} cannot be read ({error})") from None


def _kind(path: str) -> str:
    if path == "occurred_at":
        return "time"
    for kind, paths in (("integer", _INTEGERS), ("number", _NUMBERS), ("boolean", _BOOLEANS)):
        if path in paths:
            return kind
    return "any" if path.startswith("attributes") else "text"


def _as_text(value: Any, rule: Mapping[str, Any]) -> Any:
    return value if isinstance(value, list) else str(value)


def _as_time(value: Any, rule: Mapping[str, Any]) -> str:
    """In UTC; a time without zone is of `timezone`, by default UTC."""
    form = str(rule.get("format") or "iso")
    if form in ("epoch", "epoch_ms"):
        return isoformat(datetime.fromtimestamp(float(value) / (1000 if form == "epoch_ms" else 1), UTC))
    moment = datetime.fromisoformat(_joined(str(value).strip())) if form == "iso" else datetime.strptime(str(value), form)
    return isoformat(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(str(rule.get("timezone") or "UTC"))))


def _joined(text: str) -> str:
    """Many write a blank before the offset."""
    return re.sub(r"\s+([+-]\d\d:?\d\d|Z)\Z", r"\1", text)


def _as_boolean(value: Any, rule: Mapping[str, Any]) -> bool:
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("write true or false")
    return word in _TRUE


def _at(data: Mapping[str, Any], path: str) -> Any:
    value: Any = data
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


_CONVERTERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "text": _as_text, "time": _as_time, "boolean": _as_boolean, "any": lambda value, rule: value,
    "integer": lambda value, rule: int(float(str(value).replace(",", ""))), "number": lambda value, rule: float(value),
}
