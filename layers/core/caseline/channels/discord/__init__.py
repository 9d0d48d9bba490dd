"""Discord: commands, forms and buttons of an app, and its webhook events. Credential: the app's public key in hex, which proves an Ed25519 signature.

Facts: docs.discord.com, "Receiving and Responding", "Webhook Events", "Message". The platform waits three seconds, and now and then sends a wrong
signature to see it refused. Ordinary messages of a server are not sent to webhooks: people flag one by a command on it, or a bot of one's own
relays it as the API gives it, signed in the same way with a key of its own (its public key is then a second secret). Setting `reply`: what
somebody who used a command reads. Setting `signing_key`: a private key in hex, for samples alone. A number that a command asks for under the name
stars, rating, nps, csat or ces is a rating.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from caseline.channels.discord.forms import AUTOCOMPLETE, COMMAND, COMPONENT, FORM, PING, read_answers
from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import DELETED, INBOUND, OUTBOUND, UPDATED, Signal, Unreadable, isoformat
from caseline.signatures.keys import sign_ed25519, verify_ed25519
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "discord"
ANSWER_SECONDS = 3
MIN_SECRET = 64
TIME, SIGNATURE = "x-signature-timestamp", "x-signature-ed25519"
EPOCH_MS = 1_420_070_400_000  # the first moment an id can tell
JSON = {"Content-Type": "application/json"}
ON_MESSAGE = 3  # of a command: it was used on a message
THANKS, NOTHING = "Thank you. We read this, and come back to you.", "There was nothing to read in this."
MESSAGE_EVENTS = {f"{where}_MESSAGE_{what}" for where in ("LOBBY", "GAME_DIRECT") for what in ("CREATE", "UPDATE", "DELETE")}
SILENT = ("APPLICATION_", "ENTITLEMENT_", "QUEST_")
SPOKEN = frozenset({0, 19, 20, 21, 23})  # types of message that somebody wrote; the others are notes of the platform


def verify(request: WebhookRequest, source: Source) -> None:
    verify_ed25519(request.headers, TIME, SIGNATURE, request.body, source.secrets, request.received_at)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the setting `signing_key`; for samples."""
    return request.with_headers(sign_ed25519(TIME, SIGNATURE, request.body, str(source.settings["signing_key"]), request.received_at))


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """Each of the two kinds of request has a ping of its own."""
    kind = _kind(request) if request.method == "POST" else ""  # only those are verified first
    return {"ping": WebhookResponse(200, json.dumps({"type": 1}), JSON), "event ping": WebhookResponse(204)}.get(kind)


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """Who uses a command or a form reads an answer that nobody else sees; a button and a suggestion need none. Events are answered with nothing."""
    kind = _kind(request)
    if kind == "event":
        return WebhookResponse(204)
    quiet: dict[str, dict[str, Any]] = {"button": {"type": 6}, "suggestion": {"type": 8, "data": {"choices": []}}}
    said = {"type": 4, "data": {"content": str(source.settings.get("reply") or THANKS) if signals else NOTHING, "flags": 64}}
    return WebhookResponse(200, json.dumps(quiet.get(kind, said)), JSON)


def _kind(request: WebhookRequest) -> str:
    """What a request is, as far as its answer depends on it."""
    try:
        body = read_json(request.body).object()
    except PayloadError:
        return ""
    if "event" in body or "content" in body:
        return "event"
    names = {0: "event ping", PING: "ping", COMPONENT: "button", AUTOCOMPLETE: "suggestion"}
    return names.get(body["type"], "") if type(body.get("type")) is int else ""


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    reader = _Reader(source, request.received_at)
    if "event" in body:
        return reader.read_event(body["event"])
    if "content" in body:
        return _listed(reader.read_message(body))
    kind = body["type"].integer_or_none()
    if kind in (0, PING, AUTOCOMPLETE):
        return []
    if kind not in (COMMAND, COMPONENT, FORM):
        body["type"].refuse(f"{kind!r} is not a known type")
    return _listed(reader.read_interaction(body, body["data"], kind))


def _listed(signal: Signal | None) -> list[Signal | Unreadable]:
    return [signal] if signal else []


