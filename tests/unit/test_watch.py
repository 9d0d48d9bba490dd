"""What a poll remembers: Reddit and YouTube against platforms whose items are edited, removed or odd."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.channels import open_channel
from caseline.errors import PayloadError, UnavailableError
from caseline.signals import DELETED, Signal
from caseline.sources import Source
from caseline.watch import Watch
from caseline.web import Headers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.odd import ODD, paths_of, put

START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
SOURCES = {
    "reddit": Source("default", "acme", (), ['{"client_id": "a", "client_secret": "b"}'], {"subreddits": ["acme"]}),
    "youtube": Source("default", "acme", (), ["key"], {"channel_id": "UCacme"}),
}


@dataclass
class Platform:
    """Items by id with the second they were made in and their version; newest first, a few a page."""

    page_size: int = 2
    items: dict[str, tuple[int, int]] = field(default_factory=dict)
    minutes: int = 0
    odd: Callable[[Any], Any] = lambda body: body

    def now(self) -> datetime:
        return START + timedelta(minutes=self.minutes)

    def request(self, method: str, url: str, params: Any = None, **options: Any) -> Any:
        body = {"access_token": "a"} if method == "POST" else self.odd(self.answer(url, params))
        return type("Answer", (), {"status_code": 200, "content": json.dumps(body).encode(), "headers": Headers({})})

    def page(self, params: Any) -> tuple[list[str], str | None]:
        names = sorted(self.items, key=lambda name: (self.items[name][0], name), reverse=True)
        after = params.get("after") or params.get("pageToken")
        start = names.index(after) + 1 if after in names else len(names) if after else 0
        found = names[start : start + self.page_size]
        return found, found[-1] if found and start + self.page_size < len(names) else None

    def answer(self, url: str, params: Any) -> Any:
        raise NotImplementedError


class FakeReddit(Platform):
    def answer(self, url: str, params: Any) -> Any:
        if url.endswith("/comments"):
            return {"data": {"after": None, "children": []}}
        names, after = ([name for name in params["id"].split(",") if name in self.items], None) if "id" in params else self.page(params)
        return {"data": {"after": after, "children": [self._show(name) for name in names]}}

    def _show(self, name: str) -> Any:
        second, version = self.items[name]
        made = START.timestamp() + second
        facts = {"name": name, "title": name, "author": "ann", "created_utc": made, "edited": made + version if version > 0 else False}
        return {"kind": "t3", "data": facts | ({"selftext": "[removed]"} if version < 0 else {})}


class FakeYouTube(Platform):
    def answer(self, url: str, params: Any) -> Any:
        alive = [name for name in params.get("id", "").split(",") if self.items.get(name, (0, -1))[1] >= 0]
        names, page = (alive, None) if "id" in params else self.page(params)
        return {"nextPageToken": page, "items": [self._show(name) for name in names if self.items[name][1] >= 0]}

    def _show(self, name: str) -> Any:
        made = START + timedelta(seconds=self.items[name][0])
        changed = made + timedelta(seconds=self.items[name][1])
        facts = {"textDisplay": name, "authorDisplayName": "@ann", "publishedAt": made.isoformat(), "updatedAt": changed.isoformat()}
        return {"id": name, "snippet": {"totalReplyCount": 0, "topLevelComment": {"id": name, "snippet": facts}}}


FAKES: dict[str, type[Platform]] = {"reddit": FakeReddit, "youtube": FakeYouTube}


def poll(channel: str, platform: Platform, cursor: str | None) -> tuple[list[Signal], str | None]:
    """One run; what it had queued and the cursor it had moved to when it ended or failed."""
    found: list[Signal] = []
    try:
        for items, moved in open_channel(channel).fetch(platform, SOURCES[channel], cursor):
            found += [item for item in items if isinstance(item, Signal)]
            cursor = moved
    except UnavailableError:
        pass
    return found, cursor


@pytest.mark.parametrize("channel", FAKES)
@given(versions=st.lists(st.sampled_from([0, 60, -1]), min_size=2, max_size=6))
@settings(max_examples=25, deadline=None)
def test_edits_and_removals_are_found_later(channel: str, versions: list[int]) -> None:
    platform = FAKES[channel](100, {f"t3_{index}": (index, 0) for index in range(len(versions) + 1)})
    _, cursor = poll(channel, platform, None)
    platform.minutes = 600
    platform.items["t3_new"] = (590 * 60, 0)
    platform.items |= {f"t3_{index}": (index, version) for index, version in enumerate(versions)}
    found, cursor = poll(channel, platform, cursor)
    actions = {signal.native_id: signal.action for signal in found}
    expected = {f"t3_{index}": "updated" if version > 0 else DELETED for index, version in enumerate(versions) if version}
    assert actions == expected | {"t3_new": "created"}
    assert poll(channel, platform, cursor)[0] == [], "each of them once"


@pytest.mark.parametrize("channel", FAKES)
@pytest.mark.parametrize("again", [False, True], ids=["first run", "asked again"])
def test_an_odd_item_delays_none_of_its_neighbours(channel: str, again: bool) -> None:
    """Whatever stands in whatever place of one item, the other comes out; elsewhere an odd answer ends the run with an error that a run may have."""
    platform = FAKES[channel](2, {"t3_a": (0, 0), "t3_b": (0, 5)})
    _, cursor = poll(channel, platform, None) if again else ([], None)
    platform.items["t3_a"] = (0, 9) if again else (0, 0)
    whole = platform.answer("https://x.example/new", {})
    places = [path for path in paths_of(whole) if len(path) > 1 and path[-1] != "children"]
    for path in places:
        for value in ODD:
            platform.odd = lambda body, path=path, value=value: put(whole, path, value) if body == whole else body
            try:
                found, _ = poll(channel, platform, cursor)
            except PayloadError:
                assert 0 not in path and 1 not in path, path
            else:
                assert 0 not in path or "t3_a" in {signal.native_id for signal in found}, path


def test_a_watch_forgets_what_it_has_not_seen_for_longest() -> None:
    watch = Watch({"a": 1, "b": 1}, limit=3)
    assert not watch.is_news("a", 1) and watch.is_news("c", 1) and watch.is_news("a", 2) and watch.is_news("d", 0)
    assert list(watch.marks) == ["c", "a", "d"] and watch.stale() == []
    watch.forget("nowhere")
    assert Watch(json.loads(json.dumps(watch.marks))).stale() == ["c", "a", "d"] and Watch("odd").marks == {}
