"""Moments in stories: `{time-2m}`, `{mail-2m}`, `{seconds-2m}`, `{millis-2m}`, `{date+30d}`, relative to a step, and offsets such as `1d2h`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOMENT = re.compile(r"\{(time|mail|date|seconds|millis)(?:([+-]\d+)([smhd]))?\}")
_OFFSET = re.compile(r"(\d+)([smhd])")


def read_offset(text: str) -> timedelta:
    """`90s`, `5m`, `1d2h`; ValueError for anything else."""
    parts = _OFFSET.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no offset: write 90s, 5m, 2h, 21d or 1d2h")
    return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())


def fill_moments(value: Any, now: datetime) -> Any:
    """The value with moments in their places; a number where nothing but seconds or milliseconds stands."""
    if isinstance(value, dict):
        return {name: fill_moments(member, now) for name, member in value.items()}
    if isinstance(value, list):
        return [fill_moments(member, now) for member in value]
    if not isinstance(value, str):
        return value
    filled = _MOMENT.sub(lambda found: _moment(now, *found.groups()), value)
    whole = _MOMENT.fullmatch(value)
    return int(filled) if whole and whole[1] in ("seconds", "millis") else filled


def _moment(now: datetime, kind: str, amount: str | None, unit: str | None) -> str:
    moment = now + timedelta(**{_UNITS[unit]: int(amount)}) if amount and unit else now
    forms = {"time": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "mail": format_datetime(moment), "date": moment.date().isoformat()}
    return forms.get(kind) or str(int(moment.timestamp() * (1000 if kind == "millis" else 1)))