class _Reader:
    def __init__(self, source: Source, received_at: datetime) -> None:
        self.source, self.received_at = source, received_at

    def read_event(self, event: Field) -> list[Signal | Unreadable]:
        kind = event["type"].text()
        if kind in MESSAGE_EVENTS:
            return _listed(self.read_message(event["data"], kind.endswith("DELETE"), private=kind.startswith("GAME_DIRECT")))
        if not kind.startswith(SILENT):
            event["type"].refuse(f"{kind!r} is not a known event")
        return []

    def read_message(self, message: Field, gone: bool = False, private: bool = False) -> Signal | None:
        """A message object of the API. Its author may be missing from an event."""
        if message["type"].integer_or_none() not in SPOKEN | {None}:
            return None
        author, answered = message["author"], message["referenced_message"]["author"]
        mine = "webhook_id" in message or author["bot"].boolean_or_none() is True or self._is_own(author)
        return self._signal(
            message, author, mine, message["timestamp"].time_or_none(), private, parent_id=message["message_reference"]["message_id"].id_or_none(),
            identities=self._find_addressee(message, answered) if mine else _identities(author), **({"action": DELETED} if gone else _read_content(message)),
        )

    def read_interaction(self, body: Field, data: Field, kind: int | None) -> Signal | None:
        """What somebody wrote into a command or a form, or chose; a command without words or rating says nothing."""
        if kind == COMMAND and data["type"].integer_or_none() == ON_MESSAGE:
            return self.read_message(data["resolved"]["messages"][data["target_id"].id()])
        said = read_answers(data, body["message"], kind).facts()
        if not said["text"] and not said["rating"]:
            return None
        author = body["member"]["user"] if "member" in body else body["user"]
        author["id"].id()
        facts = {**said["attributes"], "command": data["name"].text_or_none() or data["custom_id"].text_or_none(), "locale": body["locale"].text_or_none()}
        return self._signal(
            body, author, self._is_own(author), None, "guild_id" not in body, text=said["text"], rating=said["rating"],
            parent_id=body["message"]["id"].id_or_none(), attributes={name: value for name, value in facts.items() if value},
        )

    def _signal(self, item: Field, author: Field, mine: bool, moment: datetime | None, private: bool, **facts: Any) -> Signal:
        """A private conversation is the customer's own thread; a channel has many customers."""
        common: dict[str, Any] = {"identities": () if mine else _identities(author), "thread_id": item["channel_id"].id_or_none() if private else None}
        handle = _handle(author)
        return Signal(
            channel="discord", source=self.source.name, native_id=item["id"].id(), kind="message", direction=OUTBOUND if mine else INBOUND,
            occurred_at=settle_time(moment or _read_snowflake(item["id"]), self.received_at, item["id"].path), received_at=self.received_at,
            author_name=None if mine else author["global_name"].text_or_none() or handle, agent=(f"@{handle}" if handle else "app") if mine else None,
            **{**common, **facts},
        )

    def _find_addressee(self, message: Field, answered: Field) -> tuple[str, ...]:
        """Who was answered, if not one of the brand's; or the other side of a private conversation."""
        if answered["bot"].value is not True and not self._is_own(answered) and _identities(answered):
            return _identities(answered)
        recipient = message["recipient_id"].id_or_none()
        return normalise_identities([f"discord:{recipient}"]) if recipient else ()

    def _is_own(self, user: Field) -> bool:
        return self.source.owns("discord", user["id"].id_or_none()) or self.source.owns("discord", f"@{(_handle(user) or '').casefold()}")


def _identities(user: Field) -> tuple[str, ...]:
    """The id; the name beside it, unless it is one of the old ones, which many have."""
    user_id, handle = user["id"].id_or_none(), _handle(user)
    unique = handle and user["discriminator"].id_or_none() in (None, "0")
    return normalise_identities([*([f"discord:{user_id}"] if user_id else []), *([f"discord:@{handle}"] if user_id and unique else [])])


def _handle(user: Field) -> str | None:
    return user["username"].text_or_none()


def _read_content(message: Field) -> dict[str, Any]:
    edited, guild, channel = message["edited_timestamp"].time_or_none(), message["guild_id"].id_or_none(), message["channel_id"].id_or_none()
    kinds = [file["content_type"].text_or_none() or "file" for file in message["attachments"].each()]
    counts = [reaction["count"].count_or_none() or 0 for reaction in message["reactions"].each()]
    return {
        "text": message["content"].text_or_none() or None, "attributes": {"attachments": kinds} if kinds else {}, "engagement": sum(counts) if counts else None,
        "url": f"https://discord.com/channels/{guild}/{channel}/{message['id'].id()}" if guild and channel else None,
        **({"action": UPDATED, "revision": isoformat(edited)} if edited else {}),
    }


def _read_snowflake(field: Field) -> datetime:
    """The moment an id was made is its upper bits."""
    text = field.id()
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        field.refuse("must be an id of the platform")
    return Field((int(text) >> 22) + EPOCH_MS, field.path).epoch(0.001)
