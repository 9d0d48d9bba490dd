"""Zendesk: tickets, comments and chat messages, by webhooks that are subscribed to events. Credential: the webhook's signing secret.

Facts: developer.zendesk.com, "Verifying webhook authenticity", "Ticket events", "Messaging events". The body of a webhook that a trigger sends is whatever
its author wrote; such a body is not understood: subscribe the webhook to events instead. Not confirmed: the members of a comment (`author` may be an id
alone) and of a satisfaction score (read as good or bad, or as a number from 1 to 5). Settings: `subdomain`, for links; `own_tag`, the tag of tickets that
this product made itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import DELETED, OUTBOUND, UPDATED, Rating, Signal, Unreadable, isoformat
from caseline.signatures.hmacs import sign_dated, verify_dated
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "zendesk"
HEADER, TIME_HEADER = "x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp"
PREFIX, OWN_TAG = "zen:event-type:", "caseline"
SILENT_DOMAINS = ("user.", "organization.", "agent.", "messaging_live_metrics.", "omnichannel_config.")
SILENT = frozenset(f"ticket.{event}" for event in (
    "agent_assignment_changed attachment_linked_to_comment attachment_redacted_from_comment brand_changed comment_made_private csat_requested "
    "custom_field_changed custom_status_changed email_ccs_changed external_id_changed followers_changed form_changed group_assignment_changed merged "
    "next_sla_breach_changed ola_policy_changed organization_changed priority_changed problem_link_changed requester_changed schedule_changed "
    "sla_policy_changed status_changed submitter_changed tags_changed task_due_at_changed type_changed"
).split())
SCORES = {"good": 1.0, "bad": 0.0}


def verify(request: WebhookRequest, source: Source) -> None:
    verify_dated(request.headers, TIME_HEADER, HEADER, request.body, source.secrets, request.received_at)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    return request.with_headers(sign_dated(TIME_HEADER, HEADER, request.body, source.secrets[0], request.received_at))


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    event = body["type"].text().removeprefix(PREFIX)
    if event in READERS:
        signal = READERS[event](_Event(body, source, request))
        return [signal] if signal else []
    if event in SILENT or event.startswith(SILENT_DOMAINS):
        return []
    raise PayloadError(f"{event!r} is not a known event", "type")


class _Event:
    """One event of a ticket: `detail` is the ticket as it stands, `event` what happened to it."""

    def __init__(self, body: Field, source: Source, request: WebhookRequest) -> None:
        self.body, self.source, self.received_at = body, source, request.received_at
        self.ticket, self.comment = body["detail"], body["event"]["comment"]
        self.ticket_id, self.time = body["detail"]["id"].id(), body["time"].time_or_none() or self.received_at

    def read_ticket(self) -> Signal | None:
        """The first words of a ticket. Not of one that this product made of what it had heard elsewhere."""
        if str(self.source.settings.get("own_tag") or OWN_TAG) in {tag.text() for tag in self.ticket["tags"].each()}:
            return None
        requester, submitter = self.ticket["requester_id"].id(), self.ticket["submitter_id"].id_or_none()
        parts = (self.ticket["subject"].text_or_none(), self.ticket["description"].text_or_none())
        who: dict[str, Any] = {"identities": self._person(requester), "agent": submitter if submitter != requester else None}
        if self.source.owns("zendesk", requester):
            who = {"direction": OUTBOUND, "agent": requester}
        text = "\n\n".join(part for part in parts if part and part.strip()) or None
        return self._signal(self.ticket_id, "ticket", self.ticket["created_at"].time_or_none() or self.time, text=text, attributes=self._facts(), **who)

    def read_edit(self, **facts: Any) -> Signal | None:
        """The ticket's words as they are now."""
        signal = self.read_ticket()
        return signal and signal.with_(action=UPDATED, revision=isoformat(self.time), attributes={**signal.attributes, **facts})

    def read_spam(self) -> Signal | None:
        return self.read_edit(spam=True)

    def read_deletion(self, revision: str = "") -> Signal:
        moment = self.ticket["created_at"].time_or_none() or self.time
        return self._signal(self.ticket_id, "ticket", moment, action=DELETED, revision=revision)

    def read_soft_deletion(self) -> Signal:
        """Until it is deleted for good a ticket may come back."""
        return self.read_deletion(isoformat(self.time))

    def read_comment(self) -> Signal | None:
        """What a customer or somebody of the brand wrote. A private note is said to nobody outside."""
        comment = self.comment
        if self._either(comment, "is_public", "public").boolean_or_none() is False:
            return None
        author, requester = self._author(), self.ticket["requester_id"].id()
        who: dict[str, Any] = {"identities": self._person(author), "author_name": comment["author"]["name"].text_or_none()}
        if self._is_staff(author, requester):
            who = {"direction": OUTBOUND, "identities": self._person(requester), "agent": comment["author"]["name"].text_or_none() or author}
        return self._signal(comment["id"].id(), "comment", self.time, text=comment["body"].text(), parent_id=self.ticket_id, attributes=self._facts(), **who)

    def read_redaction(self) -> Signal:
        """What is left of the words is not said, so none are kept."""
        return self._signal(self.comment["id"].id(), "comment", self.time, action=DELETED, parent_id=self.ticket_id)

    def read_message(self) -> Signal:
        """A message in a chat: of the customer, or of an agent, a bot or a trigger, who are found by the ticket."""
        actor, message = self.body["event"]["actor"], self.body["event"]["message"]
        side, name, author = actor["type"].text(), actor["name"].text_or_none(), actor["id"].id()
        if side not in ("end_user", "agent", "trigger", "system"):
            actor["type"].refuse(f"{side!r} is not a known type")
        who: dict[str, Any] = {"identities": self._person(author), "author_name": name}
        if side != "end_user" or self.source.owns("zendesk", author):
            who = {"direction": OUTBOUND, "agent": name or author}
        return self._signal(message["id"].id(), "message", self.time, text=message["body"].text_or_none(), **who)

    def read_score(self) -> Signal:
        said = self.body["event"]["satisfaction_score"]
        score, words = (said["score"], said["comment"].text_or_none()) if isinstance(said.value, dict) else (said, None)
        requester = self.ticket["requester_id"].id()
        return self._signal(
            f"{self.ticket_id}/csat", "survey_response", self.time, revision=isoformat(self.time), rating=_read_score(score), text=words,
            identities=self._person(requester), parent_id=self.ticket_id,
        )

    def _author(self) -> str:
        return (self.comment["author_id"] if "author_id" in self.comment else self.comment["author"]["id"]).id()

    def _is_staff(self, author: str, requester: str) -> bool:
        said = self.comment["author"]["is_staff"].boolean_or_none() if "author" in self.comment else None
        return self.source.owns("zendesk", author) or (author != requester if said is None else said)

    @staticmethod
    def _either(place: Field, name: str, other: str) -> Field:
        return place[name] if name in place else place[other]

    @staticmethod
    def _person(native_id: str) -> tuple[str, ...]:
        return normalise_identities([f"zendesk:{native_id}"])

    def _facts(self) -> dict[str, Any]:
        ticket = self.ticket
        named = {name: ticket[name].id_or_none() for name in ("status", "priority", "external_id", "organization_id", "group_id", "brand_id")}
        return {name: value for name, value in {**named, "via": ticket["via"]["channel"].text_or_none()}.items() if value is not None}

    def _signal(self, native_id: str, kind: str, moment: Any, **facts: Any) -> Signal:
        subdomain = str(self.source.settings.get("subdomain") or "")
        url = f"https://{subdomain}.zendesk.com/agent/tickets/{self.ticket_id}" if subdomain else None
        return Signal(
            channel="zendesk", source=self.source.name, native_id=native_id, kind=kind, occurred_at=settle_time(moment, self.received_at, "time"),
            received_at=self.received_at, thread_id=self.ticket_id, url=url, **facts,
        )


def _read_score(field: Field) -> Rating:
    """Good and bad are the ends of a scale of two; a number is one of five."""
    word = field.value.lower() if isinstance(field.value, str) else None
    if word in SCORES:
        return Rating("csat", SCORES[word], 0.0, 1.0)
    value = field.number()
    return Rating("csat", value, 1.0, 5.0) if 1 <= value <= 5 else field.refuse("must be good, bad or between 1 and 5")


READERS: Mapping[str, Callable[[_Event], Signal | None]] = {
    "ticket.created": _Event.read_ticket, "ticket.subject_changed": _Event.read_edit, "ticket.description_changed": _Event.read_edit,
    "ticket.marked_as_spam": _Event.read_spam, "ticket.soft_deleted": _Event.read_soft_deletion, "ticket.undeleted": _Event.read_edit,
    "ticket.permanently_deleted": _Event.read_deletion,
    "ticket.comment_added": _Event.read_comment, "ticket.comment_redacted": _Event.read_redaction, "ticket.csat_received": _Event.read_score,
    "messaging_ticket.message_added": _Event.read_message,
}
