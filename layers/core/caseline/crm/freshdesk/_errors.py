"""Freshdesk's errors as Caseline's classes: a list of fields with codes, a code alone, or nothing at all. Texts quote values and are not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmConflictError, CrmError, CrmRateLimitError, CrmRejectedError

WAIT = 60.0
PEOPLE = frozenset({"requester_id", "company_id", "unique_external_id"})


class DuplicateError(CrmConflictError):
    """There is one with that value; `existing` is its id where Freshdesk told it."""

    def __init__(self, message: str, existing: str = "") -> None:
        super().__init__(message)
        self.existing = existing


class StrangerError(CrmRejectedError):
    """The requester or the company is not there (any more)."""


def error_of(answer: Answer, kind: str = "") -> CrmError:
    """`kind` is what the call was about: ticket, contact or company."""
    body = answer.object()
    complaints = [each for each in body.get("errors") or () if isinstance(each, Mapping)] if isinstance(body.get("errors"), list) else []
    codes = {str(each.get("field")): _clean(str(each.get("code"))) for each in complaints}
    name = _clean(next(iter(codes), "").rpartition(".")[2])
    if answer.status == 429:
        return make_error(CrmRateLimitError, f"{answer.crm} answered 429", retry_after=answer.retry_after if answer.retry_after is not None else WAIT)
    if answer.status == 400 and "invalid_field" in codes.values():
        missing = next(field for field, code in codes.items() if code == "invalid_field")
        return MissingFieldError(kind, _clean(missing.rpartition(".")[2]), "caseline crm apply creates it")
    if answer.status == 409 and "duplicate_value" in codes.values():
        return DuplicateError(f"{answer.crm} answered 409: there is one with that value", _existing(complaints))
    if answer.status == 400 and name in PEOPLE:
        return StrangerError(f"{answer.crm} answered 400", name)
    return answer.error(_clean(str(body.get("code") or next(iter(codes.values()), ""))), name)


def is_not_found(answer: Answer) -> bool:
    """Freshdesk says so by nothing at all; a page of something between us and it is no proof that a record is gone."""
    return answer.status == 404 and not answer.content.strip()


def _existing(complaints: list[Mapping[str, Any]]) -> str:
    found = [each.get("additional_info") for each in complaints]
    return next((str(info["user_id"]) for info in found if isinstance(info, Mapping) and info.get("user_id")), "")


def _clean(code: str) -> str:
    return re.sub(r"\W", "", code)[:80]
