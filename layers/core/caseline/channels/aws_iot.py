"""AWS IoT: kiosks, buttons and machines, by an IoT rule that hands what its SQL selects to a function. Credential: IAM; nothing comes by webhook.

Facts: docs.aws.amazon.com/iot, "Lambda rule action", "SQL reference". The event is the selected object itself, without envelope or id, and is delivered at
least once: the id is made of topic, device, time and sequence number, so write `SELECT *, topic() AS topic, clientid() AS clientid, timestamp() AS ts`.
Settings: `low` and `high`, the scale of `score` (1 to 5 otherwise); `buttons`, `{<button>: <score>}` beside the usual faces.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.errors import SignatureError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_event, read_json, settle_time
from caseline.signals import Rating, Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "aws_iot"
PROOF = "none"
DEVICE_TOPICS = ("#",)
BUTTONS = {"very_unhappy": 1.0, "unhappy": 2.0, "neutral": 3.0, "happy": 4.0, "very_happy": 5.0}
READ = frozenset("deviceId clientid topic ts seq button score comment text identities caseline".split())  # the rest is kept as attributes
DIGITS = re.compile(r"[0-9]{1,16}\Z")
MILLISECONDS = 100_000_000_000  # epoch seconds are below this until the year 5138


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("aws_iot takes events of AWS only")


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """An event that was kept, as it came."""
    return [_read_device_event(read_json(request.body), source, request.received_at)]


def parse_event(event: Mapping[str, Any], source: Source, *, received_at: datetime, read: Callable[[str, str], bytes]) -> list[Signal | Unreadable]:
    return [_read_device_event(read_event(event), source, received_at)]


def _read_device_event(event: Field, source: Source, received_at: datetime) -> Signal:
    """A press, a score or a message of a device. Whoever stands before it is unknown, unless the event names `identities`."""
    device = (event["deviceId"] if "deviceId" in event else event["clientid"]).id()
    known = normalise_identities(entry.text() for entry in event["identities"].each())
    return Signal(
        channel="aws_iot", source=source.name, native_id=_make_id(event, device), kind="device_event", received_at=received_at,
        occurred_at=settle_time(_read_moment(event["ts"]), received_at, "ts"), identities=known or normalise_identities([f"aws_iot:{device}"]),
        text=event["comment"].text_or_none() or event["text"].text_or_none(), rating=_read_rating(event, source), thread_id=device,
        attributes={"device": device, **_read_rest(event)},
    )


def _make_id(event: Field, device: str) -> str:
    parts = (event["topic"].text_or_none() or "", device, event["ts"].id(), event["seq"].id_or_none() or "")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _read_moment(field: Field) -> datetime:
    """Epoch milliseconds, as `timestamp()` gives them, or seconds; or ISO 8601."""
    value = field.value
    if isinstance(value, str):
        return field.epoch(0.001 if len(value) > 11 else 1.0) if DIGITS.match(value) else field.time()
    return field.epoch(0.001 if field.number() >= MILLISECONDS else 1.0)


def _read_rating(event: Field, source: Source) -> Rating | None:
    """The score; else what the button stands for. Another button than the known ones is no score."""
    low, high = (float(value) if isinstance(value := source.settings.get(end), int | float) else usual for end, usual in (("low", 1.0), ("high", 5.0)))
    if "score" in event:
        score = event["score"].number()
        return Rating("csat", score, low, high) if low <= score <= high else event["score"].refuse(f"must be between {low:g} and {high:g}")
    said = source.settings.get("buttons")
    scores = {**BUTTONS, **(said if isinstance(said, Mapping) else {})}
    value = scores.get(event["button"].text_or_none() or "")
    return Rating("csat", float(value), low, high) if isinstance(value, int | float) and low <= value <= high else None


def _read_rest(event: Field) -> dict[str, Any]:
    button = event["button"].text_or_none()
    rest = {name: value for name, value in event.object().items() if name not in READ and isinstance(value, str | int | float)}
    return {**({"button": button} if button else {}), **dict(list(rest.items())[:50])}
