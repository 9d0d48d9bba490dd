"""Reading what strangers sent: strict JSON, and a reader that names the path of what is wrong."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from caseline.errors import PayloadError

MAX_DEPTH = 32
MAX_NODES = 200_000
MAX_FIELDS = 1000
MAX_DIGITS = 38  # DynamoDB keeps 38 significant digits
MAX_MAGNITUDE, MIN_MAGNITUDE = 1e125, 1e-130  # and numbers between these
FUTURE_TOLERANCE = timedelta(days=1)
_CONTAINERS = frozenset({dict, list})
_UNSAFE = re.compile("[\ud800-\udfff\x00]")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:\.([0-9]{1,9}))?(Z|z|[+-][0-9]{2}:?[0-9]{2})?\Z"
)
_EPOCH_END = 253_402_300_799


def read_json(body: bytes) -> Field:
    """The body as JSON: strict UTF-8, no NaN, no duplicate keys, at most 32 deep, numbers that every store can keep.

    Lone surrogates and NUL become U+FFFD, so that no later store refuses the text.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, **_STRICT)
    except UnicodeDecodeError as error:
        raise PayloadError("the body is not UTF-8") from error
    except RecursionError as error:
        raise PayloadError("the body is nested too deeply") from error
    except ValueError as error:
        raise PayloadError("the body is not JSON") from error
    if _may_be_unsafe(text):
        return Field(_Cleaner().clean(value, 0), "")
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value)
    return Field(value, "")


