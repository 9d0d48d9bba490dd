"""Calls to a platform's API on behalf of a source: its credentials, and what the platform's answers mean.

Among a source's secrets those that are JSON objects are credentials of the API (a key file, an access token); the others prove webhooks.
"""

from __future__ import annotations

import re
from typing import Any

from caseline.errors import PayloadError, UnavailableError
from caseline.payloads import Field, read_json
from caseline.sources import Source

_PATH_ID = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")


def webhook_secrets(source: Source) -> list[str]:
    """The secrets that prove webhooks, newest first."""
    return [secret for secret in source.secrets if not _is_object(secret)]


def read_credentials(source: Source) -> Field:
    """The newest credentials of the API."""
    found = next((secret for secret in source.secrets if _is_object(secret)), None)
    if found is None:
        raise UnavailableError("the source has no credentials of the API among its secrets; write them as a JSON object")
    return Field(read_json(found.encode("utf-8", "surrogatepass")).object(), "secret")


def read_answer(answer: Any, what: str) -> Field:
    """The JSON object of a good answer. Any other may be better later: limits, failures, and credentials that someone puts right."""
    if answer.status_code != 200:
        raise UnavailableError(f"the platform answered {answer.status_code} when asked for {what}")
    try:
        body = read_json(answer.content)
        body.object()
        return body
    except PayloadError as error:
        raise UnavailableError(f"the platform answered nonsense when asked for {what}") from error


def read_setting(source: Source, name: str, default: str = "") -> str:
    """A setting as text; without one, and without a default, nothing can be asked."""
    value = str(source.settings.get(name) or default)
    if not value:
        raise UnavailableError(f"the source needs the setting {name!r}")
    return value


def read_path_id(field: Field) -> str:
    """An id that becomes part of an address: it can say nothing but itself."""
    return field.id() if _PATH_ID.match(field.id()) else field.refuse("is not an id")


def _is_object(secret: Any) -> bool:
    return isinstance(secret, str) and secret.lstrip().startswith("{")
