"""Apple's App Store: customer reviews of the setting `app`, polled, and App Store Connect webhooks, of which TestFlight feedback is a customer's word.

Credential: of webhooks the secret they were made with; of the API `{"issuer_id", "key_id", "private_key"}` of a team key, as another secret of the source.
Facts: developer.apple.com, "Configuring and receiving webhook notifications", "List All Customer Reviews for an App". Not confirmed: that signatures come
without their prefix too (both are taken), that an edited review has a new `createdDate`, the fields of TestFlight feedback, and how the
hourly limit is told. A review has neither language nor person: only a nickname and a territory (ISO 3166 alpha-3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.calls import read_answer, read_credentials, read_path_id, read_setting
from caseline.errors import PayloadError, UnavailableError
from caseline.identity import normalise_identities
from caseline.paging import Items, Page, is_of, last_time, read_cursor, read_items, read_newest_first
from caseline.payloads import Field, read_json, settle_time
from caseline.reviews import join_words, make_reply, read_stars
from caseline.schemes import BodyScheme
from caseline.signals import DELETED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "app_store"
HOSTS = ("api.appstoreconnect.apple.com",)
POLL_SECONDS = 900
API = "https://api.appstoreconnect.apple.com/v1"
AUDIENCE, LIFETIME = "appstoreconnect-v1", 1200  # seconds
BARE_SIGNATURES = True
FEEDBACK = {f"betafeedback{kind.lower()}submissioncreated": f"betaFeedback{kind}Submissions" for kind in ("Crash", "Screenshot")}
IGNORED = ("webhookping", "appstoreversion", "buildupload", "buildbetadetail", "backgroundasset", "alternativedistribution")
SPARE_CALLS = 50  # of the hourly limit, left to others who share the key
TOLD = ("deviceModel", "osVersion", "locale", "appPlatform")


_SCHEME = BodyScheme("x-apple-signature", "hmacsha256=", bare=True)
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """TestFlight feedback as a pointer that `complete` fetches; what becomes of builds and versions is no customer's word.

    Also a page of reviews, or one review of it, as it was received.
    """
    body = read_json(request.body)
    data = body if body["type"].value == "customerReviews" else body["data"]
    reviews = data.each() if isinstance(data.value, list) else [data] if data["type"].value == "customerReviews" else None
    if reviews is not None:
        responses = _index(body["included"])
        return read_batch(item for review in reviews for item in _read_both(review, responses, source, request.received_at))
    return _read_notice(data, request.received_at, source)


def _read_notice(data: Field, received_at: datetime, source: Source) -> list[Signal | Unreadable]:
    kind = data["type"].text().replace("_", "").lower()  # as payloads spell it, or as the API names it
    if kind.startswith(IGNORED):
        return []
    if kind not in FEEDBACK:
        data["type"].refuse("is not a known event")
    sent = data["attributes"]["timestamp"]
    moment = settle_time(sent.time_or_none() or received_at, received_at, sent.path)
    instance = read_path_id(data["relationships"]["instance"]["data"]["id"])
    return [Signal(
        channel="app_store", source=source.name, native_id=instance, kind="pointer", occurred_at=moment, received_at=received_at,
        identities=normalise_identities([f"app_store:{instance}"]), attributes={"resource": FEEDBACK[kind]},
    )]


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The TestFlight feedback that a webhook pointed to; feedback that is gone by now is a deletion."""
    resource = str(signal.attributes.get("resource"))
    if resource not in FEEDBACK.values():
        raise PayloadError("is not a known resource", "attributes.resource")
    answer = session.request("GET", f"{API}/{resource}/{signal.native_id}", headers=_authorize(session, source))
    if answer.status_code == 404:
        return signal.with_(kind="message", action=DELETED, attributes={})
    said = read_answer(answer, "feedback")["data"]["attributes"]
    email = said["email"].text_or_none()
    made = said["createdDate"].time_or_none() or signal.occurred_at
    return signal.with_(
        kind="message", text=said["comment"].text_or_none(), occurred_at=settle_time(made, signal.received_at, said["createdDate"].path),
        identities=normalise_identities([*signal.identities, *([f"email:{email}"] if email else [])]),
        attributes={"resource": resource, **{name: said[name].value for name in TOLD if name in said}},
    )


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[tuple[Items, str]]:
    """Pages of reviews and the developer's responses, newest first. A run ends early where the hourly limit is nearly used up."""
    if not source.settings.get("app"):
        return
    calls = _Calls(session, source)
    for items, state in read_newest_first(calls.open_page, read_cursor(cursor), source, session.now()):
        yield items, json.dumps(state)
        if calls.left is not None and calls.left < SPARE_CALLS:
            return


