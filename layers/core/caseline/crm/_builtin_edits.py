"""What people may set on a case of the built-in CRM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caseline.crm._schema import OUTCOMES
from caseline.errors import CrmRejectedError

Edit = str | None
STATUSES = ("open", "pending", "closed")
BANDS = ("P1", "P2", "P3", "P4")


def _one_of(*choices: str) -> Callable[[Any], str]:
    return lambda value: "" if value is None or value in choices else f"write one of {', '.join(choices)}"


def _short(limit: int) -> Callable[[Any], str]:
    return lambda value: "" if value is None or (isinstance(value, str) and len(value) <= limit) else f"write a text of at most {limit} characters"


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "status": _one_of(*STATUSES),
    "band": _one_of(*BANDS),
    "owner": _short(200),
    "queue": _short(100),
    "outcome": _one_of(*OUTCOMES),
    "note": _short(32_000),
}


def check_edits(fields: Mapping[str, Any]) -> dict[str, Edit]:
    """The fields that stand on the case (a note is a row of its own). CrmRejectedError names what is wrong."""
    for name, value in fields.items():
        if name not in _CHECKS:
            raise CrmRejectedError(f"cannot be set; write one of {', '.join(_CHECKS)}", name)
        if fault := _CHECKS[name](value):
            raise CrmRejectedError(fault, name)
    return {name: value for name, value in fields.items() if name != "note"}
