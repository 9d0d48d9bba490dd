"""Google Business Profile reviews: notices pushed by Pub/Sub, and the lists of the settings' `locations`, polled.

Credential: of a notice the OIDC token that Pub/Sub signs (settings `audience` and `service_account`, both needed; its keys are Google's published ones, or the
setting `jwks`); of the API a person's consent `{"client_id", "client_secret", "refresh_token"}` or the key file of a service account, as the source's secret.
Facts: cloud.google.com/pubsub, "Authentication for push"; developers.google.com/my-business, `accounts.locations.reviews` and notifications.
Not confirmed: how a notice spells its fields (each spelling in the documents is read), the second form of the issuer, whether a reply moves the time of its
review (so lists are read back as far as `reread_days`), and how a translation is marked in a comment.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.calls import read_answer, read_setting
from caseline.errors import PayloadError, UnavailableError
from caseline.google import TOKEN_HOST, open_token
from caseline.google_push import sign_push, verify_push
from caseline.identity import normalise_identities
from caseline.paging import Items, Page, last_time, read_cursor, read_items, read_newest_first
from caseline.payloads import Field, read_json, settle_time
from caseline.reviews import make_reply
from caseline.signals import CREATED, DELETED, UPDATED, Rating, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "google_business"
HOSTS = ("mybusiness.googleapis.com", TOKEN_HOST)
POLL_SECONDS = 900
PROOF = "token"
API = "https://mybusiness.googleapis.com/v4"
SCOPE = "https://www.googleapis.com/auth/business.manage"
NOTICES = {"NEW_REVIEW": CREATED, "UPDATED_REVIEW": UPDATED}
IGNORED = frozenset({"GOOGLE_UPDATE", "DUPLICATE_LOCATION", "LOSS_OF_VOICE_OF_MERCHANT", "VOICE_OF_MERCHANT_UPDATED", "NEW_CUSTOMER_MEDIA"})
STARS = {"ONE": 1.0, "TWO": 2.0, "THREE": 3.0, "FOUR": 4.0, "FIVE": 5.0}
PAGE_SIZE = 50
ID = re.compile(r"[A-Za-z0-9_=-]{1,200}\Z")


verify, sign = verify_push, sign_push
SIGNS_WITH = "jwks"  # the setting whose private key, a developer's own, signs samples: only Google has the real one


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """The notice: a pointer to the review, which `complete` fetches. Also a page of a list, or one review of it, as it was received."""
    body = read_json(request.body)
    if "message" not in body and ("reviews" in body or "starRating" in body):
        reviews = body["reviews"].each() if "reviews" in body else [body]
        return read_batch(item for review in reviews for item in _read_both(review, source, request.received_at))
    message = body["message"]
    notice = _read_notice(message["data"])
    name, kind = _first(notice, "review", "reviewName", "review_name", "name"), _first(notice, "type", "notificationType")
    if kind.text_or_none() in IGNORED:
        return []
    if kind.value is not None and kind.value not in NOTICES:
        kind.refuse("is not a known notification")
    review, sent = _read_name(name), message["publishTime"].time_or_none() or request.received_at
    return [Signal(
        channel="google_business", source=source.name, native_id=review, kind="pointer", action=NOTICES.get(kind.text_or_none() or "", CREATED), public=True,
        occurred_at=settle_time(sent, request.received_at, "message.publishTime"), received_at=request.received_at,
        identities=normalise_identities([f"google_business:{review}"]), attributes={"location": review.partition("/reviews/")[0]},
    )]


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The review that a notice pointed to; one that is gone by now is a deletion. A reply to it comes with the poll."""
    answer = session.request("GET", f"{API}/{signal.native_id}", headers=_authorize(session, source))
    if answer.status_code == 404:
        return signal.with_(kind="review", action=DELETED, attributes={})
    return _read_review(read_answer(answer, "a review"), source, signal.received_at).with_(native_id=signal.native_id)


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[tuple[Items, str]]:
    """Pages of the reviews of each location, changed last first. The cursor holds the state of each list."""
    states = {name: state for name, state in read_cursor(cursor).items() if isinstance(state, dict)}
    locations = [_read_location(item) for item in Field(source.settings.get("locations"), "locations").each()]
    headers = _authorize(session, source) if locations else {}
    failures: list[UnavailableError] = []
    for location in locations:
        open_page = partial(_open_page, session, source, headers, location)
        try:
            for items, state in read_newest_first(open_page, states.get(location, {}), source, session.now()):
                states = {**states, location: state}
                yield items, json.dumps(states)
        except UnavailableError as error:
            failures.append(error)  # of this location; the others are read all the same
    if failures:
        raise failures[0]