class _Calls:
    def __init__(self, session: Any, source: Source) -> None:
        self.session, self.source, self.left = session, source, None
        self.first = f"{API}/apps/{read_path_id(Field(read_setting(source, 'app'), 'app'))}/customerReviews"

    left: int | None

    def open_page(self, page: str | None) -> Page | None:
        """`page` is the address that the platform gave as the next one."""
        if page and not is_of(self.first, page):
            return None  # of another app, which the settings named then
        query = None if page else {"sort": "-createdDate", "limit": "200", "include": "response"}
        answer = self.session.request("GET", page or self.first, params=query, headers=_authorize(self.session, self.source))
        if answer.status_code in (400, 404) and page:
            return None
        body, now = read_answer(answer, "the reviews"), self.session.now()
        self.left = _read_limit(answer.headers)
        responses = _index(body["included"])
        reviews = list(body["data"].each())
        items = read_items(item for review in reviews for item in _read_both(review, responses, self.source, now))
        return Page(items, self._read_next(body["links"]["next"]), last_time(reviews, "attributes", "createdDate"))

    def _read_next(self, field: Field) -> str | None:
        address = field.id_or_none() if field.value is None else field.id(4096)
        if address and not is_of(self.first, address):
            raise UnavailableError("the platform named a next page elsewhere")
        return address


def _read_both(review: Field, responses: Mapping[str, Field], source: Source, now: datetime) -> Iterator[Item]:
    yield review, partial(_read_review, review, source, now)
    try:
        response = responses.get(review["relationships"]["response"]["data"]["id"].id_or_none() or "")
    except PayloadError:
        return  # the review is among the unreadable
    if response and response["attributes"]["state"].value in (None, "PUBLISHED"):
        both = Field({"data": [{**review.object()}], "included": [response.value]}, "")  # a response alone does not say to what
        yield both, partial(_read_response, review, response, source, now)


def _read_review(review: Field, source: Source, received_at: datetime) -> Signal:
    said, review_id = review["attributes"], review["id"].id()
    moment, territory = settle_time(said["createdDate"].time(), received_at, said["createdDate"].path), said["territory"].text_or_none()
    return Signal(
        channel="app_store", source=source.name, native_id=review_id, kind="review", public=True, occurred_at=moment, received_at=received_at,
        revision=isoformat(moment), identities=normalise_identities([f"app_store:{review_id}"]), author_name=said["reviewerNickname"].text_or_none(),
        text=join_words(said["title"].text_or_none(), said["body"].text_or_none()), rating=read_stars(said["rating"]),
        attributes={"territory": territory} if territory else {},
    )


def _read_response(review: Field, response: Field, source: Source, received_at: datetime) -> Signal:
    """The developer's answer; another one to the same review has another id."""
    said, review_id = response["attributes"], review["id"].id()
    moment = settle_time(said["lastModifiedDate"].time(), received_at, said["lastModifiedDate"].path)
    customer, words = normalise_identities([f"app_store:{review_id}"]), said["responseBody"].text()
    return make_reply("app_store", source, review_id, customer, words, moment, received_at, isoformat(moment), response["id"].id())


def _index(included: Field) -> dict[str, Field]:
    return {item["id"].id(): item for item in included.each() if item["type"].value == "customerReviewResponses"}


def _read_limit(headers: Mapping[str, str]) -> int | None:
    """Calls left of the hour: `user-hour-lim:3600;user-hour-rem:3588;`."""
    found = re.search(r"user-hour-rem:(\d{1,9})", headers.get("x-rate-limit") or "")
    return int(found.group(1)) if found else None


def _authorize(session: Any, source: Source) -> dict[str, str]:
    import jwt

    key, now = read_credentials(source), int(session.now().timestamp())
    claims = {"iss": key["issuer_id"].text(), "iat": now, "exp": now + LIFETIME, "aud": AUDIENCE}
    try:
        token = jwt.encode(claims, key["private_key"].text(), algorithm="ES256", headers={"kid": key["key_id"].text(), "typ": "JWT"})
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise UnavailableError("the API key's private key is not a key") from error
    return {"Authorization": f"Bearer {token}"}
