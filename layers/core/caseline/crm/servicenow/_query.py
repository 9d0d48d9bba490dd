"""ServiceNow's encoded queries. A term ends at `^` and cannot be escaped, a value that begins with `javascript:` is run: such values find nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from caseline.crm._keyset import Position

_ID = re.compile(r"[0-9a-f]{32}\Z")
LONGEST = 255
NEVER = "sys_idISEMPTY"


def is_value(text: str) -> bool:
    """Whether the text can be no more than a value in a query."""
    return 0 < len(text) <= LONGEST and text.isprintable() and "^" not in text and "javascript:" not in text.casefold() and text == text.strip()


def is_id(text: str) -> bool:
    return bool(_ID.match(text))


def any_of(terms: Iterable[str]) -> str:
    return "^OR".join(terms)


def any_group(groups: Iterable[str]) -> str:
    """Groups of terms, of which all of one must match."""
    return "^NQ".join(groups)


def id_in(field: str, ids: Iterable[str]) -> str:
    found = [each for each in ids if is_id(each)]
    return f"{field}IN{','.join(found)}" if found else NEVER


def show_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def after(position: Position, at: str = "sys_updated_on") -> str:
    """What comes after a place in the order of time and id; `^OR` binds before `^`."""
    moment = show_time(position.at)
    further = f"^{at}>{moment}^ORsys_id>{position.row_id}" if is_id(position.row_id) else ""
    return f"{at}>={moment}{further}"


def in_order(at: str = "sys_updated_on") -> str:
    return f"^ORDERBY{at}^ORDERBYsys_id"
