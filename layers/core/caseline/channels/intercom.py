"""Intercom: conversations, their ratings and tickets. Credential: the app's client secret.

Facts: developers.intercom.com, "Webhook topics", "Notification object". The platform waits five seconds and tries again; it may look with HEAD whether the
address is there when it is saved. A notification holds its conversation with the parts that are new in it. Texts are HTML. Not confirmed: the fields of
a ticket's parts and of a redacted part, which are read if they are there; how often it tries again; and whether a conversation that was deleted
comes with its parts, as only those that are named can be erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, list_items, read_batch
from caseline.identity import is_own, normalise_identities
from caseline.markup import strip_tags
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import DELETED, INBOUND, OUTBOUND, Rating, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

ANSWER_SECONDS = 5
NAMESPACES = ("intercom", "email", "phone")
# Replies; and what staff did with a conversation, which may bring words of theirs.
REPLIES = frozenset(
    "conversation.user.replied conversation.admin.replied conversation.operator.replied conversation_part.redacted ticket.contact.replied "
    "ticket.admin.replied".split()
)
HANDLED = frozenset(
    "conversation.admin.closed conversation.admin.opened conversation.admin.assigned conversation.admin.open.assigned conversation.deleted "
    "conversation.user.created conversation.admin.single.created".split()
)
SPOKEN_PARTS = frozenset({"comment", "open", "close", "assignment"})  # a note is for staff alone
# Topics about people, companies, tags, states and staff: nothing is said in them.
SILENT = frozenset(
    "ping conversation.admin.noted conversation.admin.snoozed conversation.admin.unsnoozed conversation.admin.single.delivered conversation.admin.mentioned "
    "conversation.read conversation.priority.updated conversation.contact.attached conversation.contact.detached conversation_part.tag.created "
    "ticket.state.updated ticket.note.created ticket.attribute.updated ticket.contact.attached ticket.contact.detached ticket.team.assigned "
    "ticket.admin.assigned ticket.closed event.created".split()
)
SILENT_FAMILIES = ("contact.", "user.", "visitor.", "company.", "admin.", "content_stat.", "call.")
STAFF = frozenset({"admin", "bot", "team"})
_SCHEME = BodyScheme("x-hub-signature", "sha1=", "sha1")
verify, sign = _SCHEME.verify, _SCHEME.sign


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """A look whether the address is there."""
    return WebhookResponse(200) if request.method == "HEAD" else None


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    topic, item = body["topic"].text(), body["data"]["item"]
    if topic in SILENT or topic.startswith(SILENT_FAMILIES):
        return []
    reader = _Reader(body, item, source, request.received_at)
    return read_batch(list_items(item, partial(reader.list_signals, topic)))


class _Reader:
    """One conversation or ticket, and what is new in it."""

    def __init__(self, body: Field, item: Field, source: Source, received_at: datetime) -> None:
        self.body, self.notice, self.source, self.received_at = body, item, source, received_at
        self.item = item["ticket"] if "ticket" in item else item  # noqa: SIM401 - a Field is no dict

    def list_signals(self, topic: str) -> Iterator[Item]:
        if topic not in READERS | dict.fromkeys(REPLIES | HANDLED):
            self.body["topic"].refuse(f"{topic!r} is not a known topic")
        if topic in READERS:
            yield self.item, partial(READERS[topic], self)
        if topic in REPLIES | HANDLED:
            parts = list(self._parts())
            if not parts and topic in REPLIES:
                self.item.refuse("brings no reply")
            yield from ((part, partial(self.read_part, part, topic == "conversation.deleted")) for part in parts)

    def _parts(self) -> Iterator[Field]:
        """What is new; of a ticket it may stand beside it."""
        yield from self.item["conversation_parts"]["conversation_parts"].each()
        yield from self.item["ticket_parts"]["ticket_parts"].each()
        yield from [self.notice["ticket_part"]] if "ticket_part" in self.notice else []

    def read_opening(self) -> Signal:
        """The conversation is named after its first message."""
        first = self.item["source"]
        title, words = strip_tags(first["subject"].text_or_none() or ""), strip_tags(first["body"].text_or_none() or "")
        facts = {"page": first["url"].text_or_none(), "attachments": _read_files(first)}
        kind = "email" if first["type"].text_or_none() == "email" else "message"
        return self._signal(
            self.item["id"].id(), first["author"], self.item["created_at"], kind=kind, text="\n\n".join(filter(None, (title, words))) or None,
            attributes={name: value for name, value in facts.items() if value},
        )

    def read_part(self, part: Field, gone: bool = False) -> Signal | None:
        """One answer. A part without words and files only notes what was done."""
        native_id, files = f"{self.item['id'].id()}/{part['id'].id()}", _read_files(part)
        if gone or part["redacted"].boolean_or_none():
            return self._signal(native_id, part["author"], part["created_at"], action=DELETED, parent_id=self.item["id"].id())
        text = strip_tags(part["body"].text_or_none() or "") or None
        if (part["part_type"].text_or_none() or "comment") not in SPOKEN_PARTS or not (text or files):
            return None
        return self._signal(
            native_id, part["author"], part["created_at"], text=text, parent_id=self.item["id"].id(), attributes={"attachments": files} if files else {},
        )

    def read_rating(self) -> Signal:
        """One per conversation: a remark that comes later, or another mark, is its revision."""
        given = self.item["conversation_rating"]
        mark = given["rating"].number()
        if not 1 <= mark <= 5:
            given["rating"].refuse("must be between 1 and 5")
        return self._signal(
            f"{self.item['id'].id()}/rating", _find_customer(self.item, given["contact"]), given["created_at"], kind="survey_response",
            rating=Rating("csat", mark, 1.0, 5.0), text=given["remark"].text_or_none() or None, parent_id=self.item["id"].id(),
            revision=isoformat(self._time(self.body["created_at"])), attributes={"teammate": given["teammate"]["id"].id()} if "teammate" in given else {},
        )

    def read_ticket(self) -> Signal:
        told = self.item["ticket_attributes"]
        parts = [strip_tags(told[name].text_or_none() or "") for name in ("_default_title_", "_default_description_")]
        return self._signal(
            self.item["id"].id(), _find_customer(self.item), self.item["created_at"], kind="ticket", text="\n\n".join(filter(None, parts)) or None,
            attributes={"ticket": self.item["ticket_id"].id()} if "ticket_id" in self.item else {},
        )

    def read_deletion(self) -> Signal:
        return self._signal(self.item["id"].id(), Field(None, "author"), Field(None, "created_at"), action=DELETED)

    def _signal(self, native_id: str, author: Field, moment: Field, kind: str = "message", **facts: Any) -> Signal:
        mine = author["type"].text_or_none() in STAFF or self._is_own(author)
        customer = _find_customer(self.item) if mine else author
        agent = author["name"].text_or_none() or author["id"].id_or_none()
        return Signal(
            channel="intercom", source=self.source.name, native_id=native_id, kind=kind, direction=OUTBOUND if mine else INBOUND,
            occurred_at=self._time(moment), received_at=self.received_at, identities=() if self._is_own(customer) else self._identities(customer),
            author_name=None if mine else author["name"].text_or_none(), agent=agent if mine else None, thread_id=self.item["id"].id(), **facts,
        )

    def _is_own(self, person: Field) -> bool:
        """A contact who is the brand's own, by id or by an address of its own or of its domain."""
        return self.source.owns("intercom", person["id"].id_or_none()) or any(is_own(identity, self.source.own_ids) for identity in self._identities(person))

    def _identities(self, person: Field) -> tuple[str, ...]:
        named = [("intercom", person["id"].id_or_none()), ("email", person["email"].text_or_none()), ("phone", person["phone"].text_or_none())]
        return normalise_identities((f"{kind}:{value}" for kind, value in named if value), self.source.region)

    def _time(self, field: Field) -> datetime:
        """The item's own time, else the notification's, else the receipt."""
        chosen = next((each for each in (field, self.body["created_at"]) if each.value), None)
        return settle_time(chosen.epoch(), self.received_at, chosen.path) if chosen else self.received_at


READERS = {
    "conversation.user.created": _Reader.read_opening, "conversation.admin.single.created": _Reader.read_opening,
    "conversation.rating.added": _Reader.read_rating, "conversation.deleted": _Reader.read_deletion, "ticket.created": _Reader.read_ticket,
}


def _find_customer(item: Field, named: Field | None = None) -> Field:
    """Whom a conversation is with: the contact named, else its first. If it was they who opened it, more is known of them."""
    contact = named if named is not None and named.value is not None else next(item["contacts"]["contacts"].each(), Field(None, "contacts"))
    opener = item["source"]["author"]
    return opener if opener["id"].id_or_none() == contact["id"].id_or_none() else contact


def _read_files(message: Field) -> list[str]:
    return [file["content_type"].text_or_none() or "file" for file in message["attachments"].each()]
