"""Salesforce's error codes as Caseline's error classes. Its messages quote field values, so they are not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._optional import MissingFieldError
from caseline.crm._text import fit_text
from caseline.errors import (
    CrmAuthError,
    CrmConflictError,
    CrmError,
    CrmForbiddenError,
    CrmNotFoundError,
    CrmRateLimitError,
    CrmRejectedError,
    CrmUnavailableError,
)

# Salesforce sends no Retry-After. The daily limit is a window of 24 hours that frees up slowly.
DAILY_WAIT, CONCURRENT_WAIT = 900.0, 10.0
HALTED = "PROCESSING_HALTED"  # a part of a composite call that was not done because of another
_CODES: Mapping[str, type[CrmError]] = {
    "INVALID_SESSION_ID": CrmAuthError,
    "INVALID_AUTH_HEADER": CrmAuthError,
    "API_DISABLED_FOR_ORG": CrmAuthError,
    "API_CURRENTLY_DISABLED": CrmAuthError,
    "INSUFFICIENT_ACCESS": CrmForbiddenError,
    "INSUFFICIENT_ACCESS_OR_READONLY": CrmForbiddenError,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": CrmForbiddenError,
    "REQUEST_LIMIT_EXCEEDED": CrmRateLimitError,
    "UNABLE_TO_LOCK_ROW": CrmConflictError,
    "DUPLICATE_VALUE": CrmConflictError,
    "NOT_FOUND": CrmNotFoundError,
    "ENTITY_IS_DELETED": CrmNotFoundError,
    "INVALID_CROSS_REFERENCE_KEY": CrmNotFoundError,
    "SERVER_UNAVAILABLE": CrmUnavailableError,
    "UNKNOWN_EXCEPTION": CrmUnavailableError,
    "QUERY_TIMEOUT": CrmUnavailableError,
}
_MISSING_COLUMN = re.compile(r"No such column '([\w.]+)' on (?:entity|sobject of type) '?(\w+)'?")
_MISSING_TYPE = re.compile(r"sObject type '(\w+)' is not supported")
_KEY_FIELD = re.compile(r"external ID field does not exist or is not accessible: ?(\w*)", re.IGNORECASE)


ADVICE = "by the permission set Caseline_Integration"


class RuleError(CrmRejectedError):
    """A validation rule of the org refused the record."""


def code_of(body: Any) -> str:
    first = _first(body)
    return str(first.get("errorCode") or first.get("statusCode") or "")


def error_of(answer: Answer) -> CrmError:
    return error_from(answer, answer.status, _body(answer))


def error_from(answer: Answer, status: int, body: Any) -> CrmError:
    """The error of an answer, or of one part (with its own status and body) of a composite answer."""
    first = _first(body)
    code, message = code_of(body), str(first.get("message", ""))
    part = Answer(answer.crm, status, answer.headers, b"", answer.retry_after)
    return _missing(code, message) or _coded(part, code, message, first) or part.error(_clean(code), _field(first))


def _missing(code: str, message: str) -> CrmError | None:
    if code == "INVALID_FIELD" and (found := _MISSING_COLUMN.search(message)):
        return MissingFieldError(found[2], found[1], ADVICE)
    if code == "INVALID_TYPE" and (found := _MISSING_TYPE.search(message)):
        return MissingFieldError(found[1], "", ADVICE)
    if code == "NOT_FOUND" and (found := _KEY_FIELD.search(message)):
        return CrmRejectedError("create it on Case as Text(255), External ID and Unique, and grant it to the integration user", found[1] or "external id field")
    return None


def _coded(answer: Answer, code: str, message: str, first: Mapping[str, Any]) -> CrmError | None:
    if code == "FIELD_CUSTOM_VALIDATION_EXCEPTION":
        return RuleError(f"a validation rule of the org refuses it: {fit_text(message, 200)}", _field(first))
    if code not in _CODES:
        return None
    wait, kind = answer.retry_after, _CODES[code]
    if wait is None and kind is CrmRateLimitError:
        wait = DAILY_WAIT if message.startswith("TotalRequests") else CONCURRENT_WAIT
    return make_error(kind, f"{answer.crm} answered {answer.status} {code}", retry_after=wait)


def _body(answer: Answer) -> Any:
    """An outage answers with a page of HTML: then the status alone counts."""
    try:
        return answer.json()
    except CrmUnavailableError:
        return []


def _first(body: Any) -> Mapping[str, Any]:
    first = body[0] if isinstance(body, list) and body else body
    return first if isinstance(first, Mapping) else {}


def _field(first: Mapping[str, Any]) -> str:
    fields = first.get("fields")
    return _clean(str(fields[0])) if isinstance(fields, list) and fields else ""


def _clean(code: str) -> str:
    return re.sub(r"[^\w.]", "", code)[:80]
