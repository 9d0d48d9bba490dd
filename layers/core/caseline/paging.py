"""Lists that a platform gives newest first: read back to what is known, late items, edits and replies included.

The state of a list: `since`, the newest change that was read, and `seen`, marks of what was read near it. Within a run that was cut short also `page`
to go on with, `newest` and `met`. `since` and `seen` move only with the end of a run, so that a run cut short repeats and loses nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from caseline.batches import Item, read_batch
from caseline.errors import PayloadError
from caseline.payloads import Field, read_time
from caseline.signals import Signal, Unreadable, isoformat
from caseline.sources import Source

OVERLAP = timedelta(days=3)  # how late an item may show in a list
REREAD_DAYS = 30  # how far back edits and replies are looked for; setting `reread_days`
BACKFILL_DAYS = 30  # how far back the first run reads; setting `backfill_days`
MOST_SEEN = 2000
State = dict[str, Any]
Items = list[Signal | Unreadable]


@dataclass(frozen=True)
class Page:
    """`last` is where the list's order stood at the page's end; `next` what to ask the next page by."""

    items: Items
    next: str | None
    last: datetime | None


def read_newest_first(open_page: Callable[[str | None], Page | None], state: State, source: Source, now: datetime) -> Iterator[tuple[Items, State]]:
    """What is new on each page, with the state to keep. `open_page` gives None for a page that the platform no longer knows."""
    state = keep_kinds(state, since=str, newest=str, page=str, seen=list, met=list)
    since = read_time(state["since"]) if state.get("since") else now - timedelta(days=_days(source, "backfill_days", BACKFILL_DAYS))
    end, seen = since - timedelta(days=_days(source, "reread_days", REREAD_DAYS) if state.get("since") else 0), frozenset(state.get("seen", ()))
    while True:
        page = open_page(state.get("page"))
        if page is None:
            state = _rest(state)
            continue
        items = [item for item in page.items if _changed(item, now) > isoformat(since - OVERLAP)]
        newest = max([state.get("newest") or state.get("since") or "", *(_changed(item, now) for item in items if isinstance(item, Signal))])
        met = [*state.get("met", ()), *(_mark(item) for item in items if _is_near(item, newest, now))][:MOST_SEEN]
        more = page.next if page.next and (page.last is None or page.last >= end) else None
        state = _move(state, more, newest, met)
        yield [item for item in items if _mark(item) not in seen], state
        if not more:
            return


def read_cursor(cursor: str | None, **kinds: Any) -> State:
    """What an earlier run left, of the kinds that are named; nothing where that cannot be read, so that the list is begun again."""
    try:
        state = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return keep_kinds(state, **kinds) if isinstance(state, dict) else {}


def keep_kinds(state: State, **kinds: Any) -> State:
    """Without values of other kinds than are named: another version may have written them."""
    return {name: value for name, value in state.items() if isinstance(value, kinds.get(name, object))}


def is_of(first: str, address: str) -> bool:
    """Whether an address that a platform named as the next page is of the list that begins at `first`."""
    return address.startswith(f"{first}?")


def read_items(items: Iterable[Item]) -> Items:
    """The items of a page; one that cannot be read is kept, even if no other can: without the page, of which something changes each time."""
    read: Items = []
    for place, read_item in items:
        try:
            read += read_batch([(place, read_item)])
        except PayloadError as error:
            read.append(Unreadable(error.message, error.field, place.value))
    return read


def last_time(entries: Sequence[Field], *path: str) -> datetime | None:
    """The time under `path` in the last of a page's entries, if it can be read."""
    try:
        return reduce(Field.__getitem__, path, entries[-1]).time_or_none() if entries else None
    except PayloadError:
        return None


def _move(state: State, page: str | None, newest: str, met: list[str]) -> State:
    if page:
        return _rest(state) | {"page": page, "newest": newest, "met": met}
    return ({"since": newest} if newest else {}) | {"seen": met}


def _rest(state: State) -> State:
    """The state between runs."""
    return {name: state[name] for name in ("since", "seen") if name in state}


def _changed(item: Signal | Unreadable, now: datetime) -> str:
    """When the item was written or changed. What cannot be read may be new, and is known again by its mark."""
    return isoformat(now) if isinstance(item, Unreadable) else item.revision or isoformat(item.occurred_at)


def _is_near(item: Signal | Unreadable, newest: str, now: datetime) -> bool:
    return not newest or _changed(item, now) > isoformat(read_time(newest) - OVERLAP)


def _mark(item: Signal | Unreadable) -> str:
    version = json.dumps(item.raw, sort_keys=True) if isinstance(item, Unreadable) else f"{item.native_id} {item.revision} {item.action}"
    return hashlib.sha256(version.encode()).hexdigest()[:12]


def _days(source: Source, name: str, default: int) -> float:
    return float(source.settings.get(name) or default)
