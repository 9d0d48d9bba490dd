"""Zendesk's error bodies: `error` is a word or an object, and the limits answer in plain text."""

from __future__ import annotations

from typing import Any

from tests.kit.simulated import Reply


class ZendeskError(Exception):
    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, headers or {}

    def reply(self) -> Reply:
        return Reply(self.status, self.body, dict(self.headers))


def not_found() -> ZendeskError:
    return ZendeskError(404, {"error": "RecordNotFound", "description": "Not found"})


def invalid(**fields: str) -> ZendeskError:
    """Each field's complaint; one that ends with `!` is of a duplicate."""
    details = {name: [_complaint(text)] for name, text in fields.items()}
    return ZendeskError(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def bad_request(error: str, description: str) -> ZendeskError:
    return ZendeskError(400, {"error": error, "description": description})


def _complaint(text: str) -> dict[str, str]:
    return {"description": text.rstrip("!"), "error": "DuplicateValue"} if text.endswith("!") else {"description": text}


def by_status(status: int) -> Any:
    """A body for a fault that is set from outside."""
    bodies: dict[int, Any] = {
        401: {"error": "Couldn't authenticate you"},
        403: {"error": {"title": "Forbidden", "message": "You do not have access to this page."}},
        404: not_found().body,
        409: {"error": "UpdateConflict", "description": "Safe Update prevented the update due to outdated ticket data."},
        422: invalid(base="That cannot be saved").body,
        429: "Rate limit for ticket updates exceeded, please wait before trying again",
    }
    return bodies.get(status, {"error": {"title": "Internal Error", "message": "Something went wrong"}})
