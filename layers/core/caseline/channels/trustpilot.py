"""Trustpilot reviews, pushed, and the private reviews of the setting `business_unit`, polled. Credential: an unguessable token, as `?token=` in the webhook's
URL or as the password of Basic credentials in it; of the API `{"client_id", "client_secret"}` as another secret of the source.

Facts: support.trustpilot.com, "How to set up Trustpilot Webhooks"; developers.trustpilot.com. No signature scheme is documented. Names of product reviews, of
a company's reply in an event and of a deleted review's fields are not documented either: they are read if they are there. Not confirmed: how a list is paged;
the link to the next page is followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.calls import read_answer, read_credentials, read_setting
from caseline.errors import UnavailableError
from caseline.identity import normalise_identities
from caseline.paging import Items, Page, is_of, last_time, read_cursor, read_items, read_newest_first
from caseline.payloads import Field, read_json, settle_time
from caseline.reviews import join_words, make_reply, read_stars
from caseline.schemes import TokenScheme
from caseline.signals import CREATED, DELETED, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "trustpilot"
HOSTS = ("api.trustpilot.com",)
POLL_SECONDS = 900
API = "https://api.trustpilot.com/v1"
TOKEN_URL = f"{API}/oauth/oauth-business-users-for-applications/accesstoken"
PROOF = "token"
ACTIONS = {f"{kind}-review-{action}": action for kind in ("service", "product") for action in (CREATED, UPDATED, DELETED)}


_SCHEME = TokenScheme()
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """The events; also one of them, a page of a list, or one review of it, as it was received."""
    body = read_json(request.body)
    if "eventName" in body:
        return read_batch(_read_items(body, source, request.received_at))
    if "stars" in body or body["reviews"].value:
        reviews = [body] if "stars" in body else body["reviews"].each()
        return read_batch(item for review in reviews for item in _read_both(review, source, request.received_at))
    events = body["events"]
    if events.value is None:
        events.refuse("is required")
    return read_batch(item for event in events.each() for item in _read_items(event, source, request.received_at))


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[tuple[Items, str]]:
    """Pages of the private reviews of the setting `business_unit`, newest first, with the company's replies."""
    if not source.settings.get("business_unit"):
        return
    open_page = partial(_open_page, session, source, {"Authorization": f"Bearer {_open_token(session, source)}"})
    for items, state in read_newest_first(open_page, read_cursor(cursor), source, session.now()):
        yield items, json.dumps(state)


def _open_page(session: Any, source: Source, headers: Mapping[str, str], page: str | None) -> Page | None:
    """`page` is the address that the platform gave as the next one."""
    first = f"{API}/private/business-units/{read_setting(source, 'business_unit')}/reviews"
    if page and not is_of(first, page):
        return None  # of another business unit, which the settings named then
    query = None if page else {"perPage": "100", "orderBy": "createdat.desc"}
    answer = session.request("GET", page or first, params=query, headers=headers)
    if answer.status_code in (400, 404) and page:
        return None
    body, now = read_answer(answer, "the reviews"), session.now()
    reviews = list(body["reviews"].each())
    items = read_items(item for review in reviews for item in _read_both(review, source, now))
    return Page(items, _read_next(body, first), last_time(reviews, "createdAt"))


def _read_next(body: Field, first: str) -> str | None:
    address = next((link["href"].text_or_none() for link in body["links"].each() if link["rel"].value == "next-page"), None)
    if address and not is_of(first, address):
        raise UnavailableError("the platform named a next page elsewhere")
    return address


def _open_token(session: Any, source: Source) -> str:
    key = read_credentials(source)
    client = key["client_id"].text(), key["client_secret"].text()
    answer = session.request("POST", TOKEN_URL, data={"grant_type": "client_credentials"}, auth=client)
    return read_answer(answer, "a token")["access_token"].text()


def _read_items(event: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    yield event, partial(_read_event, event, source, received_at)
    if isinstance(event.value, dict) and _has_reply(event.value.get("eventData")) and not str(event["eventName"].value).endswith(DELETED):
        yield event, partial(_read_reply, event["eventData"], source, received_at)


def _read_both(review: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    yield review, partial(_read_review, review, None, source, received_at)
    if _has_reply(review.value):
        yield review, partial(_read_reply, review, source, received_at)


def _has_reply(data: Any) -> bool:
    return isinstance(data, dict) and bool(data.get("companyReply"))


def _read_event(event: Field, source: Source, received_at: datetime) -> Signal:
    action, data = ACTIONS.get(event["eventName"].text()), event["eventData"]
    if action is None:
        event["eventName"].refuse("is not a known event")
    if action == DELETED:
        moment = data["createdAt"].time_or_none() or data["deletedAt"].time_or_none() or received_at
        return _signal(data, source, received_at, moment, action=action)
    return _read_review(data, action, source, received_at)


def _read_review(data: Field, action: str | None, source: Source, received_at: datetime) -> Signal:
    """A review of an event or of a list, which does not say whether it was changed: its times do."""
    made, changed = data["createdAt"].time(), data["updatedAt"].time_or_none()
    revision = isoformat(changed) if changed and changed > made and action != CREATED else ""
    return _signal(
        data, source, received_at, made, action=action or (UPDATED if revision else CREATED), revision=revision,
        author_name=data["consumer"]["name"].text_or_none() or data["consumer"]["displayName"].text_or_none(),
        text=join_words(data["title"].text_or_none(), data["text"].text_or_none()), rating=read_stars(data["stars"]),
        language=data["language"].text_or_none(), engagement=data["numberOfLikes"].count_or_none(), attributes=_read_attributes(data),
    )


def _read_reply(data: Field, source: Source, received_at: datetime) -> Signal:
    """The company's own answer, known by the review it stands under."""
    reply, changed = data["companyReply"], data["companyReply"]["updatedAt"].time_or_none()
    moment = settle_time(reply["createdAt"].time(), received_at, reply["createdAt"].path)
    revision = isoformat(changed) if changed else ""
    return make_reply("trustpilot", source, data["id"].id(), _read_identities(data), reply["text"].text(), moment, received_at, revision)


def _signal(data: Field, source: Source, received_at: datetime, moment: datetime, **facts: Any) -> Signal:
    native_id, occurred_at = data["id"].id(), settle_time(moment, received_at, data["createdAt"].path)
    return Signal(
        channel="trustpilot", source=source.name, native_id=native_id, kind="review", public=True, occurred_at=occurred_at, received_at=received_at,
        identities=_read_identities(data), url=f"https://www.trustpilot.com/reviews/{native_id}", **facts,
    )


def _read_identities(data: Field) -> tuple[str, ...]:
    consumer, email = data["consumer"]["id"].id_or_none(), data["referralEmail"].text_or_none()
    return normalise_identities([*([f"trustpilot:{consumer}"] if consumer else []), *([f"email:{email}"] if email else [])])


def _read_attributes(data: Field) -> dict[str, Any]:
    tags = [f"{tag['group'].text_or_none() or ''}:{tag['value'].text_or_none() or ''}" for tag in data["tags"].each()]
    ids = {"reference_id": data["referenceId"].id_or_none(), "location_id": data["locationId"].id_or_none()}
    facts = {**ids, "verified": data["isVerified"].boolean_or_none(), "tags": tags}
    return {name: value for name, value in facts.items() if value not in (None, [])}
