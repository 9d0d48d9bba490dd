"""SOQL and SOSL text in which a customer's value can only ever be a value."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b", "\0": ""})
_LIKE = str.maketrans({"%": "\\%", "_": "\\_"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,80}")


def quote(value: str) -> str:
    return f"'{value.translate(_ESCAPES)}'"


def quote_list(values: Iterable[str]) -> str:
    return f"({', '.join(map(quote, values))})"


def quote_like(value: str) -> str:
    """A pattern for LIKE that finds the value anywhere in the field."""
    return f"'%{value.translate(_ESCAPES).translate(_LIKE)}%'"


def is_name(text: str) -> bool:
    """Whether it can be an object's or a field's API name."""
    return bool(_NAME.fullmatch(text))


def phone_search(numbers: Iterable[str], fields: Iterable[str]) -> str:
    """SOSL over the phone index, which knows formatted numbers; only digits of the numbers go in."""
    terms = " OR ".join(dict.fromkeys(re.sub(r"[^0-9]", "", number) for number in numbers))
    return f"FIND {{{terms}}} IN PHONE FIELDS RETURNING Contact({', '.join(fields)} LIMIT 50)"
