"""Dataverse's error codes as Caseline's error classes. Its messages quote values, so they are not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._optional import MissingFieldError
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

_CODES: Mapping[str, type[CrmError]] = {
    "0x80072321": CrmRateLimitError,  # execution time
    "0x80072322": CrmRateLimitError,  # number of requests
    "0x80072326": CrmRateLimitError,  # concurrent requests
    "0x80040217": CrmNotFoundError,
    "0x80060891": CrmNotFoundError,  # no record with that alternate key
    "0x80040220": CrmForbiddenError,  # a privilege is missing
    "0x80048306": CrmForbiddenError,
    "0x80072560": CrmAuthError,  # not a user of the organisation
    "0x80060882": CrmConflictError,  # changed since it was read
    "0x80040237": CrmConflictError,  # duplicate key
    "0x80071151": CrmConflictError,  # a lock is held
    "0x80044151": CrmUnavailableError,  # SQL timeout
}
DUPLICATE_RULE = "0x80040333"
_MISSING = (
    re.compile(r"Could not find a property named '(\w+)' on type '(?:Microsoft\.Dynamics\.CRM|mscrm)\.(\w+)'"),
    re.compile(r"property '(\w+)' does not exist on type '(?:Microsoft\.Dynamics\.CRM|mscrm)\.(\w+)'"),
    re.compile(r"Invalid property '(\w+)' was found in entity '(?:Microsoft\.Dynamics\.CRM|mscrm)\.(\w+)'"),
)
_NO_KEY = re.compile(r"key in the request URI is not valid for resource '(?:Microsoft\.Dynamics\.CRM|mscrm)\.(\w+)'")


class ExistsError(CrmConflictError):
    """There is a record with that key already."""


def error_of(answer: Answer) -> CrmError:
    error = _error(answer)
    code, message = str(error.get("code") or "").lower(), str(error.get("message") or "")
    return _missing(message) or _coded(answer, code) or answer.error(re.sub(r"\W", "", code)[:20])


def _coded(answer: Answer, code: str) -> CrmError | None:
    if code == DUPLICATE_RULE:
        return CrmRejectedError("a duplicate detection rule of the organisation refuses it")
    if code not in _CODES:
        return None
    return make_error(_CODES[code], f"{answer.crm} answered {answer.status} {code}", retry_after=answer.retry_after)


def _missing(message: str) -> CrmError | None:
    for pattern in _MISSING:
        if found := pattern.search(message):
            return MissingFieldError(found[2], found[1], "by the solution of infra/crm/dynamics")
    if found := _NO_KEY.search(message):
        return CrmRejectedError("define the alternate key and wait until it is active, or set crm.key to primary", f"{found[1]} key")
    return None


def _error(answer: Answer) -> Mapping[str, Any]:
    error = answer.object().get("error")
    return error if isinstance(error, Mapping) else {}
