"""ServiceNow's error bodies."""

from __future__ import annotations

from typing import Any

from tests.kit.simulated import Reply


class SnowError(Exception):
    def __init__(self, status: int, message: str, detail: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        self.body = {"error": {"message": message, "detail": detail}, "status": "failure"}

    def reply(self) -> Reply:
        return Reply(self.status, self.body, dict(self.headers))


def unauthenticated() -> SnowError:
    return SnowError(401, "User Not Authenticated", "Required to provide Auth information", {"WWW-Authenticate": 'BASIC realm="Service-now"'})


def no_record() -> SnowError:
    return SnowError(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def forbidden(what: str) -> SnowError:
    return SnowError(403, "Operation Failed", f"ACL Exception {what} Failed due to security constraints")


def by_status(status: int) -> dict[str, Any]:
    """A body for a fault that is set from outside."""
    known = {401: unauthenticated(), 403: forbidden("Insert"), 404: no_record(), 429: SnowError(429, "Rate limit exceeded", None)}
    return known[status].body if status in known else SnowError(status, "The operation failed", "Transaction cancelled").body
