"""A CRM's errors as Caseline's classes: by status, and by what the mapping says of them. Their words quote values, and are not passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from caseline.crm._http import Answer, make_error
from caseline.crm._keeping import DuplicateError
from caseline.crm._mapped._expression import optional
from caseline.crm._mapped._mapping import ErrorRule
from caseline.errors import CrmAuthError, CrmConflictError, CrmError, CrmNotFoundError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError, PayloadError

_FIELD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,80}\Z")


class StrangerError(CrmRejectedError):
    """The contact or account that the case names is not there."""


CLASSES: Mapping[str, type[CrmError]] = {
    "duplicate": DuplicateError, "conflict": CrmConflictError, "missing": CrmNotFoundError, "rejected": CrmRejectedError, "stranger": StrangerError,
    "auth": CrmAuthError, "rate": CrmRateLimitError, "unavailable": CrmUnavailableError,
}  # fmt: skip


def error_of(answer: Answer, rules: Sequence[ErrorRule]) -> CrmError:
    body = answer.object()
    for rule in rules:
        if rule.status == answer.status and _fits(rule, body):
            name = _name(rule, body)
            return make_error(CLASSES[rule.is_], f"{answer.crm} answered {answer.status}: {rule.is_}", name, answer.retry_after)
    return CrmAuthError(f"{answer.crm} answered 403") if answer.status == 403 else answer.error()


def _fits(rule: ErrorRule, body: Mapping[str, object]) -> bool:
    try:
        return rule.when is None or rule.when.is_true(body)
    except PayloadError:
        return False


def _name(rule: ErrorRule, body: Mapping[str, object]) -> str:
    """Of the wrong field; whatever is no name could be a value."""
    try:
        name = optional(rule.field, body)
    except PayloadError:
        return ""
    return name if _FIELD.match(name) else ""
