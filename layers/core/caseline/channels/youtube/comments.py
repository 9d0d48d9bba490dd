"""What a thread of YouTube's comments says, read leniently where only one comment of it is odd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.markup import strip_tags
from caseline.payloads import Field, settle_time
from caseline.signals import CREATED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.watch import name_raw

_HTML = re.compile(r"&(?:amp|lt|gt|quot|#39);|<br ?/?>|<a href=")


class Reader:
    """Reads comments, each with its name and a mark of its version."""

    def __init__(self, source: Source, received_at: datetime) -> None:
        self.source, self.received_at = source, received_at

    def read_thread(self, thread: Field, replies: Sequence[Field]) -> Iterator[tuple[str, int, Signal | Unreadable]]:
        try:
            top = thread["snippet"]["topLevelComment"]
        except PayloadError as error:
            yield name_raw(thread.value), 0, Unreadable(error.message, error.field, {"items": [thread.value]})
            return
        yield self._read(top, thread, partial(self.read_comment, top, thread, count_replies(thread)))
        yield from self.read_replies(thread, replies)

    def read_replies(self, thread: Field, replies: Sequence[Field]) -> Iterator[tuple[str, int, Signal | Unreadable]]:
        yield from (self._read(reply, thread, partial(self.read_comment, reply, thread)) for reply in replies)

    def _read(self, comment: Field, thread: Field, read: partial[Signal]) -> tuple[str, int, Signal | Unreadable]:
        try:
            signal = read()
            return signal.native_id, int(comment["snippet"]["updatedAt"].time().timestamp() * 1000) if "updatedAt" in comment["snippet"] else 0, signal
        except PayloadError as error:
            return name_raw(comment.value), 0, Unreadable(error.message, error.field, _keep(comment, thread))

    def read_comment(self, comment: Field, thread: Field, replies: int | None = None) -> Signal:
        """A comment, or a reply to one; only replies have a parent."""
        snippet, native_id = comment["snippet"], comment["id"].id()
        made = settle_time(snippet["publishedAt"].time(), self.received_at, snippet["publishedAt"].path)
        changed = snippet["updatedAt"].time_or_none() or made
        video, likes = snippet["videoId"].id_or_none() or thread["snippet"]["videoId"].id_or_none(), snippet["likeCount"].count_or_none()
        return Signal(
            channel="youtube", source=self.source.name, native_id=native_id, kind="comment", action=UPDATED if changed > made else CREATED, public=True,
            occurred_at=made, received_at=self.received_at, revision=isoformat(changed) if changed > made else "",
            text=_read_words(snippet), engagement=None if likes is None else likes + (replies or 0),
            url=f"https://www.youtube.com/watch?v={video}&lc={native_id}" if video else None, thread_id=video, parent_id=snippet["parentId"].id_or_none(),
            **self._read_people(snippet, thread),
        )

    def _read_people(self, snippet: Field, thread: Field) -> dict[str, Any]:
        """The channel's own comments answer whoever began the thread."""
        if not self._is_own(snippet):
            return {"direction": INBOUND, "identities": _identities(snippet), "author_name": snippet["authorDisplayName"].text_or_none()}
        asked = thread["snippet"]["topLevelComment"]["snippet"]
        to = _identities(asked) if "parentId" in snippet and not self._is_own(asked) else ()
        return {"direction": OUTBOUND, "agent": snippet["authorDisplayName"].text_or_none() or self.source.brand, "identities": to}

    def _is_own(self, snippet: Field) -> bool:
        """The channel itself, by the setting or as the platform names it, and whom own_ids names."""
        author, handle = snippet["authorChannelId"]["value"].id_or_none(), snippet["authorDisplayName"].text_or_none() or ""
        channels = (self.source.settings.get("channel_id"), snippet["channelId"].id_or_none())
        return (author is not None and author in channels) or self.source.owns("youtube", author) or self.source.owns("youtube", handle)


def _read_words(snippet: Field) -> str:
    """Plain text where that was asked for, else HTML, which its entities, line breaks and links give away."""
    if written := snippet["textOriginal"].text_or_none():
        return written
    shown = snippet["textDisplay"].text()
    return strip_tags(shown) if _HTML.search(shown) else shown


def _keep(comment: Field, thread: Field) -> dict[str, Any]:
    """A page with this comment, in its thread without other replies, as `parse` reads it."""
    try:
        opens = comment.value is thread["snippet"]["topLevelComment"].value
        bare = {name: value for name, value in thread.object().items() if name != "replies"}
    except PayloadError:
        return {"items": [thread.value]}
    return {"items": [bare if opens else {**bare, "replies": {"comments": [comment.value]}}]}


def read_id(item: Field) -> str | None:
    """The id of a thread or a comment, if that can be read."""
    found = item.value.get("id") if isinstance(item.value, dict) else None
    return found if isinstance(found, str) and found else None


def _identities(snippet: Field) -> tuple[str, ...]:
    author, handle = snippet["authorChannelId"]["value"].id_or_none(), snippet["authorDisplayName"].text_or_none() or ""
    return normalise_identities([*([f"youtube:{author}"] if author else []), *([f"youtube:{handle}"] if handle.startswith("@") else [])])


def embedded_replies(thread: Field) -> list[Field]:
    """The replies that the thread itself brings."""
    try:
        return list(thread["replies"]["comments"].each())
    except PayloadError:
        return []


def count_replies(thread: Field) -> int | None:
    """How many replies there are, if that can be read."""
    try:
        return thread["snippet"]["totalReplyCount"].count_or_none()
    except PayloadError:
        return None


def began_at(thread: Field) -> float | None:
    """When the thread began, if that can be read."""
    try:
        return thread["snippet"]["topLevelComment"]["snippet"]["publishedAt"].time().timestamp()
    except PayloadError:
        return None
