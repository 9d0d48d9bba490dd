"""Google Play reviews, polled. Credential: the key file (JSON) of a service account that may reply to reviews; setting `package`.

Facts: developers.google.com/android-publisher/reply-to-reviews. The API shows reviews with words that were written or changed within seven days,
in an order that is not documented, so every page is read and the cursor's time moves only with the last one. Its quota is small: poll every
quarter of an hour or less often.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from caseline.batches import Item
from caseline.calls import read_answer
from caseline.errors import PayloadError, SignatureError
from caseline.google import TOKEN_HOST, open_token
from caseline.identity import normalise_identities
from caseline.paging import read_items
from caseline.payloads import Field, read_json, read_time, settle_time
from caseline.signals import OUTBOUND, Rating, Signal, Unreadable, isoformat
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
OVERLAP = timedelta(hours=1)
Page = tuple[list[Signal | Unreadable], str]


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("google_play is polled")


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """One page of `reviews.list`, or one review of it, as it was received."""
    body = read_json(request.body)
    return read_page(Field({"reviews": [body.value]}, "") if "reviewId" in body else body, source, request.received_at, since=None)


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[Page]:
    """Pages of signals, each with the cursor to keep once they are queued. `session.request` is that of requests; `session.now()` is the clock.

    The cursor holds the time up to which all is read and, within a run that was cut short, the page to go on with and the newest time seen.
    """
    state: dict[str, Any] = json.loads(cursor) if cursor else {}
    token = open_token(session, source, SCOPE)
    while True:
        body = _get_page(session, source, token, state.get("page"))
        if body is None:
            state = {"since": state["since"]} if state.get("since") else {}  # the page is no longer known: begin again
            continue
        since = read_time(state["since"]) - OVERLAP if state.get("since") else None
        signals = read_page(body, source, session.now(), since)
        newest = max([state.get("newest") or state.get("since") or "", *_times(body, session.now())])
        page = body["tokenPagination"]["nextPageToken"].id_or_none()
        state = {**state, "page": page, "newest": newest} if page else {"since": newest}
        yield signals, json.dumps(state)
        if not page:
            return


def read_page(body: Field, source: Source, received_at: datetime, since: datetime | None) -> list[Signal | Unreadable]:
    """The reviews and replies changed after `since`."""
    read = read_items(item for review in body["reviews"].each() for item in _read_items(review, source, received_at))
    return [item for item in read if since is None or isinstance(item, Unreadable) or item.revision > isoformat(since)]


def _read_items(review: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    yield review.value, partial(_read_review, review, source, received_at)
    for comment in review["comments"].each() if isinstance(review.value, dict) and isinstance(review.value.get("comments"), list) else ():
        if "developerComment" in comment:
            yield review.value, partial(_read_reply, review, comment["developerComment"], source, received_at)


def _read_review(review: Field, source: Source, received_at: datetime) -> Signal:
    comment = next((entry["userComment"] for entry in review["comments"].each() if "userComment" in entry), Field(None, f"{review.path}.comments"))
    stars, moment = comment["starRating"].number(), _read_moment(comment["lastModified"], received_at)
    if not 1 <= stars <= 5:
        comment["starRating"].refuse("must be between 1 and 5")
    facts = {name: comment[name].value for name in ("device", "androidOsVersion", "appVersionCode", "appVersionName") if name in comment}
    review_id = review["reviewId"].id()
    return Signal(
        channel="google_play", source=source.name, native_id=review_id, kind="review", public=True, occurred_at=moment, received_at=received_at,
        revision=isoformat(moment), identities=normalise_identities([f"google_play:{review_id}"]), author_name=review["authorName"].text_or_none() or None,
        text=_read_text(comment), language=comment["reviewerLanguage"].text_or_none(), rating=Rating("stars", stars, 1.0, 5.0),
        engagement=comment["thumbsUpCount"].count_or_none(), attributes=facts,
    )


def _read_reply(review: Field, comment: Field, source: Source, received_at: datetime) -> Signal:
    """The developer's answer; a review has at most one."""
    moment, review_id = _read_moment(comment["lastModified"], received_at), review["reviewId"].id()
    return Signal(
        channel="google_play", source=source.name, native_id=f"{review_id}/reply", kind="review", direction=OUTBOUND, public=True, occurred_at=moment,
        received_at=received_at, revision=isoformat(moment), identities=normalise_identities([f"google_play:{review_id}"]), agent=source.brand,
        text=comment["text"].text(), parent_id=review_id,
    )


def _read_text(comment: Field) -> str | None:
    """What the customer wrote, not its translation; of old reviews a title stands first, before a tab."""
    title, tab, words = (comment["originalText"].text_or_none() or comment["text"].text()).partition("\t")
    parts = [part.strip() for part in (title, words)] if tab else [title]
    return "\n\n".join(part for part in parts if part) or None


def _read_moment(field: Field, received_at: datetime) -> datetime:
    whole, nanos = field["seconds"].epoch(), field["nanos"].count_or_none() or 0
    return settle_time(whole + timedelta(microseconds=min(nanos, 999_999_999) // 1000), received_at, field.path)


def _times(body: Field, now: datetime) -> list[str]:
    """When each readable comment of the page was last changed."""
    times = []
    for review in body["reviews"].each():
        try:
            entries = [entry[kind]["lastModified"] for entry in review["comments"].each() for kind in ("userComment", "developerComment") if kind in entry]
            times += [isoformat(_read_moment(entry, now)) for entry in entries]
        except PayloadError:
            continue  # it is among the unreadable
    return times


def _get_page(session: Any, source: Source, token: str, page: str | None) -> Field | None:
    """The page, or None if the platform no longer knows it."""
    package = str(source.settings.get("package") or "")
    query = {"maxResults": str(PAGE_SIZE), **({"token": page} if page else {})}
    answer = session.request("GET", f"{API}/{package}/reviews", params=query, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 400 and page:
        return None
    return read_answer(answer, "the reviews")