def read_event(event: object) -> Field:
    """An event that AWS has parsed already, by the same rules as a body."""
    try:
        return read_json(json.dumps(event).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError("the event is not JSON") from error


def _may_be_unsafe(text: str) -> bool:
    """Whether the text could hold too much or an escaped character that is none. Most do not, and need no walk."""
    return "\\u" in text or text.count(",") > MAX_NODES // 2


def _check_depth(value: Any) -> None:
    """Level by level through objects and lists alone, which is a tenth of a walk through all values."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_DEPTH):
        level = [member for each in level for member in (each.values() if type(each) is dict else each) if type(member) in _CONTAINERS]
        if not level:
            return
    raise PayloadError("the body is nested too deeply")


def read_form(body: bytes) -> list[tuple[str, str]]:
    """A form body's fields in order, blank ones kept: ASCII with percent-encoded UTF-8."""
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise PayloadError("the body is not a form") from error


def clean_text(text: str) -> str:
    """Text that every store takes."""
    return _UNSAFE.sub("\ufffd", text)


class _Cleaner:
    """Cleans texts, and counts nodes and depth on the way."""

    def __init__(self) -> None:
        self.nodes = 0

    def clean(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise PayloadError("the body has too many values")
        if isinstance(value, str):
            return clean_text(value)
        if not isinstance(value, dict | list):
            return value
        if depth >= MAX_DEPTH:
            raise PayloadError("the body is nested too deeply")
        if isinstance(value, dict):
            return {clean_text(name): self.clean(member, depth + 1) for name, member in value.items()}
        return [self.clean(member, depth + 1) for member in value]


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise PayloadError("an object has the same key twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise PayloadError(f"{name} is not JSON")


def _read_integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise PayloadError("a number has too many digits")
    return int(text)


def _read_float(text: str) -> float:
    value = float(text) if len(text) <= 2 * MAX_DIGITS else math.inf
    if not (value == 0 or MIN_MAGNITUDE <= abs(value) <= MAX_MAGNITUDE):
        raise PayloadError("a number is too large, too small or too long")
    return value


_STRICT: Any = {"object_pairs_hook": _read_object, "parse_constant": _refuse_constant, "parse_int": _read_integer, "parse_float": _read_float}


class Field:
    """A JSON value that knows its path. `x["a"]["b"].text()` raises PayloadError at `a.b` unless a text is there.

    The `..._or_none` readers take an absent or null value, and only that, as None.
    """

    __slots__ = ("_name", "_parent", "value")

    def __init__(self, value: Any, path: str | int, parent: Field | None = None) -> None:
        self.value, self._name, self._parent = value, path, parent

    @property
    def path(self) -> str:
        """Put together only when it is asked for: most fields are right."""
        above = self._parent.path if self._parent else ""
        return f"{above}[{self._name}]" if isinstance(self._name, int) else f"{above}.{self._name}" if above else self._name

    def above(self) -> Iterator[tuple[str | int, Any]]:
        """What this value stands in, up to the body: its name or place there, and the object or list."""
        field = self
        while field._parent is not None:
            yield field._name, field._parent.value
            field = field._parent

    def __getitem__(self, name: str) -> Field:
        value = self.value
        if not isinstance(value, dict):
            value = {} if value is None else self.refuse("must be an object")
        return Field(value.get(name), name, self)

    def __contains__(self, name: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(name) is not None

    def each(self) -> Iterator[Field]:
        """The items of a list; none for an absent one."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.refuse("must be a list")
        for index, item in enumerate(self.value):
            yield Field(item, index, self)

    def members(self) -> Iterator[tuple[str, Field]]:
        """The members of an object; none for an absent one."""
        for name in self.object() if self.value is not None else ():
            yield name, self[name]

    def refuse(self, message: str) -> NoReturn:
        raise PayloadError("is required" if self.value is None else message, self.path)

    def object(self) -> dict[str, Any]:
        return self.value if isinstance(self.value, dict) else self.refuse("must be an object")

    def text(self) -> str:
        return self.value if isinstance(self.value, str) else self.refuse("must be a text")

    def text_or_none(self) -> str | None:
        return None if self.value is None else self.text()

    def id(self, limit: int = 512) -> str:
        """An id as text, never empty; platforms also send whole numbers."""
        value = str(self.value) if isinstance(self.value, int) and not isinstance(self.value, bool) else self.text().strip()
        return value if 0 < len(value.encode()) <= limit else self.refuse(f"must have 1 to {limit} bytes")

    def id_or_none(self) -> str | None:
        """An absent, null or empty id is none."""
        return None if self.value is None or self.value == "" else self.id()

    def integer_or_none(self) -> int | None:
        if self.value is None:
            return None
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.refuse("must be a whole number")
        return int(self.value)

    def count_or_none(self) -> int | None:
        """A whole number of things: 0 or more."""
        value = self.integer_or_none()
        return self.refuse("must be 0 or more") if value is not None and value < 0 else value

    def number(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            self.refuse("must be a number")
        return float(self.value)

    def boolean_or_none(self) -> bool | None:
        return self.value if self.value is None or isinstance(self.value, bool) else self.refuse("must be true or false")

    def time(self) -> datetime:
        return read_time(self.text(), self.path)

    def time_or_none(self) -> datetime | None:
        return None if self.value is None else self.time()

    def epoch(self, unit: float = 1.0) -> datetime:
        """A time in epoch units of `unit` seconds (0.001 for milliseconds), as a number or as its digits."""
        value = self.value
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
            value = int(value)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value * unit <= _EPOCH_END:
            self.refuse("must be a time since 1970")
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=value * unit)

    def moment(self) -> datetime:
        """A time in whatever form: ISO 8601, or seconds or milliseconds since 1970; no second has 12 digits yet."""
        digits = str(self.value).partition(".")[0]
        if isinstance(self.value, str) and not digits.isdigit():
            return self.time()
        return self.epoch(0.001 if len(digits) > 11 else 1.0)


def read_time(text: str, path: str = "") -> datetime:
    """ISO 8601 date and time, UTC where no zone is given, nanoseconds cut to microseconds; not before 1970."""
    found = _TIME.match(text)
    if not found:
        raise PayloadError("must be an ISO 8601 time such as 2026-01-31T09:30:00Z", path)
    date, minutes, seconds, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{minutes}{seconds or ':00'}.{(fraction or '0')[:6]:0<6}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PayloadError("is not a time that exists", path) from error
    if moment.year < 1970:
        raise PayloadError("is before 1970", path)
    return moment


def settle_time(moment: datetime, received_at: datetime, path: str = "") -> datetime:
    """The time of an item: clamped to its receipt if it lies a little in the future, refused if more than a day."""
    if moment > received_at + FUTURE_TOLERANCE:
        raise PayloadError("is more than a day in the future", path)
    return min(moment, received_at)
