"""What Zendesk pushes: a signed event each, of a ticket, a user or an organization. Ticket events carry the ticket with its external_id.

Subscribe one webhook to the events in `KINDS` of infra/crm/zendesk/README.md. Bodies that a trigger's author wrote are not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caseline.crm import Change
from caseline.crm._marks import MARK
from caseline.crm._schema import OF_CONTACTS
from caseline.crm._settings import read_known
from caseline.crm.zendesk._events import key_of_field, tell, tell_field
from caseline.crm.zendesk._settings import Settings, read_settings, title_of
from caseline.payloads import Field, read_json, settle_time
from caseline.signatures.hmacs import verify_dated
from caseline.sources import Source
from caseline.web import WebhookRequest

HEADER, TIME_HEADER = "x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp"
PREFIX = "zen:event-type:"
# What of a ticket changed, by the event that says so.
PROPERTIES = {
    "status_changed": "status", "priority_changed": "priority", "agent_assignment_changed": "assignee_id", "group_assignment_changed": "group_id",
}  # fmt: skip
DELETIONS = frozenset({"ticket.soft_deleted", "ticket.permanently_deleted", "user.deleted", "organization.deleted"})
ENTITIES = {"ticket": "case", "user": "contact", "organization": "account"}
# Fields that Caseline itself writes to users and organizations: no news.
OWN_TITLES = frozenset(map(title_of, OF_CONTACTS))
Told = tuple[str, dict[str, Any]]


def verify(request: WebhookRequest, source: Source) -> None:
    verify_dated(request.headers, TIME_HEADER, HEADER, request.body, source.secrets, request.received_at)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """One change, or none for what is not understood, not ours or our own."""
    body, settings = read_json(request.body), read_known(Settings, read_settings, source.settings)
    name = body["type"].text().removeprefix(PREFIX)
    detail, event = body["detail"], body["event"]
    by = detail["actor_id"].id_or_none() or ""
    if _is_foreign(name, detail, settings) or (by and (by == settings.user_id or source.owns("zendesk", by))):
        return []
    told = _read(name, detail, event, settings)
    if told is None:
        return []
    at, case_key = settle_time(body["time"].time(), request.received_at, "time"), detail["external_id"].id_or_none() or ""
    key = case_key if name.startswith("ticket.") else ""
    return [Change(told[0], detail["id"].id(), at, key, told[1], by, body["id"].id_or_none() or "")]


def _is_foreign(name: str, detail: Field, settings: Settings) -> bool:
    """A ticket that is none of our cases."""
    return name.startswith("ticket.") and (not detail["external_id"].id_or_none() or settings.tag not in ("", *(tag.text() for tag in detail["tags"].each())))


def _read(name: str, detail: Field, event: Field, settings: Settings) -> Told | None:
    entity, _, what = name.partition(".")
    if name in DELETIONS:
        return "deleted", {"entity": ENTITIES[entity]}
    if entity == "ticket":
        reader = _READERS.get(what)
        return reader(detail, event, settings) if reader else _property(what, event, settings)
    if entity not in ENTITIES or _is_own_field(event):
        return None
    return ENTITIES[entity], {}


def _property(what: str, event: Field, settings: Settings) -> Told | None:
    fields = tell(PROPERTIES[what], event["current"].id_or_none(), settings) if what in PROPERTIES else {}
    return ("case", fields) if fields else None


def _custom(detail: Field, event: Field, settings: Settings) -> Told | None:
    field = event["field"]
    key = key_of_field(field["id"].id_or_none() or "", field["title"].text_or_none() or "", settings)
    fields = tell_field(key, event["current"].text_or_none()) if key else {}
    return ("case", fields) if fields else None


def _comment(detail: Field, event: Field, settings: Settings) -> Told | None:
    """Not what the customer says, which comes by the channel."""
    comment = event["comment"]
    words, author = comment["body"].text(), comment["author"]
    if MARK in words or author["is_staff"].boolean_or_none() is False or author["id"].id_or_none() == detail["requester_id"].id_or_none():
        return None
    return "comment", {"comment_id": comment["id"].id(), "text": words, "public": comment["is_public"].boolean_or_none() is True}


def _merge(detail: Field, event: Field, settings: Settings) -> Told | None:
    return "merged", {"entity": "case", "into": event["target_ticket_id"].id()}


def _is_own_field(event: Field) -> bool:
    return isinstance(event.value, dict) and "field" in event and event["field"]["title"].text_or_none() in OWN_TITLES


_READERS: Mapping[str, Callable[[Field, Field, Settings], Told | None]] = {"custom_field_changed": _custom, "comment_added": _comment, "merged": _merge}
