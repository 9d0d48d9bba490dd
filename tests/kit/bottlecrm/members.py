"""Who uses a BottleCRM, and how it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DENIED = {"detail": "Organization context is required. Please login again."}
PAGE = "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>{0}</title>\n</head>\n<body>\n  <h1>{0}</h1><p></p>\n</body>\n</html>\n"


@dataclass(frozen=True)
class Member:
    """A user's membership of an organisation, with a personal access token."""

    token: str
    user: str
    profile: str
    name: str
    role: str = "ADMIN"

    @property
    def email(self) -> str:
        return f"{self.name}@acme.example"

    def as_user(self) -> dict[str, Any]:
        return {"id": self.user, "email": self.email, "name": self.name, "profile_pic": None}

    def as_author(self) -> dict[str, Any]:
        return {"id": self.profile, "user_details": {"email": self.email, "profile_pic": None}}

    def as_profile(self) -> dict[str, Any]:
        details = {"email": self.email, "id": self.user, "name": self.name, "is_active": True, "profile_pic": None, "last_login": None}
        return {
            "id": self.profile, "user_details": details, "role": self.role, "address": None, "has_marketing_access": False, "has_sales_access": False,
            "phone": None, "date_of_joining": None, "is_active": True,
        }  # fmt: skip


def by_status(status: int) -> Any:
    """What it says with a status; a fault of its own is a page."""
    texts = {404: "Not found.", 405: 'Method "PUT" not allowed.', 429: "Request was throttled. Expected available in 7 seconds."}
    if status in (401, 403):
        return DENIED
    return PAGE.format(f"Server Error ({status})") if status >= 500 else {"detail": texts.get(status, "Refused.")}
