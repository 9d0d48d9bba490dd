"""ServiceNow's errors as Caseline's classes. Its messages quote values, so they are read and not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._keeping import DuplicateError
from caseline.errors import CrmError, CrmForbiddenError, CrmRejectedError, CrmUnavailableError

_UNIQUE = re.compile(r"unique key violation|duplicate (entry|key)", re.IGNORECASE)
_REFUSED = re.compile(r"data policy|business rule|mandatory|invalid (update|insert)", re.IGNORECASE)
_TABLE = re.compile(r"invalid table", re.IGNORECASE)


class NoTableError(CrmRejectedError):
    """The instance has no such table: a plugin is not active."""


def error_of(answer: Answer, table: str = "") -> CrmError:
    said = _said(answer)
    if _UNIQUE.search(said):
        return DuplicateError(f"ServiceNow answered {answer.status}: there is a record with that value")
    if answer.status == 403 and _REFUSED.search(said):
        return CrmRejectedError(f"ServiceNow answered 403: a data policy or business rule of {table or 'the table'} refuses it")
    if answer.status == 403:
        return CrmForbiddenError(f"ServiceNow answered 403: the integration user lacks a role for {table or 'this'}")
    if answer.status == 400 and _TABLE.search(said):
        return NoTableError(f"ServiceNow has no table {table}; activate its plugin, or set the table to \"\" in crm", table)
    return make_error(type(answer.error()), f"ServiceNow answered {answer.status}", table, answer.retry_after)


def is_not_found(answer: Answer) -> bool:
    """Whether ServiceNow itself says that there is no such record: an answer of something between us and it is no proof."""
    return answer.status == 404 and "no record found" in _said(answer).casefold()


def _said(answer: Answer) -> str:
    """An outage answers with a page of HTML: then the status alone counts."""
    try:
        body: Any = answer.json()
    except CrmUnavailableError:
        return ""
    error = body.get("error") if isinstance(body, Mapping) else None
    return f"{error.get('message')} {error.get('detail')}" if isinstance(error, Mapping) else str(error or "")
