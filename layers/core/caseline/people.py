"""Who is asking, as the authoriser said, and whether they may change anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from caseline.errors import ForbiddenError
from caseline.web import Headers

READER, AGENT, ADMIN = "viewer", "agent", "admin"
ROLES, WRITERS = frozenset({READER, AGENT, ADMIN}), frozenset({AGENT, ADMIN})
SESSION = "__Host-caseline"  # a cookie of that prefix cannot be planted by another host


@dataclass(frozen=True)
class Person:
    """`name` stands in the history of what they change."""

    name: str
    roles: frozenset[str]

    @property
    def may_write(self) -> bool:
        return bool(self.roles & WRITERS)


def read_person(event: Mapping[str, Any]) -> Person:
    """From the context that the authoriser gave; without one nobody, who may do nothing."""
    context = (event.get("requestContext") or {}).get("authorizer") or {}
    roles = frozenset(filter(None, str(context.get("roles") or "").replace(",", " ").split()))
    return Person(str(context.get("principalId") or "nobody"), roles)


def check_writer(event: Mapping[str, Any]) -> Person:
    """The person behind a request that changes something; ForbiddenError for one who may only read, or a forged request."""
    person = read_person(event)
    if not person.may_write:
        raise ForbiddenError(f"this needs the role {AGENT} or {ADMIN}")
    if not _is_intended(Headers(event.get("headers") or {})):
        raise ForbiddenError("the request does not come from the console's own pages")
    return person


def _is_intended(headers: Headers) -> bool:
    """A token in a header is sent on purpose; a cookie is sent by browsers on their own, so then the page must be ours."""
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return urlsplit(origin).netloc.lower() == (headers.get("host") or "").lower() != ""
    return site == "same-origin"


def read_cookie(event: Mapping[str, Any], name: str) -> str:
    """The value of a cookie of the request, "" where there is none."""
    headers = Headers(event.get("headers") or {})
    pairs = (pair.strip().partition("=") for pair in (headers.get("cookie") or "").split(";"))
    return next((value for key, _, value in pairs if key == name), "")


def read_token(event: Mapping[str, Any]) -> str:
    """The token of a request: in the header for programs, in the session cookie for browsers."""
    scheme, _, token = (Headers(event.get("headers") or {}).get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else read_cookie(event, SESSION)
