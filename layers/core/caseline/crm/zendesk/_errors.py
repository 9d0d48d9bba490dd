"""Zendesk's errors as Caseline's classes. `error` is a word or an object, and some answers are plain text; texts quote values and are not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.errors import CrmConflictError, CrmError, CrmRateLimitError, CrmRejectedError

# Limits of one ticket come without Retry-After; the account's own begins anew each minute.
WAIT = 60.0
PEOPLE = frozenset({"requester", "requester_id", "organization", "organization_id"})


class FinalError(CrmRejectedError):
    """The ticket is closed for ever."""


class StrangerError(CrmRejectedError):
    """The requester or the organization is not there (any more)."""


class UsedKeyError(CrmConflictError):
    """The Idempotency-Key has been used, with another body."""


class DuplicateError(CrmConflictError):
    """There is one with that value."""


def error_of(answer: Answer) -> CrmError:
    body = answer.object()
    code, details = code_of(body), body.get("details")
    fields = {str(name): texts_of(complaints) for name, complaints in details.items()} if isinstance(details, Mapping) else {}
    if answer.status == 429:
        wait = answer.retry_after if answer.retry_after is not None else WAIT
        return make_error(CrmRateLimitError, f"{answer.crm} answered 429", retry_after=wait)
    plain = f"{answer.crm} answered {answer.status} {code}".strip()
    if answer.status == 400 and code == "IdempotentRequestError":
        return UsedKeyError(plain)
    if answer.status == 422 and fields:
        return _refused(plain, fields)
    return answer.error(code, _clean(next(iter(fields), "")))


def _refused(plain: str, fields: Mapping[str, str]) -> CrmError:
    name = _clean(next(iter(fields)))
    if "closed" in fields.get("status", ""):
        return FinalError(plain, "status")
    if any("DuplicateValue" in text or "already" in text for text in fields.values()):
        return DuplicateError(plain)
    return StrangerError(plain, name) if name in PEOPLE else CrmRejectedError(plain, name)


def is_not_found(answer: Answer) -> bool:
    """Whether Zendesk itself says so: an answer of something between us and it is no proof that a record is gone."""
    return answer.status == 404 and code_of(answer.object()) in ("RecordNotFound", "NotFound")


def code_of(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return _clean(str(error.get("title") or "") if isinstance(error, Mapping) else str(error or ""))


def texts_of(complaints: Any) -> str:
    found = complaints if isinstance(complaints, list) else [complaints]
    return " ".join(f"{each.get('description')} {each.get('error')}" if isinstance(each, Mapping) else str(each) for each in found)


def _clean(code: str) -> str:
    return re.sub(r"\W", "", code)[:60]
