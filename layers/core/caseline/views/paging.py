"""What a reader may ask for: limits, choices and opaque cursors. A wrong one is named, never guessed at."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection

from caseline.errors import QueryError

LIMIT, HIGHEST_LIMIT = 50, 200
_LONGEST = 900  # characters; a sort key has at most 1,024 bytes


def read_limit(text: str | None) -> int:
    """1 to 200; 50 where nothing is asked for."""
    if not text:
        return LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= HIGHEST_LIMIT):
        raise QueryError("limit", f"write a whole number from 1 to {HIGHEST_LIMIT}")
    return int(text)


def read_choice(field: str, text: str | None, choices: Collection[str], default: str) -> str:
    if not text:
        return default
    if text not in choices:
        raise QueryError(field, f"write one of {', '.join(choices)}")
    return text


def write_cursor(kind: str, position: str) -> str:
    """`kind` keeps the cursor of one list from being used in another."""
    return base64.urlsafe_b64encode(json.dumps([kind, position]).encode()).decode().rstrip("=")


def read_cursor(field: str, text: str | None, kind: str) -> str | None:
    """The position in a cursor made by `write_cursor`, None where there is none."""
    if not text:
        return None
    match _decode(text):
        case [str(made_for), str(position)] if made_for == kind and 0 < len(position) <= _LONGEST and position.isascii():
            return position
    raise QueryError(field, "this is not a cursor of this list; use the value of `next` as it was given")


def _decode(text: str) -> object:
    try:
        return json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
