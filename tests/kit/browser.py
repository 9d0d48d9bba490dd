"""The console's pages as a browser gets them, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from caseline.quarantine import quarantine_row
from caseline.signals import isoformat

from functions.serve_console import app
from tests.kit.office import HOSTILE, Office, rest_event, stars

OWN_PAGE = {"Origin": "https://care.example", "Sec_Fetch_Site": "same-origin"}


@dataclass
class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, and its text."""

    status: int
    headers: dict[str, str]
    html: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def plain(self) -> str:
        return " ".join(self.text.split())


@dataclass
class Visit:
    office: Office
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.use(self.office.desk())

    def use(self, desk: Any) -> None:
        self.monkeypatch.setattr(app, "wiring", lambda: SimpleNamespace(desk=desk, clock=lambda: self.office.now))

    def __call__(self, path: str, method: str = "GET", form: dict[str, str] | None = None, **more: Any) -> Page:
        path, _, query = path.partition("?")
        asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        event = rest_event(method, f"/console{path}", asked, urlencode(form) if form is not None else None, **more)
        return read(app.handler(event, None))

    def post(self, path: str, **form: str) -> Page:
        return self(path, "POST", form, **OWN_PAGE)


def read(response: dict[str, Any]) -> Page:
    return Page(response["statusCode"], {name: values[0] for name, values in response["multiValueHeaders"].items()}, response["body"] or "")


def furnish(office: Office, **more: Any) -> tuple[str, str]:
    account = office.account("Halden Mills", "strategic", "2500000", renews_in=27)
    customer_id = office.customer("Ines Falk", ["x:41", "email:ines@halden.example"], account)
    complaint = office.signal("x:41", 12, "Down again, and nobody answers.", reach=300, url="https://social.example/1")
    office.signal("email:ines@halden.example", 1600, "Lovely.", -0.8, channel="trustpilot", kind="review", rating=stars(5))
    office.signal("x:41", 5, "We are on it.", 0.0, direction="outbound", agent="Priya", author_name=None)
    return customer_id, office.case(customer_id, [complaint], "outage", account, **more)


def hostile(office: Office) -> tuple[str, str]:
    """Everything a stranger can write, in every field that a page shows."""
    account = office.account(HOSTILE, HOSTILE, HOSTILE, renews_in=5, contract_status=HOSTILE)
    customer_id = office.customer(HOSTILE, ["x:666", f"x:@{HOSTILE}"], account)
    row = office.signal("x:666", 3, HOSTILE, author_name=HOSTILE, url="javascript:alert(1)", language='"><script>', kind="post", agent=HOSTILE)
    office.signal("x:666", 2, HOSTILE, 0.0, author_name=HOSTILE, direction="outbound", agent=HOSTILE, url="https://x.example/?a=1&b=2")
    case_key = office.case(
        customer_id,
        [row],
        "service",
        account,
        push=False,
        subject=HOSTILE,
        owner=HOSTILE,
        crm={"name": HOSTILE, "url": "javascript:alert(2)", "sync": "failed", "error": HOSTILE},
    )
    envelope = {"channel": "x", "source": HOSTILE, "brand": HOSTILE, "received_at": isoformat(office.now)}
    office.table.put(quarantine_row(envelope, {"reason": HOSTILE, "field": HOSTILE, "raw": HOSTILE, "whole": False}, "d", timedelta(days=9)))
    return customer_id, case_key
