"""The API called as API Gateway calls it, over rows that an office has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.serve_api import app
from tests.kit.office import Office, rest_event


class Caller:
    def __init__(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.use(office.desk())

    def use(self, desk: Any) -> None:
        self.desk = desk
        self._monkeypatch.setattr(app, "desk", lambda: desk)

    def raw(self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None, **more: Any) -> dict[str, Any]:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        return app.handler(rest_event(method, f"/api/v1{path}", query, text, **({"Authorization": "Bearer t"} | more)), None)

    def __call__(self, path: str, **query: str) -> dict[str, Any]:
        response = self.raw("GET", path, query)
        assert response["statusCode"] == 200, response["body"]
        return json.loads(response["body"])

    def post(self, path: str, body: Any = None, **more: Any) -> tuple[int, dict[str, Any]]:
        response = self.raw("POST", path, body=body, **more)
        return response["statusCode"], json.loads(response["body"])


def furnish(office: Office) -> tuple[str, str]:
    account = office.account("Halden Mills", "strategic", "2500000", renews_in=27)
    customer_id = office.customer("Ines Falk", ["x:41", "email:ines@halden.example"], account)
    complaint = office.signal("x:41", 12, "Down again, and nobody answers.", reach=300)
    office.signal("email:ines@halden.example", 600, "How do I add a user?", 0.0, channel="postmark", kind="email", public=False)
    office.signal("x:41", 5, "We are on it.", 0.0, direction="outbound", agent="Care", author_name=None)
    return customer_id, office.case(customer_id, [complaint], "outage", account)


def many_cases(office: Office) -> list[str]:
    keys = []
    for number, (strength, tier) in enumerate([(0.9, "trial"), (0.5, "strategic"), (0.7, "smb"), (0.3, "mid"), (0.95, "enterprise")]):
        account = office.account(f"Firm {number}", tier, renews_in=200)
        customer_id = office.customer(f"Person {number}", [f"x:{number}"], account)
        keys.append(office.case(customer_id, [office.signal(f"x:{number}", 10 + number, "It is broken.", strength)], account=account))
    return keys
