"""A sample made fresh: new ids, and times moved to now, wherever in a payload they stand."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote_plus

from caseline.signals import parse_time

_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_CREATED = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \+0000 \d{4}")
_CREATED_FORMAT = "%a %b %d %H:%M:%S +0000 %Y"
_MAILED = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
_STAMP = re.compile(r"(\d{10})\.(\d{6})")  # how Slack names a message
_SNOWFLAKE = re.compile(r"\d{17,20}")  # Discord's ids hold milliseconds above 22 other bits
_SNOWFLAKE_EPOCH = 1_420_070_400_000
_JOINTS = re.compile(r"[/:,()]")  # of ids that hold others
_FAR = timedelta(days=400)
_SHORT = 5  # characters


def freshen(sample: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The sample's request with times moved so that it was received now, and with new ids of what it brings."""
    request = {name: value for name, value in sample["request"].items() if name != "headers"}
    received = parse_time(sample["received_at"])
    renamed = {old: _shift_id(old, received, now - received) or _renew(old) for old in _native_ids(sample)}
    return {"headers": dict(sample["request"].get("headers") or {}), **_walk(request, lambda value: _freshen_value(value, received, now - received, renamed))}


def freshen_event(sample: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The sample's `event` and `objects`, moved to now under new ids."""
    received = parse_time(sample["received_at"])
    renamed = {old: _renew(old) for old in _native_ids(sample)}
    told = {"event": sample["event"], "objects": {name: [name, content] for name, content in sample.get("objects", {}).items()}}

    def change(value: Any) -> Any:
        """Keys of objects are URL-encoded in S3's own events."""
        if isinstance(value, str) and re.search("%[0-9A-F]{2}", value):
            return quote(str(_freshen_value(unquote_plus(value), received, now - received, renamed)), safe="/")
        return _freshen_value(value, received, now - received, renamed)

    moved = _walk(told, change)
    return {"event": moved["event"], "objects": dict(moved["objects"].values())}


def _native_ids(sample: Mapping[str, Any]) -> Iterator[str]:
    """The parts of the signals' ids: what the payload calls them. Beside a long part a short one need not change, and may be a mere word."""
    for signal in sample["expected"].get("signals", ()):
        parts = [part for part in _JOINTS.split(signal.get("native_id", "")) if part]
        yield from [part for part in parts if len(part) > _SHORT and any(map(str.isdigit, part))] or parts


def _renew(old: str) -> str:
    """An id of the same shape: letters and digits where there were some, its beginning kept; a short one gets longer."""
    old = old if len(old) > _SHORT else f"{old}000000"
    keep = max(len(old) - 10, 2)
    fresh = "".join(secrets.choice("123456789") if letter.isdigit() else secrets.choice("abcdef") if letter.isalpha() else letter for letter in old[keep:])
    return old[:keep] + fresh


def _walk(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {change(name) if name.isdigit() else name: _walk(member, change) for name, member in value.items()}
    return [_walk(member, change) for member in value] if isinstance(value, list) else change(value)


def _freshen_value(value: Any, received: datetime, shift: timedelta, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return _shift_epoch(value, received, shift) or int(renamed.get(str(value), value))
    if not isinstance(value, str):
        return value
    if value in renamed:
        return renamed[value]
    if (inner := _read_base64(value)) is not None:
        return base64.b64encode(json.dumps(_walk(inner, lambda each: _freshen_value(each, received, shift, renamed))).encode()).decode()
    if value.isdigit() and (moved := _shift_epoch(int(value), received, shift)):
        return str(moved)
    if _STAMP.fullmatch(value):
        return _STAMP.sub(lambda found: _shift_stamp(found, received, shift), value)
    value = _MAILED.sub(lambda found: format_datetime(parsedate_to_datetime(found[0]) + shift), value)
    return _CREATED.sub(lambda found: _shift_created(found[0], shift), _ISO.sub(lambda found: _shift_iso(found, shift), _rename(value, renamed)))


def _read_base64(text: str) -> dict[str, Any] | None:
    """The JSON object that some platforms wrap in base64."""
    try:
        inner = json.loads(base64.b64decode(text, validate=True)) if text.startswith("ey") else None
    except ValueError:
        return None
    return inner if isinstance(inner, dict) else None


def _rename(text: str, renamed: Mapping[str, str]) -> str:
    """Ids that stand inside longer ids and addresses."""
    for old, new in renamed.items():
        if len(old) > _SHORT:
            text = text.replace(old, new)
    return text


def _shift_epoch(number: int, received: datetime, shift: timedelta) -> int | None:
    """A number that is a time near the sample's own, in seconds or milliseconds, moved; else None."""
    for scale in (1, 1000):
        if abs(number / scale - received.timestamp()) < _FAR.total_seconds():
            return number + round(shift.total_seconds() * scale)
    return None


def _shift_id(text: str, received: datetime, shift: timedelta) -> str | None:
    """An id that tells its time, moved, with another end; None of any other."""
    if (stamp := _STAMP.fullmatch(text)) and (moved := _shift_epoch(int(stamp[1]), received, shift)):
        return f"{moved}.{secrets.randbelow(1_000_000):06d}"
    if _SNOWFLAKE.fullmatch(text) and (moved := _shift_epoch((int(text) >> 22) + _SNOWFLAKE_EPOCH, received, shift)):
        return str((moved - _SNOWFLAKE_EPOCH << 22) + secrets.randbelow(1 << 22))
    return None


def _shift_stamp(found: re.Match[str], received: datetime, shift: timedelta) -> str:
    return f"{_shift_epoch(int(found[1]), received, shift) or found[1]}.{found[2]}"


def _shift_iso(found: re.Match[str], shift: timedelta) -> str:
    moment = (parse_time(found[0]) + shift).astimezone(UTC)
    return moment.strftime(f"%Y-%m-%d{found[1]}%H:%M:%S") + (f".{moment.microsecond // 1000:03d}" if found[2] else "") + ("Z" if found[3] else "")


def _shift_created(text: str, shift: timedelta) -> str:
    return (datetime.strptime(text, _CREATED_FORMAT).replace(tzinfo=UTC) + shift).strftime(_CREATED_FORMAT)
