"""SOQL and SOSL text in which a customer's value can only ever be a value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote_plus

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b", "\0": ""})
_LIKE = str.maketrans({"%": "\\%", "_": "\\_"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,80}")
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def unreferenced(text: str) -> str:
    """What a customer writes is never a reference to another part of a composite call."""
    return text.replace("@{", "@ {")


def quote(value: str) -> str:
    return f"'{unreferenced(value.translate(_ESCAPES))}'"


def quote_list(values: Iterable[str]) -> str:
    return f"({', '.join(map(quote, values))})"


def quote_like(value: str) -> str:
    """A pattern for LIKE that finds the value anywhere in the field; `_` stands for any character."""
    return f"'%{value.translate(_ESCAPES).translate(_LIKE).replace('@{', '@_')}%'"


def quote_phone(digits: str) -> str:
    """A pattern for LIKE that finds a number which ends in these digits, however it is written."""
    return f"'%{'%'.join(re.sub(r'[^0-9]', '', digits))}'"


def quote_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def in_url(soql: str) -> str:
    """For a composite part's URL: our own references stay as they are."""
    return quote_plus(soql, safe="@{}[]", errors="replace")


def is_name(text: str) -> bool:
    """Whether it can be an object's or a field's API name."""
    return bool(_NAME.fullmatch(text))


def is_id(text: str, prefix: str = "") -> bool:
    return bool(_ID.fullmatch(text)) and text.startswith(prefix)


def phone_search(numbers: Iterable[str]) -> str:
    """SOSL over the phone index, which knows formatted numbers; only digits of the numbers go in."""
    terms = " OR ".join(dict.fromkeys(re.sub(r"[^0-9]", "", number) for number in numbers))
    return f"FIND {{{terms}}} IN PHONE FIELDS RETURNING Contact(Id LIMIT 50)"
