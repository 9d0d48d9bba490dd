"""OData text in which a customer's value can only ever be a value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote as url_quote

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WILD = str.maketrans({"%": "[%]", "_": "[_]", "[": "[[]"})


def quote(value: str) -> str:
    """A text in a filter or a key."""
    return "'" + value.replace("'", "''") + "'"


def literal(value: str) -> str:
    """A text in contains() and its like, where Dataverse reads wildcards."""
    return quote(value.translate(_WILD))


def digits_pattern(digits: str) -> str:
    """Ends in these digits, whatever blanks and signs stand between them."""
    return quote("%".join(re.sub("[^0-9]", "", digits)))


def any_of(conditions: Iterable[str]) -> str:
    return " or ".join(f"({condition})" for condition in conditions)


def url(path: str, **options: str) -> str:
    """A path with query options, `select` for $select; each is encoded whole."""
    query = "&".join(f"${name}={url_quote(value, safe='')}" for name, value in options.items() if value)
    return f"{path}?{query}" if query else path


def keyed(table: str, column: str, value: str) -> str:
    """The address of the record with that alternate key."""
    return f"/{table}({column}={url_quote(quote(value), safe='')})"


def is_guid(text: str) -> bool:
    return bool(_GUID.fullmatch(text))
