"""Where a story can be played: what the player needs of a product. Requests are signed as their platforms sign them, at the stage's time."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from caseline.channels import open_channel
from caseline.signals import isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

from caseline_local.cli.samples import body_of
from caseline_local.scenarios.story import Story, StoryError

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded", "body": "text/plain"}


class Stage(Protocol):
    """A product that began at the story's start, with its configuration and policy."""

    public_url: str
    secrets: Mapping[str, list[str]]

    def now(self) -> datetime: ...

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """(status, body); a path under /api/ is asked as somebody who may write."""

    def move(self, to: datetime) -> None:
        """Let it be so late, and whatever is due by then happen."""

    def let_crm(self, answer: bool) -> None: ...

    def settle(self) -> bool:
        """Wait until nothing moves any more; False where something waits for the clock, or for the CRM."""


def make_secrets(story: Story) -> dict[str, list[str]]:
    keys = [f"{source['channel']}/{source.get('name', 'default')}" for source in story.config["sources"]]
    return {key: [_make_secret(key.partition("/")[0])] for key in keys}


def post(stage: Stage, story: Story, request: Mapping[str, Any]) -> None:
    """Send what a platform sends; StoryError where it is refused."""
    source = _find_source(story, request)
    key = f"{source['channel']}/{source.get('name', 'default')}"
    kind = next(name for name in _TYPES if name in request)
    sent = WebhookRequest("POST", f"{stage.public_url}/webhooks/{key}", {"content-type": _TYPES[kind]}, body_of(request), stage.now())
    signed = open_channel(source["channel"]).sign(sent, Source(key, "", secrets=stage.secrets[key], settings=source.get("settings") or {}))
    target = urlsplit(signed.url)
    status, answer = stage.request("POST", f"{target.path}?{target.query}" if target.query else target.path, signed.body, dict(signed.headers))
    if not 200 <= status < 300:
        raise StoryError(f"{story.name}: {key} refused with {status}: {answer[:200]!r}")


class Reader:
    """The JSON API of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def get(self, *path: str, **query: Any) -> Any:
        status, body = self._stage.request("GET", _address(path, query))
        if status != 200:
            raise StoryError(f"GET {'/'.join(path)} answered {status}: {body[:200]!r}")
        return json.loads(body)

    def post(self, *path: str, body: Any) -> Any:
        content, kind = (body, "text/csv") if isinstance(body, bytes) else (json.dumps(body).encode(), "application/json")
        status, answer = self._stage.request("POST", _address(path, {}), content, {"content-type": kind})
        if not 200 <= status < 300:
            raise StoryError(f"POST {'/'.join(path)} answered {status}: {answer[:300]!r}")
        return json.loads(answer)

    def pages(self, *path: str, name: str, cursor: str, **query: Any) -> Iterator[dict[str, Any]]:
        following: dict[str, str] = {}
        while True:
            page = self.get(*path, **query, **following)
            yield from page[name]
            if not page["next"]:
                return
            following = {cursor: page["next"]}

    def customers(self, identity: str) -> list[str]:
        return [found["customer_id"] for found in self.get("customers", identity=identity)["customers"]]

    def customer(self, identity: str) -> str | None:
        return next(iter(self.customers(identity)), None)

    def cases(self, status: str) -> list[dict[str, Any]]:
        return list(self.pages("cases", name="cases", cursor="after", status=status, limit=200))

    def timeline(self, identity: str) -> list[dict[str, Any]]:
        """Oldest first; nothing of somebody unknown."""
        customer_id = self.customer(identity)
        if not customer_id:
            return []
        return list(self.pages("customers", customer_id, "timeline", name="entries", cursor="before", limit=200))[::-1]


class Snapshot(Reader):
    """Reads everything once: for checks, while nothing moves."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._read: dict[str, Any] = {}

    def get(self, *path: str, **query: Any) -> Any:
        address = _address(path, query)
        if address not in self._read:
            self._read[address] = super().get(*path, **query)
        return self._read[address]


def told_at(moment: datetime) -> bytes:
    return json.dumps({"at": isoformat(moment)}).encode()


def _address(path: tuple[str, ...], query: Mapping[str, Any]) -> str:
    asked = f"?{urlencode(query)}" if query else ""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in path) + asked


def _find_source(story: Story, request: Mapping[str, Any]) -> Mapping[str, Any]:
    for source in story.config["sources"]:
        if source["channel"] == request["channel"] and source.get("name", "default") == request.get("source", source.get("name", "default")):
            return dict(source)
    raise StoryError(f"{story.name}: no source of {request['channel']}; add one under `config: sources:`")


def _make_secret(channel: str) -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() if channel == "standard_webhooks" else secrets.token_hex(16)
