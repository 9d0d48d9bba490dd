"""Genesys Cloud: what is said in calls, by its integration with Amazon EventBridge. Credential: IAM; nothing comes by webhook.

Facts: help.mypurecloud.com, "About the Amazon EventBridge integration"; the transcription topic's fields are taken from third parties. Each final utterance
is a signal; the customer's side is the channel EXTERNAL, the agent's INTERNAL. The events do not say who calls: the conversation is the person, until the
CRM or another event knows better. The end of a session and all that happens in a conversation beside words says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.errors import PayloadError, SignatureError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_event, read_json, settle_time
from caseline.signals import INBOUND, OUTBOUND, Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "genesys"
PROOF = "none"
EVENT_SOURCES = ("aws.partner/genesys.com/*",)
SILENT = ("v2.detail.events.conversation.", "v2.detail.events.flow.", "v2.routing.", "v2.users.")
DIRECTIONS = {"EXTERNAL": INBOUND, "INTERNAL": OUTBOUND}


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("genesys takes events of AWS only")


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """An event that was kept, as it came."""
    return _read_event(read_json(request.body), source, request.received_at)


def parse_event(event: Mapping[str, Any], source: Source, *, received_at: datetime, read: Callable[[str, str], bytes]) -> list[Signal | Unreadable]:
    return _read_event(read_event(event), source, received_at)


def _read_event(event: Field, source: Source, received_at: datetime) -> list[Signal | Unreadable]:
    topic = event["detail-type"].text()
    if topic.endswith(".transcription"):
        return read_batch(_utterances(event, source, received_at))
    if topic.startswith(SILENT):
        return []
    raise PayloadError(f"{topic!r} is not a topic this channel reads", "detail-type")


def _utterances(event: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    body = event["detail"]["eventBody"]
    for utterance in body["transcripts"].each():
        yield utterance, partial(_read_utterance, utterance, body, source, received_at)


def _read_utterance(utterance: Field, body: Field, source: Source, received_at: datetime) -> Signal | None:
    """Final words only: interim ones come again, bettered."""
    if utterance["isFinal"].boolean_or_none() is False:
        return None
    conversation, side = body["conversationId"].id(), utterance["channel"].text()
    if side not in DIRECTIONS:
        utterance["channel"].refuse(f"must be one of {', '.join(DIRECTIONS)}")
    best = _best(utterance)
    return Signal(
        channel="genesys", source=source.name, native_id=utterance["utteranceId"].id(), kind="call", direction=DIRECTIONS[side], received_at=received_at,
        occurred_at=settle_time(_read_moment(best, body, received_at), received_at, body["sessionStartTimeMs"].path), text=best["transcript"].text(),
        identities=normalise_identities([f"genesys:{conversation}"]), agent=source.brand if DIRECTIONS[side] == OUTBOUND else None,
        language=utterance["dialect"].text_or_none(), thread_id=conversation, attributes=_read_facts(best, body),
    )


def _best(utterance: Field) -> Field:
    """Of several readings of the same words the surest."""
    readings = list(utterance["alternatives"].each())
    if not readings:
        raise PayloadError("is required", utterance["alternatives"].path)
    return max(readings, key=lambda reading: reading["confidence"].number() if "confidence" in reading else 0.0)


def _read_moment(best: Field, body: Field, received_at: datetime) -> datetime:
    if "sessionStartTimeMs" not in body:
        return body["eventTime"].time_or_none() or received_at
    offset = best["offsetMs"].count_or_none() or 0
    if offset > 7 * 86_400_000:
        best["offsetMs"].refuse("is longer than any call")
    begun = body["sessionStartTimeMs"]
    return settle_time(begun.epoch(0.001), received_at, begun.path) + timedelta(milliseconds=offset)


def _read_facts(best: Field, body: Field) -> dict[str, Any]:
    facts = {
        "confidence": best["confidence"].number() if "confidence" in best else None, "duration_ms": best["durationMs"].count_or_none(),
        "communication": body["communicationId"].id_or_none(),
    }
    return {name: value for name, value in facts.items() if value is not None}
