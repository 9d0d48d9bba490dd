"""SAP's errors as Caseline's error classes. Its messages quote values, so of them only the names of our own columns are passed on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmConflictError, CrmError, CrmUnavailableError

ADVICE = "as infra/crm/sap says"
_UNKNOWN = re.compile(r"unknown|invalid|unrecogni[sz]ed|not (?:\w+ )?(?:found|defined|exist|recogni[sz]ed|allowed)|does(?: not|n't) exist", re.IGNORECASE)
_LOCKED = re.compile(r"\block(?:ed)?\b", re.IGNORECASE)


class StaleError(CrmConflictError):
    """Somebody changed the record since the last answer that showed it: it has to be read."""


def error_of(answer: Answer, entity: str = "", columns: Iterable[str] = ()) -> CrmError:
    """`columns` are those that were sent or asked for: one that SAP does not know is named in what it answers."""
    texts = list(_texts(answer))
    if answer.status == 412:
        return StaleError(f"{answer.crm} answered 412: the record was changed since it was read")
    if answer.status in (400, 404, 422):
        for column in columns:
            if any(_names(text, column) for text in texts) and any(map(_UNKNOWN.search, texts)):
                return MissingFieldError(entity, column, ADVICE)
    if answer.status in (400, 409, 422, 423, 500) and any(map(_LOCKED.search, texts)):
        return make_error(CrmConflictError, f"{answer.crm} answered {answer.status}: the record is locked")
    return answer.error()


def _names(text: str, column: str) -> bool:
    return bool(re.search(rf"\b{re.escape(column.rpartition('.')[2])}\b", text))


def _texts(answer: Answer) -> Iterator[str]:
    """Messages and targets: of both products, with or without the wrapper `error`. An outage answers with a page of HTML: then the status alone counts."""
    try:
        body = answer.json()
    except CrmUnavailableError:
        return
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, dict):
        yield from _own(error)
        for detail in error["details"] if isinstance(error.get("details"), list) else []:
            yield from _own(detail) if isinstance(detail, dict) else ()


def _own(error: dict[str, Any]) -> Iterator[str]:
    message = error.get("message")
    for text in (message.get("value") if isinstance(message, dict) else message, error.get("target"), error.get("code")):
        if isinstance(text, str):
            yield text
