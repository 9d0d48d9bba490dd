"""HubSpot's errors as Caseline's classes. Its messages quote values, so they are read and not passed on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmConflictError, CrmError, CrmRateLimitError, CrmRejectedError

# HubSpot sends no Retry-After with these: how long each window is, in seconds. The day's ends at midnight of the portal.
WINDOWS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3_600.0}
MIGRATING = 477
DUPLICATES = frozenset({"CONFLICTING_UNIQUE_VALUE", "UNIQUE_VALUE_CONFLICT", "OBJECT_ALREADY_EXISTS", "CONFLICT"})
NOT_FOUND = frozenset({"OBJECT_NOT_FOUND", "NOT_FOUND"})
_EXISTING = re.compile(r"Existing ID: ?(\d+)")
_LISTED = re.compile(r"not valid: (\[.*\])", re.DOTALL)


class DuplicateError(CrmConflictError):
    """A record has the unique value already; `existing` is its id where HubSpot told it."""

    def __init__(self, message: str, existing: str = "") -> None:
        super().__init__(message)
        self.existing = existing


class BadAssociationError(CrmRejectedError):
    """One of the records to be associated is not there (any more)."""


def error_of(answer: Answer, kind: str = "") -> CrmError:
    """`kind` is the objects that the call was about (tickets, contacts)."""
    body = answer.object()
    codes = list(_codes(body))
    plain = answer.error(_clean(str(body.get("category") or "")), next((name for _, name in codes if name), ""))
    return _limited(answer, body) or _refused(answer, body, codes, kind) or plain


def is_not_found(answer: Answer) -> bool:
    """Whether HubSpot itself says so: an answer of something between us and it is no proof that a record is gone."""
    body = answer.json()
    return answer.status == 404 and isinstance(body, Mapping) and (body.get("category") in NOT_FOUND or "resource not found" in str(body.get("message")))


def _limited(answer: Answer, body: Mapping[str, Any]) -> CrmError | None:
    if answer.status == MIGRATING:
        return make_error(CrmRateLimitError, f"{answer.crm} answered {answer.status}: the portal is being moved", retry_after=answer.retry_after)
    if answer.status != 429:
        return None
    policy = _clean(str(body.get("policyName") or ""))
    wait = answer.retry_after if answer.retry_after is not None else WINDOWS.get(policy, 10.0)
    return make_error(CrmRateLimitError, f"{answer.crm} answered 429 {policy}".strip(), retry_after=wait)


def _refused(answer: Answer, body: Mapping[str, Any], codes: list[tuple[str, str]], kind: str) -> CrmError | None:
    if answer.status not in (400, 404, 409):
        return None
    missing = next((name for code, name in codes if code == "PROPERTY_DOESNT_EXIST" and name), "")
    if missing:
        return MissingFieldError(kind, missing, "(caseline crm apply creates it)")
    message, kinds = str(body.get("message") or ""), {str(body.get("category")), *(code for code, _ in codes)}
    if kinds & DUPLICATES:
        found = _EXISTING.search(message)
        return DuplicateError(f"{answer.crm} answered {answer.status}: there is one with that value", found[1] if found else "")
    if "ASSOCIATION" in f"{body.get('subCategory')}".upper() or "INVALID_OBJECT_IDS" in kinds:
        return BadAssociationError(f"{answer.crm} answered {answer.status}: a record to associate is not there")
    return None


def _codes(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(code, property) of each complaint: in `errors`, and as JSON in the message, where HubSpot also puts them."""
    for error in _listed(body.get("errors")):
        context = error.get("context")
        named = context.get("propertyName") if isinstance(context, Mapping) else None
        name = named[0] if isinstance(named, list) and named else error.get("name") or error.get("in") or ""
        yield _clean(str(error.get("code") or error.get("error") or "")), _clean(str(name))
    if found := _LISTED.search(str(body.get("message") or "")):
        for error in _listed(_loads(found[1])):
            yield _clean(str(error.get("error") or "")), _clean(str(error.get("name") or ""))


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return []


def _clean(code: str) -> str:
    return re.sub(r"\W", "", code)[:80]
