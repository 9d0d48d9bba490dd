"""Fusion's error bodies: a title, and details with codes of the framework."""

from __future__ import annotations

from typing import Any

from tests.kit.simulated import Reply

ERROR = "application/vnd.oracle.adf.error+json"
TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 412: "Precondition Failed", 415: "Unsupported Media Type",
    429: "Too Many Requests",
}  # fmt: skip


class AdfError(Exception):
    def __init__(self, status: int, detail: str, code: str = "", path: str = "") -> None:
        super().__init__(detail)
        self.status = status
        error = {"detail": detail, **({"o:errorCode": code} if code else {}), **({"o:errorPath": path} if path else {})}
        self.body = {"title": TITLES.get(status, "Internal Server Error"), "status": str(status), "o:errorDetails": [error]}

    def reply(self) -> Reply:
        return Reply(self.status, self.body, {"Content-Type": ERROR})


def unknown_attribute(resource: str, name: str) -> AdfError:
    return AdfError(400, f"The attribute {name} in resource {resource} is not valid.", "27514", f"/{name}")


def not_found(resource: str) -> AdfError:
    return AdfError(404, f"The resource {resource} with that key was not found.", "27515")


def locked() -> AdfError:
    return AdfError(400, "JBO-26030: Failed to lock the record, another user holds the lock.", "26030")


def by_status(status: int) -> dict[str, Any]:
    """A body for a fault that is set from outside."""
    return AdfError(status, "The request could not be done.").body
