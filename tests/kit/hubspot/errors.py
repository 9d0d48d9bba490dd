"""HubSpot's error bodies."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.kit.simulated import Reply


class HubSpotError(Exception):
    def __init__(self, status: int, category: str, message: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        self.body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category, **more}

    def reply(self) -> Reply:
        return Reply(self.status, self.body, dict(self.headers))


def not_found(kind: str, record_id: str) -> HubSpotError:
    return HubSpotError(404, "OBJECT_NOT_FOUND", f"Object not found.  objectId are usually numeric. kind: {kind}", context={"id": [record_id]})


def invalid_input(message: str) -> HubSpotError:
    return HubSpotError(400, "VALIDATION_ERROR", f"Invalid input JSON: {message}")


def bad_properties(complaints: list[tuple[str, str, str]]) -> HubSpotError:
    """(code, property, message) each; HubSpot lists them as JSON in the message and once more in `errors`."""
    listed = [{"isValid": False, "message": message, "error": code, "name": name} for code, name, message in complaints]
    errors = [{"message": message, "code": code, "context": {"propertyName": [name]}} for code, name, message in complaints]
    return HubSpotError(400, "VALIDATION_ERROR", f"Property values were not valid: {json.dumps(listed)}", errors=errors)


def by_status(status: int) -> dict[str, Any]:
    """A body for a fault that is set from outside."""
    categories = {
        400: "VALIDATION_ERROR", 401: "INVALID_AUTHENTICATION", 403: "MISSING_SCOPES", 404: "OBJECT_NOT_FOUND", 409: "CONFLICT", 412: "CONFLICT",
        422: "VALIDATION_ERROR", 423: "LOCKED", 429: "RATE_LIMITS",
    }  # fmt: skip
    body = HubSpotError(status, categories.get(status, "INTERNAL_ERROR"), "There was a problem with the request.").body
    if status == 429:
        body |= {"message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    return body
