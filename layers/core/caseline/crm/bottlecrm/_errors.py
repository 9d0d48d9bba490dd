"""BottleCRM's errors as Caseline's classes. Its texts may quote values, so they are read and not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.crm._http import Answer
from caseline.crm._keeping import DuplicateError
from caseline.errors import CrmAuthError, CrmError, CrmUnavailableError

_TAKEN = re.compile(r"already exists")
_FIELD = re.compile(r"\w{1,64}\Z")


def error_of(answer: Answer) -> CrmError:
    """403 is what a wrong token is answered; there is no 401."""
    names = refused_fields(answer)
    taken = [name for name, text in names.items() if _TAKEN.search(text)]
    if answer.status == 400 and taken:
        return DuplicateError(f"{answer.crm} has a record of that {taken[0]}")
    if answer.status == 403:
        return CrmAuthError(f"{answer.crm} answered 403")
    return answer.error("", next(iter(names), ""))


def refused_fields(answer: Answer) -> dict[str, str]:
    """What is said of each field; those of ours stand one level deeper. The messages are for looking at, not for passing on."""
    body = read_body(answer)
    errors = body.get("errors", body) if answer.status == 400 else {}
    nested = errors.get("custom_fields") if isinstance(errors, Mapping) else None
    errors = nested if isinstance(nested, Mapping) else errors
    return {str(name): str(said) for name, said in errors.items() if _FIELD.match(str(name))} if isinstance(errors, Mapping) else {}


def is_not_found(answer: Answer) -> bool:
    """Whether BottleCRM itself says so: a page of a proxy is no proof that a record is gone."""
    return answer.status == 404 and isinstance(read_body(answer).get("detail"), str)


def read_body(answer: Answer) -> Mapping[str, Any]:
    """An outage, and an address it has not, are answered with a page of HTML: then the status alone counts."""
    try:
        body = answer.json()
    except CrmUnavailableError:
        return {}
    return body if isinstance(body, Mapping) else {}
