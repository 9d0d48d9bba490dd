"""Telegram: messages to a bot, in its groups, and to a business account. Credential: the webhook's `secret_token`, which comes back in a header.

Nothing is signed. Facts: core.telegram.org/bots/api, "Getting updates", "Update", "Message". A message's number is unique only in its chat. Deletions are
told of business accounts alone. Reactions come where the bot is an administrator and asked for them. An update that is not answered 2xx comes again
for a day. The language a person's app is set to need not be that of the message, so it is only an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.signatures import read_header
from caseline.signatures.tokens import verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "telegram"
PROOF = "token"
HEADER = "x-telegram-bot-api-secret-token"
MESSAGES = ("message", "edited_message", "channel_post", "edited_channel_post", "business_message", "edited_business_message")
SILENT = frozenset(
    "inline_query chosen_inline_result shipping_query pre_checkout_query purchased_paid_media poll poll_answer my_chat_member chat_member chat_join_request "
    "chat_boost removed_chat_boost message_reaction_count business_connection".split()
)
# What a message may hold besides words, and what the platform itself notes in a chat.
CONTENT = frozenset(
    "animation audio checklist contact dice document game invoice location paid_media photo poll sticker story venue video video_note voice".split()
)
NOTES = frozenset(
    "new_chat_members left_chat_member new_chat_title new_chat_photo delete_chat_photo group_chat_created supergroup_chat_created channel_chat_created "
    "message_auto_delete_timer_changed migrate_to_chat_id migrate_from_chat_id pinned_message successful_payment refunded_payment users_shared chat_shared "
    "connected_website write_access_allowed passport_data proximity_alert_triggered boost_added chat_background_set checklist_tasks_done "
    "checklist_tasks_added direct_message_price_changed forum_topic_created forum_topic_edited forum_topic_closed forum_topic_reopened "
    "general_forum_topic_hidden general_forum_topic_unhidden giveaway_created giveaway giveaway_winners giveaway_completed paid_message_price_changed "
    "video_chat_scheduled video_chat_started video_chat_ended video_chat_participants_invited web_app_data gift unique_gift".split()
)


def verify(request: WebhookRequest, source: Source) -> None:
    verify_token(read_header(request.headers, HEADER, 256), source.secrets)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    return request.with_headers({HEADER: source.secrets[0]})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    update = read_json(request.body)
    update["update_id"].id()
    reader, kinds = _Reader(source, request.received_at), sorted(update.object().keys() - {"update_id"})
    if not kinds:
        raise PayloadError("brings nothing", "update_id")
    return read_batch(item for kind in kinds for item in reader.read_update(kind, update[kind]))


class _Reader:
    def __init__(self, source: Source, received_at: datetime) -> None:
        self.source, self.received_at = source, received_at

    def read_update(self, kind: str, update: Field) -> Iterator[Item]:
        if kind in MESSAGES:
            yield update, partial(self.read_message, update)
        elif kind == "message_reaction":
            yield update, partial(self.read_reaction, update)
        elif kind == "callback_query":
            yield update, partial(self.read_button, update)
        elif kind == "deleted_business_messages":
            for message_id in update["message_ids"].each():
                yield message_id, partial(self.read_deletion, update["chat"], message_id)
        elif kind not in SILENT:
            update.refuse("is not a known kind of update")

    def read_message(self, message: Field) -> Signal | None:
        text, content = message["text"].text_or_none() or message["caption"].text_or_none(), CONTENT & message.object().keys()
        if text is None and not content:
            return None if NOTES & message.object().keys() else message.refuse("holds nothing this channel knows")
        edited = message["edit_date"]
        change = {"action": UPDATED, "revision": isoformat(self._time(edited))} if "edit_date" in message else {}
        return self._signal(message, _author(message), text=text, attributes=_read_facts(message, content), **change)

    def read_button(self, query: Field) -> Signal | None:
        """A button under one of the bot's messages: what the customer chose is its label. A button of an inline result says nothing to us."""
        message, data = query["message"], query["data"].text_or_none()
        if "chat" not in message or data is None:
            return None
        buttons = [button for row in message["reply_markup"]["inline_keyboard"].each() for button in row.each()]
        label = next((button["text"].text() for button in buttons if button["callback_data"].text_or_none() == data), data)
        return self._signal(
            message, query["from"], native_id=f"{_name(message)}/{query['id'].id()}", occurred_at=self.received_at, text=label, parent_id=_name(message),
        )

    def read_reaction(self, update: Field) -> Signal:
        """One per person and message, so a change is a revision; none left is a deletion, after which it may be made anew."""
        author, target, emojis = update["user"] if "user" in update else update["actor_chat"], _name(update), _read_emojis(update["new_reaction"])
        what = {"action": UPDATED if _read_emojis(update["old_reaction"]) else CREATED, "text": emojis} if emojis else {"action": DELETED}
        native_id, revision = f"{target}/{author['id'].id()}", isoformat(self._time(update["date"]))
        return self._signal(update, author, native_id=native_id, kind="reaction", parent_id=target, revision=revision, **what)

    def read_deletion(self, chat: Field, message_id: Field) -> Signal:
        """It names neither author nor time."""
        return Signal(
            channel="telegram", source=self.source.name, native_id=f"{chat['id'].id()}/{message_id.id()}", kind="message", action=DELETED,
            occurred_at=self.received_at, received_at=self.received_at,
        )

    def _signal(self, message: Field, author: Field, **facts: Any) -> Signal:
        chat = message["chat"]
        mine = self._speaks_for_brand(message, author)
        common: dict[str, Any] = {
            "native_id": facts.get("native_id") or _name(message), "kind": "message", "occurred_at": facts.get("occurred_at") or self._time(message["date"]),
            "parent_id": _parent(message), "thread_id": _thread(message), **_place(message),
        }
        return Signal(
            channel="telegram", source=self.source.name, received_at=self.received_at, direction=OUTBOUND if mine else INBOUND,
            identities=self._find_addressee(message, chat) if mine else _identities(author, message["contact"]),
            author_name=None if mine else _full_name(author), agent=_spokesman(author, message) if mine else None, **{**common, **facts},
        )

    def _speaks_for_brand(self, message: Field, author: Field) -> bool:
        """A bot, the brand's own, a channel's post, an administrator who writes as the group, and the owner of a business account."""
        private, is_the_chat = message["chat"]["type"].text() == "private", author["id"].id() == message["chat"]["id"].id()
        as_the_chat = not private and (is_the_chat or message["is_automatic_forward"].boolean_or_none() is True)
        owner = private and not is_the_chat and "business_connection_id" in message
        return as_the_chat or owner or author["is_bot"].boolean_or_none() is True or self._is_own(author)

    def _is_own(self, user: Field) -> bool:
        return self.source.owns("telegram", user["id"].id()) or self.source.owns("telegram", f"@{(user['username'].text_or_none() or '').casefold()}")

    def _find_addressee(self, message: Field, chat: Field) -> tuple[str, ...]:
        """In a private chat the other one; in a group whoever is answered."""
        if chat["type"].text() == "private":
            return _identities(chat)
        answered = message["reply_to_message"]["from"]
        return () if answered.value is None or answered["is_bot"].value is True or self._is_own(answered) else _identities(answered)

    def _time(self, field: Field) -> datetime:
        return settle_time(field.epoch(), self.received_at, field.path)


