"""Meta: Facebook Pages, Instagram and Messenger. Credential: the App Secret; for the handshake the setting `verify_token`.

Facts: developers.facebook.com, "Webhooks", "Page webhooks", "Messenger webhooks", "Instagram webhooks". A request brings up to 1,000 changes.
Field names of Page ratings and mentions are taken from third parties; read leniently. What an Instagram mention says is fetched: that needs an access
token, as `{"access_token": ...}` among the secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, list_items, read_batch
from caseline.channels._meta_webhooks import BODY_LIMIT, acknowledge, challenge, list_entries, sign, verify
from caseline.channels.meta.mentions import HOSTS, complete
from caseline.channels.meta.messages import Conversation
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Rating, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

__all__ = ["BODY_LIMIT", "HOSTS", "acknowledge", "challenge", "complete", "parse", "sign", "verify"]
NAMESPACES = ("facebook", "instagram", "messenger")
PLATFORMS = {"page": ("facebook", "messenger"), "instagram": ("instagram", "instagram")}  # namespaces of who comments, and of who writes
ACTIONS = {"add": CREATED, "edit": UPDATED, "edited": UPDATED, "remove": DELETED, "delete": DELETED}
SILENT_VERBS = frozenset({"hide", "unhide", "block", "unblock", "mute", "follow"})  # what the Page itself did
POSTS = frozenset({"post", "status", "photo", "video", "share", "link", "note", "album", "event"})
REACTIONS = {"like": "👍", "love": "❤️", "haha": "😆", "wow": "😮", "sad": "😢", "angry": "😡", "care": "🤗"}
RECOMMENDS = {"positive": Rating("csat", 1.0, 0.0, 1.0), "negative": Rating("csat", 0.0, 0.0, 1.0)}


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    platform = body["object"].text()
    if platform not in PLATFORMS:
        raise PayloadError("must be page or instagram", "object")
    entries = [_Entry(entry, platform, source, request.received_at) for entry in list_entries(body)]
    return read_batch(item for entry in entries for item in list_items(entry.entry, entry.items))


class _Entry:
    """What happened on one Page or Instagram account."""

    def __init__(self, entry: Field, platform: str, source: Source, received_at: datetime) -> None:
        self.entry, self.platform, self.source, self.received_at = entry, platform, source, received_at
        self.namespace, private = PLATFORMS[platform]
        self.conversation = Conversation(source.name, private, self._is_own, received_at)

    def items(self) -> Iterator[Item]:
        direct = [self.entry] if "field" in self.entry else []  # Instagram's Business Login puts the change on the entry itself
        changes = [*direct, *self.entry["changes"].each()]
        events = [*self.entry["messaging"].each(), *self.entry["standby"].each()]
        if not changes and not events:
            self.entry.refuse("brings nothing this channel knows")
        yield from ((change, partial(self.read_change, change)) for change in changes)
        yield from ((event, partial(self.conversation.read, event)) for event in events)

    def read_change(self, change: Field) -> Signal | None:
        name, value = change["field"].text(), change["value"]
        readers = {
            ("page", "feed"): self._read_feed, ("page", "ratings"): self._read_feed, ("page", "mention"): self._read_mention,
            ("instagram", "comments"): self._read_instagram_comment, ("instagram", "live_comments"): self._read_instagram_comment,
            ("instagram", "mentions"): self._read_pointer,
        }
        if reader := readers.get((self.platform, name)):
            return reader(value)
        if "sender" in value and "recipient" in value:
            return self.conversation.read(value)  # what mostly stands under `messaging` may come as a change
        return change["field"].refuse(f"{name!r} is not a field this channel reads")

    def _read_feed(self, value: Field) -> Signal | None:
        item, verb = value["item"].text_or_none() or "rating", value["verb"].text()
        if verb in SILENT_VERBS:
            return None
        if verb not in ACTIONS:
            value["verb"].refuse(f"{verb!r} is not a known verb")
        if item in ("reaction", "like"):
            return self._read_reaction(value, ACTIONS[verb])
        if item == "rating":
            return self._read_rating(value, ACTIONS[verb])
        if item != "comment" and item not in POSTS:
            value["item"].refuse(f"{item!r} is not a known item")
        native_id, kind = (value["comment_id"].id(), "comment") if item == "comment" else (value["post_id"].id(), "post")
        return self._signal(
            value, native_id, kind, ACTIONS[verb], text=value["message"].text_or_none(), parent_id=value["parent_id"].id_or_none(),
            url=value["post"]["permalink_url"].text_or_none() or value["permalink_url"].text_or_none(), thread_id=value["post_id"].id_or_none(),
        )

    def _read_reaction(self, value: Field, action: str) -> Signal:
        """Named by what it stands on and who made it, as the platform gives it no id. It may be changed, taken back and made anew, each at its time."""
        target = value["comment_id"].id_or_none() or value["post_id"].id()
        kind = value["reaction_type"].text_or_none() or "like"
        reaction = self._signal(
            value, f"{target}/{value['from']['id'].id()}", "reaction", action, text=REACTIONS.get(kind, kind), parent_id=target,
            thread_id=value["post_id"].id_or_none(),
        )
        return reaction.with_(revision=isoformat(reaction.occurred_at))

    def _read_rating(self, value: Field, action: str) -> Signal:
        """A recommendation is satisfied or not; older ratings have stars."""
        rating = RECOMMENDS.get((value["recommendation_type"].text_or_none() or "").lower())
        rating = Rating("stars", value["rating"].number(), 1.0, 5.0) if "rating" in value else rating
        return self._signal(value, value["open_graph_story_id"].id(), "review", action, "reviewer", text=value["review_text"].text_or_none(), rating=rating)

    def _read_mention(self, value: Field) -> Signal:
        """A mention of the Page comes with its words."""
        comment, post = value["comment_id"].id_or_none(), value["post_id"].id_or_none()
        return self._signal(
            value, comment or value["post_id"].id(), "mention", ACTIONS.get(value["verb"].text_or_none() or "", CREATED), "sender",
            text=value["message"].text_or_none(), thread_id=post, parent_id=post if comment else None,
        )

    def _read_instagram_comment(self, value: Field) -> Signal:
        media = value["media"]["id"].id_or_none()
        return self._signal(
            value, value["id"].id(), "comment", ACTIONS.get(value["verb"].text_or_none() or "", CREATED), text=value["text"].text_or_none(),
            parent_id=value["parent_id"].id_or_none() or media, thread_id=media,
        )

    def _read_pointer(self, value: Field) -> Signal:
        """A mention on Instagram names only what it stands in; its text is fetched later."""
        comment, media = value["comment_id"].id_or_none(), value["media_id"].id_or_none()
        return Signal(
            channel="meta", source=self.source.name, native_id=comment or value["media_id"].id(), kind="pointer", public=True, thread_id=media,
            occurred_at=self._time(value["created_time"]), received_at=self.received_at,
            attributes={"platform": self.platform, "account": self.entry["id"].id_or_none() or ""},
        )

    def _signal(self, value: Field, native_id: str, kind: str, action: str, role: str = "from", **facts: Any) -> Signal:
        """A public item. A deletion may come without its author; a reply of the Page names only what it answers."""
        author_id, name, handle = self._read_author(value, role, needed=action != DELETED)
        mine = "self_ig_scoped_id" in value["from"] or self._is_own(self.namespace, author_id)
        known = [f"{self.namespace}:{each}" for each in (author_id, handle) if each and author_id and not mine]
        return Signal(
            channel="meta", source=self.source.name, native_id=native_id, kind=kind, action=action, direction=OUTBOUND if mine else INBOUND, public=True,
            occurred_at=self._time(value["created_time"]), received_at=self.received_at, revision=isoformat(self._time()) if action == UPDATED else "",
            identities=normalise_identities(known), agent=(name or author_id) if mine else None,
            author_name=None if mine or action == DELETED else name, **({} if action == DELETED else facts),
        )

    def _read_author(self, value: Field, role: str, needed: bool) -> tuple[str | None, str | None, str | None]:
        """Id, name and handle: of `from`, or of fields that begin with the role."""
        person = value["from"]
        if role != "from" and person.value is None:
            author, name = value[f"{role}_id"], value[f"{role}_name"]
        else:
            author, name = person["id"], person["username" if self.platform == "instagram" else "name"]
        said = name.text_or_none()
        return author.id() if needed else author.id_or_none(), said, f"@{said}" if said and self.platform == "instagram" else None

    def _is_own(self, namespace: str, author_id: str | None) -> bool:
        return author_id is not None and (author_id == self.entry["id"].id_or_none() or self.source.owns(namespace, author_id))

    def _time(self, *fields: Field) -> datetime:
        """The item's own time, else the entry's, else the receipt."""
        told = next((each for each in (*fields, self.entry["time"]) if each.value is not None), None)
        return settle_time(told.moment(), self.received_at, told.path) if told else self.received_at
