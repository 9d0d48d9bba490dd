"""Reddit, polled: posts and comments of subreddits, and posts found by search. Credential: `{"client_id", "client_secret"}` of an app.

Settings: `subreddits` and `queries` (lists, one of them at least), `user_agent` (Reddit wants one of your own), `backfill_days` for the first run (7).
Facts: reddit.com/dev/api; Reddit's Data API wiki. Listings are newest first and end after a thousand items; 100 requests a minute for each app, which the
headers X-Ratelimit-Remaining and -Reset count. What was written lately is asked for again, as edits and removals change no listing, and Reddit's terms
want what was removed there to be erased here. Not confirmed: what a listing gives after an item that was removed, so an empty page begins it again;
that access needs approval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from caseline.calls import read_answer, read_credentials
from caseline.channels.reddit.items import read_page, read_times
from caseline.errors import SignatureError, UnavailableError
from caseline.paging import read_cursor
from caseline.payloads import Field, read_json
from caseline.signals import DELETED, Signal, Unreadable
from caseline.sources import Source
from caseline.watch import Watch, refuse_unless_readable, start_of
from caseline.web import WebhookRequest

NAMESPACE = "reddit"
PROOF = "none"
HOSTS = ("www.reddit.com", "oauth.reddit.com")
POLL_SECONDS = 300
API, TOKEN_URL = "https://oauth.reddit.com", "https://www.reddit.com/api/v1/access_token"
PAGE_SIZE, ASKED_AGAIN = 100, 100
OVERLAP, LATE = timedelta(hours=1), timedelta(days=3)  # how far back a run reads, and how late an item may show on a page that it reads
BACKFILL_DAYS, WATCH_TIME = 7, timedelta(days=7)
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,32}\Z")
Items = list[Signal | Unreadable]


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("reddit is polled")


def parse(request: WebhookRequest, source: Source) -> Items:
    """One page of a listing, as it was received."""
    items = [item for _, _, item in read_page(read_json(request.body), source, request.received_at)]
    return refuse_unless_readable(items)


def fetch(session: Any, source: Source, cursor: str | None) -> Iterator[tuple[Items, str]]:
    """Pages of signals, each with the cursor to keep once they are queued. `session.request` is that of requests; `session.now()` is the clock.

    The cursor holds for each listing the time up to which all is read and, where a run was cut short, the page to go on with and the newest time seen;
    and what is watched (`seen`).
    """
    run = _Run(session, source, read_cursor(cursor, lists=dict))
    for path, query in _listings(source):
        yield from run.read_listing(path, query)
    yield from run.look_again()


class _Run:
    def __init__(self, session: Any, source: Source, state: Mapping[str, Any]) -> None:
        self.session, self.source, self.token = session, source, ""
        self.lists = {name: each for name, each in state.get("lists", {}).items() if isinstance(each, dict)}
        self.seen = Watch(state.get("seen"))

    def cursor(self) -> str:
        return json.dumps({"lists": self.lists, "seen": self.seen.marks})

    def read_listing(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[Items, str]]:
        """From the newest item down to what the last full reading had; items as old as that are read again, so that none of one second is missed."""
        name = f"{path}?{query['q']}" if "q" in query else path
        since, resumed = self.lists.get(name, {}).get("since"), self.lists.get(name, {}).get("page")
        since, floor = start_of(since, self.source, BACKFILL_DAYS, self.session.now(), LATE)
        while True:
            state = self.lists.get(name, {})
            body = self._get(path, {**query, "limit": str(PAGE_SIZE), **({"after": state["page"]} if state.get("page") else {})})
            times = read_times(body)
            if resumed and not times:
                self.lists[name], resumed = {"since": since}, None  # the page's first item may be gone: begin again
                continue
            resumed = None
            page = body["data"]["after"].id_or_none() if times and times[-1] >= since - OVERLAP.total_seconds() else None
            newest = min(max([state.get("newest") or since, *times]), self.session.now().timestamp())
            self.lists[name] = {"since": since, "page": page, "newest": newest} if page else {"since": newest}
            yield self._news(body, floor), self.cursor()
            if not page:
                return

    def look_again(self) -> Iterator[tuple[Items, str]]:
        """Ask for what was read in earlier runs: an edit is a revision, and what was removed is erased."""
        names = [name for name in self.seen.stale() if not name.startswith("#")][:ASKED_AGAIN]
        if names:
            news = self._news(self._get("/api/info", {"id": ",".join(names)}), 0)
            for name in set(names) & set(self.seen.stale()):
                self.seen.forget(name)  # no longer shown, and not said to be removed
            yield news, self.cursor()

    def _news(self, body: Field, since: float) -> Items:
        now, news = self.session.now(), list[Signal | Unreadable]()
        for name, mark, item in read_page(body, self.source, now):
            moment = item.occurred_at if isinstance(item, Signal) else now
            if moment.timestamp() >= since and self.seen.is_news(name, mark):
                news.append(item)
            if moment < now - WATCH_TIME or (isinstance(item, Signal) and item.action == DELETED and since == 0):
                self.seen.forget(name)
        return news

    def _get(self, path: str, query: Mapping[str, str]) -> Field:
        self.token = self.token or self._open_token()
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": _user_agent(self.source)}
        return read_answer(self.session.request("GET", API + path, params={**query, "raw_json": "1"}, headers=headers), "a listing")

    def _open_token(self) -> str:
        key, form = read_credentials(self.source), {"grant_type": "client_credentials"}
        client = key["client_id"].text(), key["client_secret"].text()
        answer = self.session.request("POST", TOKEN_URL, data=form, auth=client, headers={"User-Agent": _user_agent(self.source)})
        return read_answer(answer, "a token")["access_token"].text()


def _listings(source: Source) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The paths to read, each with its query."""
    subreddits, queries = _texts(source.settings.get("subreddits")), _texts(source.settings.get("queries"))
    if not subreddits and not queries:
        raise UnavailableError("neither subreddits nor queries are set")
    for name in subreddits:
        if not _SUBREDDIT.match(name):
            raise UnavailableError("a subreddit's name has letters, digits and underscores")
        yield from ((f"/r/{name}/{kind}", {}) for kind in ("new", "comments"))
    yield from (("/search", {"q": query, "sort": "new", "type": "link"}) for query in queries)


def _texts(value: Any) -> list[str]:
    return [str(each).strip() for each in (value if isinstance(value, list | tuple) else [value] if value else [])]


def _user_agent(source: Source) -> str:
    return str(source.settings.get("user_agent") or f"python:caseline:1 (for {source.brand})")
