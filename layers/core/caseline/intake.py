"""From signals to queue messages: envelopes that fit, and the bucket for what does not.

A delivery's key is `<envelope id>.<index of the signal in it>`; a signal that is sent again alone keeps its key as `part`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from caseline.errors import PayloadError
from caseline.signals import Signal, Unreadable, isoformat
from caseline.web import WebhookRequest

MAX_MESSAGE = 256_000  # bytes of one message; SQS takes 262,144 with the attributes
Item = dict[str, Any]
Send = Callable[[str, str, Mapping[str, Any]], None]  # body, group, SQS message attributes
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
PutObject = Callable[[str, bytes], None]  # key, content


@dataclass(frozen=True)
class Envelope:
    """What one request or one page brought. `trust` is verified or asserted; `origin` is door or poll."""

    id: str
    channel: str
    source: str
    brand: str
    trust: str
    received_at: datetime
    origin: str = "door"

    def to_json(self) -> dict[str, Any]:
        return {
            "v": 1, "id": self.id, "channel": self.channel, "source": self.source, "brand": self.brand, "trust": self.trust,
            "received_at": isoformat(self.received_at),
        }


class Intake:
    """Sends envelopes. A failure is UnavailableError, and then nothing may be acknowledged."""

    def __init__(self, send: Send, put_object: PutObject, limit: int = MAX_MESSAGE) -> None:
        self._send, self._put_object, self._limit = send, put_object, limit

    def accept(self, envelope: Envelope, items: Sequence[Signal | Unreadable]) -> int:
        """Queue the items in as few messages as they fit in; returns how many items there were."""
        signals = [item.to_json() for item in items if isinstance(item, Signal)]
        unreadable = [{"reason": item.reason, "field": item.field, "raw": item.raw} for item in items if isinstance(item, Unreadable)]
        self._send_all(envelope, signals, unreadable)
        return len(items)

    def keep_whole(self, envelope: Envelope, request: WebhookRequest, error: PayloadError, headers: Mapping[str, str], url: str) -> int:
        """Queue a payload that was not understood, as it came, for quarantine and replay. It counts as one."""
        raw = base64.b64encode(request.body).decode("ascii")
        kept = {"reason": error.message, "field": error.field, "raw": raw, "whole": True, "method": request.method, "headers": dict(headers), "url": url}
        self._send_all(envelope, [], [kept])
        return 1

    def _send_all(self, envelope: Envelope, signals: Sequence[Item], unreadable: Sequence[Item]) -> None:
        """Most requests are one message and are written in one go; the others are cut where they fit."""
        head = envelope.to_json()
        whole, count = dump({**head, "signals": signals, "unreadable": unreadable}), len(signals) + len(unreadable)
        if len(whole) <= self._limit or count == 1:
            self._send_one(envelope, head, whole, count)
            return
        items = [("signals", dump(item)) for item in signals] + [("unreadable", dump(item)) for item in unreadable]
        room = self._limit - len(dump(head)) - len('-9999,"signals":[],"unreadable":[]')
        for number, chunk in enumerate(_split(items, room)):
            part = head | ({"id": f"{envelope.id}-{number}"} if number else {})
            lists = (f'"{kind}":[{",".join(text for each, text in chunk if each == kind)}]' for kind in ("signals", "unreadable"))
            self._send_one(envelope, part, f"{dump(part)[:-1]},{','.join(lists)}}}", len(chunk))

    def _send_one(self, envelope: Envelope, head: Item, body: str, count: int) -> None:
        if count == 0:
            return
        if len(body) > self._limit:
            body = self._store(head, body)
        source = f"{envelope.channel}/{envelope.source}"
        self._send(body, source, describe(source, count, envelope.origin))

    def _store(self, head: Item, body: str) -> str:
        """An item too large for a message goes to the bucket first; its key is its content's, so a second try is the same object."""
        content = body.encode("ascii")
        key = f"intake/{hashlib.sha256(content).hexdigest()}.json"
        self._put_object(key, content)
        return dump({**head, "body": {"bucket_key": key}})


def send_again(envelope: Mapping[str, Any], send: Send) -> None:
    """Queue what is left of an envelope once more. It was counted when it first came."""
    items = len(envelope.get("signals") or ()) + len(envelope.get("unreadable") or ())
    source = f"{envelope['channel']}/{envelope['source']}"
    send(dump(envelope), source, describe(source, items, "retry"))


def completion_job(envelope: Mapping[str, Any], signal: Signal, delivery: str) -> dict[str, Any]:
    """What the queue holds of one pointer: ids, and nothing that anybody wrote."""
    head = {name: value for name, value in envelope.items() if name not in ("signals", "unreadable", "part")}
    return {"v": 1, "envelope": head, "signal": signal.to_json(), "part": delivery, "tries": 0}


def resolve_trust(trust: str, channel: ModuleType) -> str:
    """What a source's links are worth: as configured, else verified for first parties and asserted for the rest."""
    return trust or ("verified" if getattr(channel, "FIRST_PARTY", False) else "asserted")


def describe(source: str, signals: int, origin: str) -> dict[str, Any]:
    """Message attributes. Only what comes from `door` or `poll` counts as accepted."""
    texts = {"source": source, "origin": origin}
    return {"signals": {"DataType": "Number", "StringValue": str(signals)}, **{k: {"DataType": "String", "StringValue": v} for k, v in texts.items()}}


def dump(value: Any) -> str:
    """Compact ASCII JSON: every character is one byte, and none that a queue refuses."""
    return _encode(value)


def _split(items: Sequence[tuple[str, str]], room: int) -> Iterator[Sequence[tuple[str, str]]]:
    """Runs of items that fit into `room` together; an item that does not fit at all stands alone."""
    chunk: list[tuple[str, str]] = []
    used = 0
    for item in items:
        size = len(item[1]) + 1
        if chunk and used + size > room:
            yield chunk
            chunk, used = [], 0
        chunk.append(item)
        used += size
    if chunk:
        yield chunk
