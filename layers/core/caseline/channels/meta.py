"""Meta: Facebook Pages, Instagram and Messenger. Credential: the App Secret; for the handshake the setting `verify_token`.

Facts: developers.facebook.com, "Webhooks", "Page webhooks", "Messenger webhooks", "Instagram webhooks". A request brings up to 1,000 changes.
Field names of Page ratings are taken from third parties; read leniently. What an Instagram mention says is fetched: that needs an access token, as
`{"access_token": ...}` among the secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, list_items, read_batch
from caseline.channels._instagram_mentions import HOSTS, complete
from caseline.channels._meta_webhooks import BODY_LIMIT, challenge, sign, verify
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Rating, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

__all__ = ["BODY_LIMIT", "HOSTS", "challenge", "complete", "parse", "sign", "verify"]
NAMESPACES = ("facebook", "instagram", "messenger")
ACTIONS = {"add": CREATED, "edit": UPDATED, "edited": UPDATED, "remove": DELETED, "delete": DELETED}
SILENT_VERBS = frozenset({"hide", "unhide", "block", "unblock", "mute", "follow"})  # what the Page itself did
POSTS = frozenset({"post", "status", "photo", "video", "share", "link", "note", "album", "event"})
REACTIONS = {"like": "👍", "love": "❤️", "haha": "😆", "wow": "😮", "sad": "😢", "angry": "😡", "care": "🤗"}
SILENT_MESSAGES = frozenset({
    "read", "delivery", "optin", "referral", "account_linking", "pass_thread_control", "take_thread_control", "request_thread_control",
    "app_roles", "policy_enforcement", "messaging_feedback",
})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    platform = body["object"].text()
    if platform not in ("page", "instagram"):
        raise PayloadError("must be page or instagram", "object")
    entries = [_Entry(entry, platform, source, request.received_at) for entry in body["entry"].each()]
    return read_batch(item for entry in entries for item in list_items(entry.entry.value, entry.items))


class _Entry:
    """What happened on one Page or Instagram account."""

    def __init__(self, entry: Field, platform: str, source: Source, received_at: datetime) -> None:
        self.entry, self.platform, self.source, self.received_at = entry, platform, source, received_at

    def items(self) -> Iterator[Item]:
        direct = [self.entry] if "field" in self.entry else []  # Instagram's Business Login puts the change on the entry itself
        for change in [*direct, *self.entry["changes"].each()]:
            yield change.value, partial(self.read_change, change)
        for event in [*self.entry["messaging"].each(), *self.entry["standby"].each()]:
            yield event.value, partial(self.read_messaging, event)

    def read_change(self, change: Field) -> Signal | None:
        name, value = change["field"].text(), change["value"]
        if self.platform == "instagram" and name in ("comments", "live_comments"):
            return self._read_instagram_comment(value)
        if name in ("mentions", "mention"):
            return self._read_pointer(value)
        if self.platform == "page" and name in ("feed", "ratings"):
            return self._read_feed(value, value["item"].text_or_none() or "rating")
        return change["field"].refuse(f"{name!r} is not a field this channel reads")

    def _read_feed(self, value: Field, item: str) -> Signal | None:
        verb = value["verb"].text()
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
        native_id = value["comment_id"].id() if item == "comment" else value["post_id"].id()
        return self._signal(
            native_id, "comment" if item == "comment" else "post", ACTIONS[verb], value["from"]["id"], value["from"]["name"], self._time(value["created_time"]),
            text=value["message"].text_or_none(), url=value["post"]["permalink_url"].text_or_none() or value["permalink_url"].text_or_none(),
            parent_id=value["parent_id"].id_or_none(), thread_id=value["post_id"].id_or_none(),
        )

    def _read_reaction(self, value: Field, action: str) -> Signal:
        """Named by what it stands on and who made it, as the platform gives it no id. One per person and item, so a change is a revision."""
        target = value["comment_id"].id_or_none() or value["post_id"].id()
        kind = value["reaction_type"].text_or_none() or "like"
        return self._signal(
            f"{target}/{value['from']['id'].id()}", "reaction", action, value["from"]["id"], value["from"]["name"], self._time(value["created_time"]),
            text=REACTIONS.get(kind, kind), parent_id=target, thread_id=value["post_id"].id_or_none(),
        )

    def _read_rating(self, value: Field, action: str) -> Signal:
        """A recommendation is satisfied or not; older ratings have stars."""
        recommends = value["recommendation_type"].text_or_none()
        rating = Rating("csat", float(recommends.lower() == "positive"), 0.0, 1.0) if recommends else None
        rating = Rating("stars", value["rating"].number(), 1.0, 5.0) if "rating" in value else rating
        return self._signal(
            value["open_graph_story_id"].id(), "review", action, value["reviewer_id"], value["reviewer_name"], self._time(value["created_time"]),
            text=value["review_text"].text_or_none(), rating=rating,
        )

    def _read_instagram_comment(self, value: Field) -> Signal:
        author = value["from"]
        handle, media = author["username"].text_or_none(), value["media"]["id"].id_or_none()
        action = DELETED if value["verb"].text_or_none() == "remove" else CREATED
        return self._signal(
            value["id"].id(), "comment", action, author["id"], author["username"], self._time(value["created_time"]), handle, "self_ig_scoped_id" in author,
            text=value["text"].text_or_none(), parent_id=value["parent_id"].id_or_none() or media, thread_id=media,
        )

    def _read_pointer(self, value: Field) -> Signal:
        """A mention names only what it stands in; its text is fetched later."""
        native_id = value["comment_id"].id_or_none() or value["media_id"].id_or_none() or value["post_id"].id()
        account = self.entry["id"].id_or_none() or ""
        return Signal(
            channel="meta", source=self.source.name, native_id=native_id, kind="pointer", public=True, occurred_at=self._time(value["created_time"]),
            received_at=self.received_at, thread_id=value["media_id"].id_or_none() or value["post_id"].id_or_none(),
            attributes={"platform": self.platform, "account": account},
        )

    def read_messaging(self, event: Field) -> Signal | None:
        if "message" in event:
            return self._read_message(event, event["message"])
        if "message_edit" in event:
            return self._read_message(event, event["message_edit"], UPDATED)
        if "postback" in event:
            postback = event["postback"]
            native_id = postback["mid"].id_or_none() or f"{event['sender']['id'].id()}/{event['timestamp'].id()}"
            return self._message(event, native_id, text=postback["title"].text_or_none())
        if "reaction" in event:
            return self._read_message_reaction(event, event["reaction"])
        if SILENT_MESSAGES & event.object().keys():
            return None
        return event.refuse("is not a known messaging event")

    def _read_message(self, event: Field, message: Field, action: str = CREATED) -> Signal:
        action = DELETED if message["is_deleted"].boolean_or_none() else action
        kinds = [item["type"].text() for item in message["attachments"].each()]
        text = None if action == DELETED else message["text"].text_or_none()
        agent = f"app:{message['app_id'].id()}" if "app_id" in message else None
        return self._message(
            event, message["mid"].id(), bool(message["is_echo"].boolean_or_none()), agent, action=action, text=text,
            parent_id=message["reply_to"]["mid"].id_or_none(), attributes={"attachments": kinds} if kinds else {},
        )

    def _read_message_reaction(self, event: Field, reaction: Field) -> Signal:
        target = reaction["mid"].id()
        gone = reaction["action"].text() == "unreact"
        text = None if gone else reaction["emoji"].text_or_none() or reaction["reaction"].text_or_none()
        return self._message(event, f"{target}/{event['sender']['id'].id()}", kind="reaction", action=DELETED if gone else CREATED, text=text, parent_id=target)

    def _message(self, event: Field, native_id: str, echo: bool = False, agent: str | None = None, kind: str = "message", **facts: Any) -> Signal:
        namespace = "messenger" if self.platform == "page" else "instagram"
        sender, recipient = event["sender"]["id"].id(), event["recipient"]["id"].id()
        mine = echo or self._is_own(namespace, sender)
        customer = recipient if mine else sender
        moment = settle_time(event["timestamp"].epoch(0.001), self.received_at, event["timestamp"].path)
        revision = isoformat(moment) if facts.get("action") == UPDATED else ""
        return Signal(
            channel="meta", source=self.source.name, native_id=native_id, kind=kind, direction=OUTBOUND if mine else INBOUND, revision=revision,
            occurred_at=moment, received_at=self.received_at, identities=normalise_identities([f"{namespace}:{customer}"]),
            agent=(agent or sender) if mine else None, thread_id=f"{namespace}:{customer}", **facts,
        )

    def _signal(
        self, native_id: str, kind: str, action: str, author: Field, name: Field, moment: datetime, handle: str | None = None, mine: bool = False, **facts: Any,
    ) -> Signal:
        """A public item. A deletion may come without its author; a reply of the Page names only what it answers."""
        namespace = "facebook" if self.platform == "page" else "instagram"
        author_id = author.id_or_none() if action == DELETED else author.id()
        mine = mine or self._is_own(namespace, author_id)
        identities = [] if mine or not author_id else [f"{namespace}:{author_id}", *([f"{namespace}:@{handle}"] if handle else [])]
        return Signal(
            channel="meta", source=self.source.name, native_id=native_id, kind=kind, action=action, direction=OUTBOUND if mine else INBOUND, public=True,
            occurred_at=moment, received_at=self.received_at, revision=isoformat(self._time(Field(None, ""))) if action == UPDATED else "",
            identities=normalise_identities(identities), agent=(name.text_or_none() or author_id) if mine else None,
            author_name=None if mine or action == DELETED else name.text_or_none(), **({} if action == DELETED else facts),
        )

    def _is_own(self, namespace: str, author_id: str | None) -> bool:
        return author_id is not None and (author_id == self.entry["id"].id_or_none() or self.source.owns(namespace, author_id))

    def _time(self, field: Field) -> datetime:
        """The item's own time, else the entry's, else the receipt; the entry's is in seconds or milliseconds."""
        for candidate in (field, self.entry["time"]):
            if candidate.value is not None:
                return settle_time(_read_moment(candidate), self.received_at, candidate.path)
        return self.received_at


def _read_moment(field: Field) -> datetime:
    if isinstance(field.value, str) and not field.value.isdigit():
        return field.time()
    return field.epoch(0.001 if _digits(field) > 11 else 1.0)  # no second since 1970 has 12 digits



def _digits(field: Field) -> int:
    return len(str(field.value).partition(".")[0])
