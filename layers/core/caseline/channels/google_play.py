"""Google Play reviews, polled. Credential: the key file (JSON) of a service account that may reply to reviews; setting `package`.

Facts: developers.google.com/android-publisher/reply-to-reviews. The API shows reviews with words that were written or changed within seven days,
in an order that is not documented, so every page is read and the cursor's time moves only with the last one. Its quota is small: poll every
quarter of an hour or less often.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.calls import read_answer, read_setting
from caseline.errors import SignatureError
from caseline.google import TOKEN_HOST, open_token
from caseline.identity import normalise_identities
from caseline.paging import Items, Page, read_cursor, read_items, read_newest_first
from caseline.payloads import Field, read_json, settle_time
from caseline.reviews import join_words, make_reply, read_stars
from caseline.signals import Signal, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "google_play"
PROOF = "none"
HOSTS = ("androidpublisher.googleapis.com", TOKEN_HOST)
POLL_SECONDS = 900
REQUIRED_SETTINGS = ("package",)
API = "https://androidpublisher.googleapis.com/androidpublisher/v3/applications"
SCOPE = "https://www.googleapis.com/auth/androidpublisher"
PAGE_SIZE = 100


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("google_play is polled")


def parse(request: WebhookRequest, source: Source) -> Items:
    """One page of `reviews.list`, or one review of it, as it was received."""
    body = read_json(request.body)
    if "reviewId" not in body and "reviews" not in body:
        body["reviews"].refuse("is required")
    return read_batch(_list_items(Field({"reviews": [body.value]}, "") if "reviewId" in body else body, source, request.received_at))


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[tuple[Items, str]]:
    """Pages of what is new, each with the cursor to keep once it is queued. `session.request` is that of requests; `session.now()` is the clock."""
    headers = {"Authorization": f"Bearer {open_token(session, source, SCOPE)}"}
    for items, state in read_newest_first(partial(_open_page, session, source, headers), read_cursor(cursor), source, session.now()):
        yield items, json.dumps(state)


def _open_page(session: Any, source: Source, headers: Mapping[str, str], page: str | None) -> Page | None:
    query = {"maxResults": str(PAGE_SIZE), **({"token": page} if page else {})}
    answer = session.request("GET", f"{API}/{read_setting(source, 'package')}/reviews", params=query, headers=headers)
    if answer.status_code == 400 and page:
        return None
    body = read_answer(answer, "the reviews")
    return Page(read_items(_list_items(body, source, session.now())), body["tokenPagination"]["nextPageToken"].id_or_none(), last=None)


def _list_items(body: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    for review in body["reviews"].each():
        yield review, partial(_read_review, review, source, received_at)
        for comment in review["comments"].each() if isinstance(review.value, dict) and isinstance(review.value.get("comments"), list) else ():
            if "developerComment" in comment:
                yield review, partial(_read_reply, review, comment["developerComment"], source, received_at)


def _read_review(review: Field, source: Source, received_at: datetime) -> Signal:
    comment = next((entry["userComment"] for entry in review["comments"].each() if "userComment" in entry), Field(None, f"{review.path}.comments"))
    moment, review_id = _read_moment(comment["lastModified"], received_at), review["reviewId"].id()
    facts = {name: comment[name].value for name in ("device", "androidOsVersion", "appVersionCode", "appVersionName") if name in comment}
    return Signal(
        channel="google_play", source=source.name, native_id=review_id, kind="review", public=True, occurred_at=moment, received_at=received_at,
        revision=isoformat(moment), identities=normalise_identities([f"google_play:{review_id}"]), author_name=review["authorName"].text_or_none() or None,
        text=_read_text(comment), language=comment["reviewerLanguage"].text_or_none(), rating=read_stars(comment["starRating"]),
        engagement=comment["thumbsUpCount"].count_or_none(), attributes=facts,
    )


def _read_reply(review: Field, comment: Field, source: Source, received_at: datetime) -> Signal:
    """The developer's answer; a review has at most one."""
    moment, review_id = _read_moment(comment["lastModified"], received_at), review["reviewId"].id()
    customer = normalise_identities([f"google_play:{review_id}"])
    return make_reply("google_play", source, review_id, customer, comment["text"].text(), moment, received_at, revision=isoformat(moment))


def _read_text(comment: Field) -> str | None:
    """What the customer wrote, not its translation; of old reviews a title stands first, before a tab."""
    title, tab, words = (comment["originalText"].text_or_none() or comment["text"].text_or_none() or "").partition("\t")
    return join_words(title, words) if tab else title or None


def _read_moment(field: Field, received_at: datetime) -> datetime:
    whole, nanos = field["seconds"].epoch(), field["nanos"].count_or_none() or 0
    return settle_time(whole + timedelta(microseconds=min(nanos, 999_999_999) // 1000), received_at, field.path)