def _author(message: Field) -> Field:
    """Who wrote it: a chat, where somebody writes in its name. A post of a channel may name nobody but the channel."""
    usual = "chat" if message["chat"]["type"].value == "channel" else "from"
    return message[next((name for name in ("sender_chat", "from") if name in message), usual)]


def _identities(person: Field, contact: Field | None = None) -> tuple[str, ...]:
    """The id, the handle, and the number if the person has shared their own."""
    user_id, handle = person["id"].id(), person["username"].text_or_none()
    shared = contact is not None and "user_id" in contact and contact["user_id"].id() == user_id
    phone = f"+{contact['phone_number'].id().lstrip('+')}" if contact is not None and shared else None
    return normalise_identities([f"telegram:{user_id}", *([f"telegram:@{handle}"] if handle else []), *([f"phone:{phone}"] if phone else [])])


def _full_name(person: Field) -> str | None:
    return " ".join(filter(None, (person[part].text_or_none() for part in ("first_name", "last_name", "title")))) or None


def _spokesman(author: Field, message: Field) -> str:
    handle = author["username"].text_or_none()
    return message["author_signature"].text_or_none() or (f"@{handle}" if handle else author["id"].id())


def _name(message: Field) -> str:
    return f"{message['chat']['id'].id()}/{message['message_id'].id()}"


def _parent(message: Field) -> str | None:
    return _name(message["reply_to_message"]) if "reply_to_message" in message else None


def _thread(message: Field) -> str | None:
    """A private chat is the customer's own thread. A group has many customers; only its topics are threads."""
    chat, topic = message["chat"], message["message_thread_id"].id_or_none()
    if chat["type"].text_or_none() == "private":
        return chat["id"].id()
    return f"{chat['id'].id()}/{topic}" if topic else None


def _place(message: Field) -> dict[str, Any]:
    """A group or channel with a name of its own can be read by anybody, at an address."""
    chat, handle = message["chat"], message["chat"]["username"].text_or_none()
    if not handle or chat["type"].text_or_none() == "private":
        return {}
    kind = "comment" if "reply_to_message" in message else "post"
    return {"kind": kind, "public": True, "url": f"https://t.me/{handle}/{message['message_id'].id()}"}


def _read_emojis(reactions: Field) -> str | None:
    """Each kind of reaction has its own field; a paid one is a star."""
    read = {"emoji": "emoji", "custom_emoji": "custom_emoji_id"}
    each = [reaction[read[kind]].text() if (kind := reaction["type"].text()) in read else "⭐" for reaction in reactions.each()]
    return "".join(each) or None


def _read_facts(message: Field, content: frozenset[str]) -> dict[str, Any]:
    place = message["location"]
    facts = {
        "attachments": sorted(content), "emoji": message["sticker"]["emoji"].text_or_none(),
        "forwarded": "forward_origin" in message or "forward_date" in message,
        "location": [place["latitude"].number(), place["longitude"].number()] if "location" in message else None,
        "locale": message["from"]["language_code"].text_or_none(),
    }
    return {name: value for name, value in facts.items() if value}
