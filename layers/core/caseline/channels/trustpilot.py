"""Trustpilot reviews. Credential: an unguessable token, as `?token=` in the webhook's URL or as the password of Basic credentials in it.

Facts: support.trustpilot.com, "How to set up Trustpilot Webhooks"; developers.trustpilot.com. No signature scheme is documented. Names of product reviews, of
a company's reply in an event and of a deleted review's fields are not documented either: they are read if they are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import CREATED, DELETED, OUTBOUND, UPDATED, Rating, Signal, Unreadable
from caseline.signatures import encode_base64, read_basic_password, read_url_token, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "trustpilot"
PROOF = "token"
ACTIONS = {f"{kind}-review-{action}": action for kind in ("service", "product") for action in (CREATED, UPDATED, DELETED)}


def verify(request: WebhookRequest, source: Source) -> None:
    verify_token(read_url_token(request.url) or read_basic_password(request.headers), source.secrets)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    return request.with_headers({"authorization": "Basic " + encode_base64(f"webhook:{source.secrets[0]}".encode())})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    events = read_json(request.body)["events"]
    if events.value is None:
        events.refuse("is required")
    return read_batch(item for event in events.each() for item in _read_items(event, source, request.received_at))


def _read_items(event: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    yield event.value, partial(_read_review, event, source, received_at)
    if isinstance(event.value, dict) and isinstance(event.value.get("eventData"), dict) and event.value["eventData"].get("companyReply"):
        yield event.value, partial(_read_reply, event["eventData"], source, received_at)


def _read_review(event: Field, source: Source, received_at: datetime) -> Signal:
    action, data = ACTIONS.get(event["eventName"].text()), event["eventData"]
    if action is None:
        event["eventName"].refuse("is not a known event")
    if action == DELETED:
        moment = data["deletedAt"].time_or_none() or received_at
        return _signal(data, source, received_at, moment, action=action)
    stars = data["stars"].number()
    if not 1 <= stars <= 5:
        data["stars"].refuse("must be between 1 and 5")
    updated = data["updatedAt"].text_or_none() or ""
    return _signal(
        data, source, received_at, data["createdAt"].time(), action=action, revision=updated if action == UPDATED else "",
        author_name=data["consumer"]["name"].text_or_none() or data["consumer"]["displayName"].text_or_none(), text=_read_text(data),
        language=data["language"].text_or_none(), rating=Rating("stars", stars, 1.0, 5.0), attributes=_read_attributes(data),
    )


def _read_reply(data: Field, source: Source, received_at: datetime) -> Signal:
    """The company's own answer, known by the review it stands under."""
    reply, review = data["companyReply"], data["id"].id()
    return Signal(
        channel="trustpilot", source=source.name, native_id=f"{review}/reply", kind="review", direction=OUTBOUND, public=True, received_at=received_at,
        occurred_at=settle_time(reply["createdAt"].time(), received_at, reply["createdAt"].path), revision=reply["updatedAt"].text_or_none() or "",
        identities=_read_identities(data), agent=source.brand, text=reply["text"].text(), parent_id=review,
    )


def _signal(data: Field, source: Source, received_at: datetime, moment: datetime, **facts: Any) -> Signal:
    native_id, occurred_at = data["id"].id(), settle_time(moment, received_at, data["createdAt"].path)
    return Signal(
        channel="trustpilot", source=source.name, native_id=native_id, kind="review", public=True, occurred_at=occurred_at, received_at=received_at,
        identities=_read_identities(data), url=f"https://www.trustpilot.com/reviews/{native_id}", **facts,
    )


def _read_identities(data: Field) -> tuple[str, ...]:
    consumer, email = data["consumer"]["id"].id_or_none(), data["referralEmail"].text_or_none()
    return normalise_identities([*([f"trustpilot:{consumer}"] if consumer else []), *([f"email:{email}"] if email else [])])


def _read_text(data: Field) -> str | None:
    parts = [part for part in (data["title"].text_or_none(), data["text"].text_or_none()) if part and part.strip()]
    return "\n\n".join(parts) or None


def _read_attributes(data: Field) -> dict[str, Any]:
    tags = [f"{tag['group'].text_or_none() or ''}:{tag['value'].text_or_none() or ''}" for tag in data["tags"].each()]
    ids = {"reference_id": data["referenceId"].id_or_none(), "location_id": data["locationId"].id_or_none()}
    facts = {**ids, "verified": data["isVerified"].boolean_or_none(), "tags": tags}
    return {name: value for name, value in facts.items() if value not in (None, [])}
