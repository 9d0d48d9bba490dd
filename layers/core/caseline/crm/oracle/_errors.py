"""Fusion's errors as Caseline's classes. Its details quote values, so they are read and not passed on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from caseline.crm._http import Answer, make_error
from caseline.crm._keeping import DuplicateError
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmConflictError, CrmError, CrmForbiddenError, CrmRejectedError, CrmUnavailableError

# Another user holds the row, or has changed it since it was read.
_LOCKED = re.compile(r"JBO-(26030|25014|26061)")
_UNIQUE = re.compile(r"JBO-(26048|25013|27024)|already exists|must be unique", re.IGNORECASE)
_FINAL = re.compile(r"closed service request", re.IGNORECASE)
Fields = Mapping[str, Iterable[str]]


class FinalError(CrmRejectedError):
    """The service request is closed for good."""


def error_of(answer: Answer, own: Fields | None = None, missing: frozenset[str] = frozenset()) -> CrmError:
    """`own` are the fields of ours that the call named, by resource; of those in `missing` it is known that they are not there."""
    said = said_in(answer)
    if answer.status in (400, 409, 500) and _LOCKED.search(said):
        return CrmConflictError(f"Oracle answered {answer.status}: the record is held or was changed by another user")
    if answer.status in (400, 409) and _UNIQUE.search(said):
        return DuplicateError(f"Oracle answered {answer.status}: there is a record with that value")
    if answer.status == 400 and _FINAL.search(said):
        return FinalError("Oracle answered 400: the service request is closed")
    if answer.status == 403:
        return CrmForbiddenError("Oracle answered 403: the integration user lacks a privilege")
    return (_missing(said, own or {}, missing) if answer.status == 400 else None) or make_error(
        type(answer.error()), f"Oracle answered {answer.status}", retry_after=answer.retry_after
    )


def is_not_found(answer: Answer) -> bool:
    """Whether Fusion itself says that there is no such record: an answer of something between us and it is no proof."""
    return answer.status == 404 and bool(said_in(answer))


def said_in(answer: Answer) -> str:
    """Title, details and paths, "" where the body is no error of Fusion's: it may be plain text, or a page of HTML."""
    try:
        body: Any = answer.json()
    except CrmUnavailableError:
        text = answer.content[:2_000].decode("utf-8", "replace")
        return "" if text.lstrip().startswith("<") else text
    if not isinstance(body, Mapping):
        return ""
    details = body.get("o:errorDetails")
    parts = [part for part in details if isinstance(part, Mapping)] if isinstance(details, list) else []
    return " ".join([str(body.get("title") or ""), *(f"{part.get('detail')} {part.get('o:errorCode')} {part.get('o:errorPath')}" for part in parts)])


def _missing(said: str, own: Fields, missing: frozenset[str]) -> CrmError | None:
    """The first field of ours that the error names and that is not known to be missing; of a resource that it names too, if any."""
    known = [(resource, name) for resource, names in own.items() for name in names if name and f"{resource}.{name}".casefold() not in missing]
    named = [(resource, name) for resource, name in known if re.search(rf"\b{re.escape(name)}\b", said)]
    for resource, name in sorted(named, key=lambda each: each[0] not in said):
        return MissingFieldError(resource, name, "with Application Composer")
    return None
