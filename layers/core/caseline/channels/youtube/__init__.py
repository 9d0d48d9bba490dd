"""YouTube comments, polled: threads on a channel and its videos, with their replies. Credential: an API key. Settings: `channel_id` (`UC...`),
`backfill_days` for the first run (7).

Facts: developers.google.com/youtube/v3, commentThreads.list and comments.list. Threads come by the time of their first comment, the newest first, so
replies, edits and removals show in no new page: threads that were read lately are asked for again. A thread brings only some of its replies; the others
are read where their number has changed. Each request costs one unit of the day's quota. Not confirmed: how large that is, that 403 `commentsDisabled` is
no failure, and whether a thread that is gone is left out of the answer or refused with 404: both are taken for its deletion.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from caseline.calls import read_answer
from caseline.channels.youtube.comments import Reader, began_at, count_replies, embedded_replies, read_id
from caseline.errors import PayloadError, SignatureError, UnavailableError
from caseline.paging import read_cursor
from caseline.payloads import Field, read_json
from caseline.signals import DELETED, Signal, Unreadable
from caseline.sources import Source
from caseline.watch import Watch, refuse_unless_readable, start_of
from caseline.web import WebhookRequest

NAMESPACE = "youtube"
PROOF = "none"
HOSTS = ("youtube.googleapis.com",)
POLL_SECONDS = 900
REQUIRED_SETTINGS = ("channel_id",)
API = "https://youtube.googleapis.com/youtube/v3"
PAGE_SIZE, ASKED_AGAIN, REPLY_PAGES = 100, 50, 20
THREADS, COMMENTS = 150, 1500  # that are watched
OVERLAP, LATE = timedelta(minutes=10), timedelta(days=3)  # how far back a run reads, and how late a thread may show on a page that it reads
BACKFILL_DAYS = 7
QUOTA_REASONS, QUOTA_SECONDS = frozenset({"quotaExceeded", "dailyLimitExceeded", "rateLimitExceeded"}), 3600
Items = list[Signal | Unreadable]


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("youtube is polled")


def parse(request: WebhookRequest, source: Source) -> Items:
    """One page of `commentThreads.list`, as it was received."""
    body, reader = read_json(request.body), Reader(source, request.received_at)
    if body["items"].value is None:
        body["items"].refuse("is required")
    return refuse_unless_readable([item for thread in body["items"].each() for _, _, item in reader.read_thread(thread, embedded_replies(thread))])


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[tuple[Items, str]]:
    """Pages of signals, each with the cursor to keep once they are queued. `session.request` is that of requests; `session.now()` is the clock.

    The cursor holds the time up to which all is read and, where a run was cut short, the page to go on with and the newest time seen; the threads that
    are watched with the number of their replies, and the comments with the time of their last change.
    """
    run = _Run(session, source, read_cursor(cursor, since=int | float, newest=int | float, page=str))
    yield from run.read_new()
    yield from run.look_again()


class _Run:
    def __init__(self, session: Any, source: Source, state: Mapping[str, Any]) -> None:
        self.session, self.source = session, source
        self.place = {name: state[name] for name in ("since", "page", "newest") if state.get(name)}
        self.threads, self.comments = Watch(state.get("threads"), THREADS), Watch(state.get("comments"), COMMENTS)

    def cursor(self) -> str:
        return json.dumps({**self.place, "threads": self.threads.marks, "comments": self.comments.marks})

    def read_new(self) -> Iterator[tuple[Items, str]]:
        """From the newest thread down to what the last full reading had, and a little further."""
        since, floor = start_of(self.place.get("since"), self.source, BACKFILL_DAYS, self.session.now(), LATE)
        resumed = bool(self.place.get("page"))
        query = {"allThreadsRelatedToChannelId": str(self.source.settings.get("channel_id") or ""), "order": "time", "maxResults": str(PAGE_SIZE)}
        while True:
            body = self._get_threads(query | ({"pageToken": self.place["page"]} if self.place.get("page") else {}), refused=400 if resumed else None)
            if body is None:
                self.place, resumed = {"since": since}, False  # the page is no longer known: begin again
                continue
            resumed, times = False, [moment for thread in body["items"].each() if (moment := began_at(thread)) is not None]
            more = times and times[-1] >= since - OVERLAP.total_seconds()
            page = body["nextPageToken"].id_or_none() if more else None
            newest = min(max([self.place.get("newest") or since, *times]), self.session.now().timestamp())
            news = self._news(thread for thread in body["items"].each() if self._is_wanted(thread, floor))
            self.place = {"since": since, "page": page, "newest": newest} if page else {"since": newest}
            yield news, self.cursor()
            if not page:
                return

    def look_again(self) -> Iterator[tuple[Items, str]]:
        """Ask for threads that were read in earlier runs: they may have replies, edits, or be gone."""
        ids = [thread_id for thread_id in self.threads.stale() if not thread_id.startswith("#")][:ASKED_AGAIN]
        if ids:
            found, gone = self._find(ids)
            news = self._news(found)
            for thread_id in gone:
                news += [self._delete(name) for name in (thread_id, *self.comments.under(f"{thread_id}."))]
                self.threads.forget(thread_id)
            yield news, self.cursor()

    def _is_wanted(self, thread: Field, since: float) -> bool:
        """New ones, those that are watched, and those that cannot be read."""
        made = began_at(thread)
        return made is None or made >= since or read_id(thread) in self.threads.marks

    def _find(self, ids: Sequence[str]) -> tuple[list[Field], list[str]]:
        """The threads that are there and the ids of those that are gone. If none of several is shown, each half is asked for: that may be a fault."""
        body = self._get_threads({"id": ",".join(ids)}, refused=404)
        threads = list(body["items"].each()) if body else []
        if not threads and len(ids) > 1:
            halves = [self._find(half) for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :])]
            return [thread for found, _ in halves for thread in found], [name for _, gone in halves for name in gone]
        there = [read_id(thread) for thread in threads]
        return threads, [name for name in ids if name not in there] if all(there) else []

    def _news(self, threads: Iterable[Field]) -> Items:
        return [item for thread in threads for item in self._read_thread(thread)]

    def _read_thread(self, thread: Field) -> Items:
        reader, total = Reader(self.source, self.session.now()), count_replies(thread)
        replies, thread_id = embedded_replies(thread), read_id(thread)
        news = [item for name, mark, item in reader.read_thread(thread, replies) if self.comments.is_news(name, mark)]
        if not thread_id:
            return news
        counted = self.threads.is_news(thread_id, total or 0)
        if total and total > len(replies) and (news or counted):
            replies = self._get_replies(thread_id)
            news += [item for name, mark, item in reader.read_replies(thread, replies) if self.comments.is_news(name, mark)]
        there = {read_id(reply) for reply in replies}
        gone = [name for name in self.comments.under(f"{thread_id}.") if name not in there] if total is not None and len(replies) >= total else []
        return [*news, *(self._delete(name) for name in gone)]

    def _delete(self, name: str) -> Signal:
        self.comments.forget(name)
        now = self.session.now()
        return Signal(
            channel="youtube", source=self.source.name, native_id=name, kind="comment", action=DELETED, public=True, occurred_at=now, received_at=now,
        )

    def _get_replies(self, thread_id: str) -> list[Field]:
        replies, page = list[Field](), None
        for _ in range(REPLY_PAGES):
            query = {"parentId": thread_id, "maxResults": str(PAGE_SIZE), **({"pageToken": page} if page else {})}
            body = self._ask("comments", {"part": "snippet", **query}) or Field({}, "")
            replies += body["items"].each()
            page = body["nextPageToken"].id_or_none()
            if not page:
                break
        return replies

    def _get_threads(self, query: Mapping[str, str], refused: int | None) -> Field | None:
        return self._ask("commentThreads", {"part": "snippet,replies", **query}, refused)

    def _ask(self, what: str, query: Mapping[str, str], refused: int | None = None) -> Field | None:
        """The answer; None where it has the status that says the page or the thread is not known (any more)."""
        key = self.source.secrets[0] if self.source.secrets else ""
        answer = self.session.request("GET", f"{API}/{what}", params={**query, "textFormat": "plainText"}, headers={"X-Goog-Api-Key": key})
        if answer.status_code == 200:
            return read_answer(answer, what)
        if answer.status_code == refused:
            return None
        reason = _read_reason(answer.content)
        if answer.status_code == 403 and reason == "commentsDisabled":
            return Field({"items": []}, "")
        raise UnavailableError(f"YouTube answered {answer.status_code}", QUOTA_SECONDS if reason in QUOTA_REASONS else 0)


def _read_reason(content: bytes) -> str | None:
    try:
        return next((error["reason"].text_or_none() for error in read_json(content)["error"]["errors"].each()), None)
    except PayloadError:
        return None
