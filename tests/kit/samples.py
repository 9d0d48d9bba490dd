"""The channels' samples: `events/channels/<channel>/<case>.json`, each what comes in and what should come of it.

`request` is a webhook; `exchanges` with a `cursor` are what a poll asks and is answered; `event` is what AWS hands to a function, with `objects`
({"bucket/key": text or JSON}) for it to read; `complete` is a pointer, with the `exchanges` that complete it and `expected: {"signal"}`.
Both sign in with `credentials`, in which RS256 and ES256 stand for a private key made for the test. A request of an exchange says all that is sent: `method`,
`url`, `params`, `headers` beyond those of every client, `form` or `body`. `list` is what a polled channel's list looks like: see LivingList.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from caseline.channels import open_channel, proof_of
from caseline.errors import UnavailableError
from caseline.signals import Signal, Unreadable, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.platforms import Platform

FOLDER = Path(__file__).parents[2] / "events" / "channels"


@dataclass(frozen=True)
class Sample:
    channel: str
    name: str
    data: dict[str, Any]

    @property
    def module(self) -> Any:
        return open_channel(self.channel)

    @property
    def proof(self) -> str:
        return proof_of(self.module)

    @property
    def signals(self) -> list[dict[str, Any]]:
        """All signals that are expected of it, in whatever way they come."""
        pages = [item for page in self.expected.get("pages", ()) for item in page if "kind" in item]
        return [*self.expected.get("signals", ()), *pages, *([self.expected["signal"]] if "signal" in self.expected else ())]

    @property
    def expected(self) -> dict[str, Any]:
        return self.data["expected"]

    @property
    def source(self) -> Source:
        described = self.data.get("source", {})
        return Source("default", "acme", tuple(described.get("own_ids", ())), self.data.get("secrets", ()), described.get("settings", {}))

    @property
    def request(self) -> WebhookRequest:
        """As the platform sends it: signed in the file, or now."""
        sent = self.data["request"]
        request = WebhookRequest(sent["method"], sent["url"], sent["headers"], read_body(sent), parse_time(self.data["received_at"]))
        return request if self.data.get("signed") or not self.source.secrets or sent["method"] != "POST" else self.module.sign(request, self.source)


def read_body(sent: dict[str, Any]) -> bytes:
    if "form" in sent:
        return urlencode(sent["form"]).encode()
    if "json" in sent:
        return json.dumps(sent["json"], ensure_ascii=False, separators=(",", ":")).encode()
    return sent.get("body", "").encode()


def samples(channel: str) -> list[Sample]:
    return [Sample(channel, path.stem, json.loads(path.read_text())) for path in sorted((FOLDER / channel).glob("*.json"))]


def as_json(items: list[Signal | Unreadable]) -> dict[str, Any]:
    signals = [item.to_json() for item in items if isinstance(item, Signal)]
    unreadable = [{"reason": item.reason, "field": item.field, "raw": item.raw} for item in items if isinstance(item, Unreadable)]
    plain: dict[str, Any] = json.loads(json.dumps({"signals": signals, **({"unreadable": unreadable} if unreadable else {})}))
    return plain


def changed_headers(request: WebhookRequest, told: Collection[str] = ()) -> Iterator[tuple[str, WebhookRequest]]:
    """The request with each of its proving headers spoilt in every way a stranger may think of; `told` only tell what the body is."""
    for name in [name for name in request.headers if name not in ("content-type", *told)]:
        value = request.headers[name]
        for how, spoilt in _spoil(value):
            if spoilt != value:
                yield f"{name} {how}", request.with_headers({name: spoilt})


def _spoil(value: str) -> Iterator[tuple[str, str]]:
    yield "empty", ""
    yield "blank", " "
    yield "padded", f" {value}"
    yield "cut", value[:-1]
    yield "longer", value + "A"
    yield "non-ASCII", value[:-2] + "é²"
    yield "other case", value.swapcase()
    yield "twice", f"{value}, {value}"
    yield "eight KB", value + "0" * 8192
    yield "no prefix", value.partition("=")[2] or value.partition(",")[2] or "x"
    yield "prefix alone", value.partition("=")[0] + "="
    yield "a comma", ","
    yield "NUL", value + "\x00"
    yield "surrogate", "\ud800" + value
    yield "not base64", "sha256=!!!!"


def reader(objects: dict[str, Any]) -> Any:
    """Reads the objects that a sample holds: `{"<bucket>/<key>": text or JSON}`."""

    def read(bucket: str, key: str) -> bytes:
        if f"{bucket}/{key}" not in objects:
            raise UnavailableError("no such object")
        content = objects[f"{bucket}/{key}"]
        return (content if isinstance(content, str) else json.dumps(content)).encode()

    return read


def open_session(platform: Platform, sample: Sample) -> Any:
    """The product's own, at the sample's time."""
    session = platform.open_session(getattr(sample.module, "HOSTS", ()), lambda: parse_time(sample.data["received_at"]))
    session.read = reader(sample.data.get("objects", {}))
    return session


def sign_in(sample: Sample, keys: dict[str, str]) -> Source:
    """The source with what it signs in with: the sample's `credentials`, else a service account's key file."""
    written = sample.data.get("credentials", {"client_email": "poller@example.com", "private_key": "RS256"})
    return replace(sample.source, secrets=sample.source.secrets or [json.dumps({name: keys.get(value, value) for name, value in written.items()})])
