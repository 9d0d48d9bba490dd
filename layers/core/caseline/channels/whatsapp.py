"""WhatsApp Business Cloud API. Credential: the App Secret, as for Meta's other platforms; for the handshake the setting `verify_token`.

Facts: developers.facebook.com, "WhatsApp webhooks": the fields `messages` and `smb_message_echoes` (what the brand's people send from the app, with edits
and revocations), "Business-scoped user IDs" (who has a username may come without a number). Receipts (`statuses`) say nothing. Repeats come for up to seven
days, from second-hand sources. Not confirmed: that customers' edits and revocations come as the brand's own do; they are read in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, list_items, read_batch
from caseline.channels._meta_webhooks import BODY_LIMIT, acknowledge, challenge, list_entries, sign, verify
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

__all__ = ["BODY_LIMIT", "acknowledge", "challenge", "parse", "sign", "verify"]
NAMESPACES = ("whatsapp", "phone")
ECHOES = frozenset({"smb_message_echoes", "message_echoes"})
# Fields about the account, its templates and its numbers; and of `calls`, that it rang and ended.
SILENT_FIELDS = ("account_", "business_", "message_template_", "template_", "phone_number_", "partner_", "payment_", "smb_app_state_sync", "security", "flows",
                 "user_preferences", "tracking_events", "automatic_events", "calls")
SILENT_TYPES = frozenset({"system", "request_welcome"})
CAPTIONED = frozenset({"image", "video", "document", "audio", "voice", "sticker"})
WORDLESS = frozenset({"location", "contacts", "unsupported", "unknown", "ephemeral"})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    if body["object"].text() != "whatsapp_business_account":
        raise PayloadError("must be whatsapp_business_account", "object")
    return read_batch(item for entry in list_entries(body) for item in list_items(entry, partial(_list_changes, entry, source, request.received_at)))


def _list_changes(entry: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    changes = list(entry["changes"].each()) or entry["changes"].refuse("is empty")
    for change in changes:
        yield from list_items(change, partial(_list_messages, change, source, received_at))


def _list_messages(change: Field, source: Source, received_at: datetime) -> Iterator[Item]:
    name, value = change["field"].text(), change["value"]
    if name.startswith(SILENT_FIELDS):
        return
    if name != "messages" and name not in ECHOES:
        change["field"].refuse(f"{name!r} is not a field this channel reads")
    messages = value["messages"] if name == "messages" else value["message_echoes"]
    if messages.value is None and not any(told in value for told in ("statuses", "errors")):
        messages.refuse("is required")
    reader = _Reader(value, name in ECHOES, source, received_at)
    for message in messages.each():
        yield message, partial(reader.read_message, message)


class _Reader:
    """The messages of one change, all to or from one number of the brand."""

    def __init__(self, value: Field, echoes: bool, source: Source, received_at: datetime) -> None:
        self.value, self.echoes, self.source, self.received_at = value, echoes, source, received_at

    def read_message(self, message: Field) -> Signal | None:
        kind = message["type"].text()
        if kind in SILENT_TYPES:
            return None
        if kind == "reaction":
            return self._read_reaction(message, message["reaction"])
        if kind == "revoke":
            return self._signal(message, message["revoke"]["original_message_id"].id(), action=DELETED)
        if kind == "edit":
            edit, revision = message["edit"], isoformat(self._time(message))
            return self._signal(message, edit["original_message_id"].id(), action=UPDATED, revision=revision, **_read_content(edit["message"]))
        return self._signal(message, message["id"].id(), parent_id=message["context"]["id"].id_or_none(), **_read_content(message))

    def _read_reaction(self, message: Field, reaction: Field) -> Signal:
        """One per person and message; without an emoji it was taken back, and may be made anew."""
        target, emoji = reaction["message_id"].id(), reaction["emoji"].text_or_none()
        what: dict[str, Any] = {"text": emoji} if emoji else {"action": DELETED}
        native_id, revision = f"{target}/{self._sender(message)}", isoformat(self._time(message))
        return self._signal(message, native_id, kind="reaction", parent_id=target, revision=revision, **what)

    def _signal(self, message: Field, native_id: str, kind: str = "message", **facts: Any) -> Signal:
        sender = self._sender(message)
        mine = self.echoes or self._is_own(sender)
        identities = _identities(*(message[name].id_or_none() for name in (("to", "to_user_id") if mine else ("from", "from_user_id"))))
        customer = identities[0] if identities else None
        return Signal(
            channel="whatsapp", source=self.source.name, native_id=native_id, kind=kind, direction=OUTBOUND if mine else INBOUND,
            occurred_at=self._time(message), received_at=self.received_at, identities=identities, agent=sender if mine else None,
            author_name=None if mine else self._find_name(sender), thread_id=message["group_id"].id_or_none() or customer, **facts,
        )

    def _sender(self, message: Field) -> str:
        """The number, or the id that stands for it; the number is required where there is neither."""
        return message["from"].id_or_none() or message["from_user_id"].id_or_none() or message["from"].id()

    def _is_own(self, sender: str) -> bool:
        brand = self.value["metadata"]["display_phone_number"].id_or_none() or ""
        return sender == _digits(brand) or self.source.owns("whatsapp", sender) or self.source.owns("phone", f"+{sender}")

    def _find_name(self, sender: str) -> str | None:
        contacts = list(self.value["contacts"].each())
        named = contacts if len(contacts) == 1 else [each for each in contacts if sender in (each["wa_id"].id_or_none(), each["user_id"].id_or_none())]
        return named[0]["profile"]["name"].text_or_none() if named else None

    def _time(self, message: Field) -> datetime:
        return settle_time(message["timestamp"].epoch(), self.received_at, message["timestamp"].path)


def _identities(number: str | None, user_id: str | None) -> tuple[str, ...]:
    """The number as sent, which is an id here and a phone number elsewhere; then the id that hides it."""
    return normalise_identities([*([f"whatsapp:{number}", f"phone:+{number}"] if number else []), *([f"whatsapp:{user_id}"] if user_id else [])])


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _read_content(message: Field) -> dict[str, Any]:
    kind = message["type"].text()
    return {"text": _read_text(message, kind), "attributes": _read_facts(message, kind)}


def _read_text(message: Field, kind: str) -> str | None:
    """What the customer wrote or chose."""
    content = message[kind]
    if kind == "text":
        return content["body"].text()
    if kind in CAPTIONED:
        return content["caption"].text_or_none()
    if kind in ("button", "order"):
        return content["text"].text_or_none()
    if kind == "interactive":
        return _read_choice(content)
    return None if kind in WORDLESS else message["type"].refuse(f"{kind!r} is not a known type")


def _read_choice(content: Field) -> str | None:
    kind = content["type"].text()
    if kind in ("button_reply", "list_reply"):
        return content[kind]["title"].text()
    if kind == "nfm_reply":
        answers = content[kind]["response_json"].text()  # of a form: JSON within JSON
        given = [(name, each.value) for name, each in read_json(answers.encode()).members() if name != "flow_token"]
        return "\n".join(f"{name}: {value}" for name, value in given if isinstance(value, str | int | float)) or None
    return None if kind == "call_permission_reply" else content["type"].refuse(f"{kind!r} is not a known choice")


def _read_facts(message: Field, kind: str) -> dict[str, Any]:
    place, referral = message["location"], message["referral"]
    facts = {
        "type": kind if kind != "text" else None,
        "voice": kind == "voice" or (message["audio"]["voice"].boolean_or_none() if kind == "audio" else None),
        "forwarded": message["context"]["forwarded"].boolean_or_none(),
        "location": [place["latitude"].number(), place["longitude"].number()] if kind == "location" else None,
        "place": place["name"].text_or_none() or place["address"].text_or_none(),
        "advertisement": referral["source_url"].text_or_none() or referral["source_id"].id_or_none(),
    }
    return {name: value for name, value in facts.items() if value}