def _open_page(session: Any, source: Source, headers: Mapping[str, str], location: str, page: str | None) -> Page | None:
    query = {"pageSize": str(PAGE_SIZE), "orderBy": "updateTime desc", **({"pageToken": page} if page else {})}
    answer = session.request("GET", f"{API}/{location}/reviews", params=query, headers=headers)
    if answer.status_code == 400 and page:
        return None
    body, now = read_answer(answer, "the reviews"), session.now()
    reviews = list(body["reviews"].each())
    items = read_items(item for review in reviews for item in _read_both(review, source, now))
    return Page(items, body["nextPageToken"].id_or_none(), last_time(reviews, "updateTime"))


def _read_both(review: Field, source: Source, now: datetime) -> Iterator[Item]:
    yield review, partial(_read_review, review, source, now)
    if isinstance(review.value, dict) and review.value.get("reviewReply"):
        yield review, partial(_read_reply, review, source, now)


def _read_review(review: Field, source: Source, received_at: datetime) -> Signal:
    name, stars, reviewer = _read_name(review["name"]), STARS.get(review["starRating"].text_or_none() or ""), review["reviewer"]
    if stars is None and "comment" not in review:
        review["starRating"].refuse("must be ONE to FIVE")
    made = settle_time(review["createTime"].time(), received_at, review["createTime"].path)
    changed = settle_time(review["updateTime"].time_or_none() or made, received_at, review["updateTime"].path)
    return Signal(
        channel="google_business", source=source.name, native_id=name, kind="review", action=UPDATED if changed > made else CREATED, public=True,
        occurred_at=made, received_at=received_at, revision=isoformat(changed) if changed > made else "",
        identities=normalise_identities([f"google_business:{name}"]), text=_read_words(review["comment"].text_or_none() or ""),
        author_name=None if reviewer["isAnonymous"].boolean_or_none() else reviewer["displayName"].text_or_none(),
        rating=None if stars is None else Rating("stars", stars, 1.0, 5.0), attributes={"location": name.partition("/reviews/")[0]},
    )


def _read_reply(review: Field, source: Source, received_at: datetime) -> Signal:
    """The owner's answer; a review has at most one."""
    name, reply = _read_name(review["name"]), review["reviewReply"]
    moment, words = settle_time(reply["updateTime"].time(), received_at, reply["updateTime"].path), _read_words(reply["comment"].text())
    customer = normalise_identities([f"google_business:{name}"])
    return make_reply("google_business", source, name, customer, words, moment, received_at, revision=isoformat(moment))


def _read_words(comment: str) -> str | None:
    """What was written, not its translation: it stands behind `(Original)`, or before `(Translated by Google)`."""
    _, mark, original = comment.partition("(Original)")
    words = original if mark else comment.partition("(Translated by Google)")[0] or comment
    return words.strip() or None


def _read_notice(data: Field) -> Field:
    try:
        notice = read_json(base64.b64decode(data.text().encode("ascii"), validate=True))
    except (ValueError, binascii.Error) as error:
        raise PayloadError("is not base64", data.path) from error
    return Field(notice.object(), data.path)


def _first(notice: Field, *names: str) -> Field:
    return next((notice[name] for name in names if name in notice), notice[names[0]])


def _read_name(field: Field) -> str:
    """`accounts/<id>/locations/<id>/reviews/<id>`; it becomes part of an address."""
    return _check_name(field, ("accounts", "locations", "reviews"))


def _read_location(field: Field) -> str:
    return _check_name(field, ("accounts", "locations"))


def _check_name(field: Field, collections: tuple[str, ...]) -> str:
    parts = field.id().split("/")
    ids = parts[1::2]
    if tuple(parts[::2]) != collections or len(ids) != len(collections) or not all(ID.match(part) for part in ids):
        field.refuse("must be a name such as " + "/".join(f"{name}/1" for name in collections))
    return field.id()


def _authorize(session: Any, source: Source) -> dict[str, str]:
    return {"Authorization": f"Bearer {open_token(session, source, read_setting(source, 'scope', SCOPE))}"}
