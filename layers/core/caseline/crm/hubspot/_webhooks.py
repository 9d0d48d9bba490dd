"""What HubSpot's app tells of itself: signed batches of small events, each with the record's id and one property.

Signature v3 only: the older two carry no time and could be played again. HubSpot sends v3 with every event, wants an answer within five seconds
and tries ten times. Own writes come back with our app as their source and are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm import AUTOMATIC, Change
from caseline.crm._settings import read_known
from caseline.crm.hubspot._settings import Settings, read_settings
from caseline.errors import SignatureError
from caseline.payloads import Field, read_json
from caseline.signatures import decode_base64, read_header, read_timestamp
from caseline.signatures.hmacs import verify_prefixed
from caseline.sources import Source
from caseline.web import WebhookRequest

SIGNATURE, TIMESTAMP = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
KINDS = {"ticket": "case", "contact": "contact", "company": "account"}
# Events of any object name it by number.
NUMBERED = {"0-1": "contact", "0-2": "company", "0-5": "ticket"}
CREATED, CHANGED, LOST, JOINED = ("creation", "restore"), ("propertyChange", "associationChange"), ("deletion", "privacyDeletion"), ("merge",)
_TIME = re.compile(r"[0-9]{13}\Z")
_DECODED = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def verify(request: WebhookRequest, source: Source) -> None:
    moment = read_header(request.headers, TIMESTAMP, limit=16)
    if not _TIME.match(moment):
        raise SignatureError("the timestamp is malformed")
    read_timestamp(moment[:-3], request.received_at)
    signed = f"{request.method}{decode_url(request.url)}".encode("utf-8", "surrogatepass") + request.body + moment.encode("ascii")
    verify_prefixed(request.headers, SIGNATURE, "", signed, source.secrets, decode_base64)


def decode_url(url: str) -> str:
    """HubSpot signs the address with these characters as themselves."""
    return _DECODED.sub(lambda found: chr(int(found[0][1:], 16)), url)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """Events that are understood and not our own, in the order of their times. A stage that a case was moved to is told as a status."""
    settings = read_known(Settings, read_settings, source.settings)
    events = read_json(request.body)
    found = [change for event in events.each() for change in _read(event, settings)]
    return sorted(found, key=lambda change: change.at)


def _read(event: Field, settings: Settings) -> list[Change]:
    name, _, what = event["subscriptionType"].text().partition(".")
    name = NUMBERED.get(event["objectTypeId"].text_or_none() or "", name) if name == "object" else name
    if name not in KINDS or _is_own(event, settings):
        return []
    at = event["occurredAt"].epoch(0.001)
    event_id = event["eventId"].id_or_none() or ""
    by = event["sourceId"].id_or_none() or event["changeSource"].text_or_none() or ""
    if what in JOINED:
        return _merged(event, name, at, event_id, by)
    make = next((make for names, make in _MAKERS if what in names), None)
    made = make(event, name, settings) if make else None
    kind, fields = made or ("", {})
    return [Change(kind, _record_id(event, what), at, fields=fields, by=by, event_id=event_id)] if kind else []


def _is_own(event: Field, settings: Settings) -> bool:
    ours = settings.app_id or event["appId"].id_or_none() or ""
    return event["changeSource"].text_or_none() == "INTEGRATION" and bool(ours) and event["sourceId"].id_or_none() == ours


def _record_id(event: Field, what: str) -> str:
    return (event["objectId"] if "objectId" in event or what != "associationChange" else event["fromObjectId"]).id()


def _merged(event: Field, name: str, at: datetime, event_id: str, by: str) -> list[Change]:
    into = event["newObjectId"].id_or_none() or event["primaryObjectId"].id()
    gone = [each.id() for each in event["mergedObjectIds"].each()]
    entity = KINDS[name]
    return [Change("merged", crm_id, at, fields={"entity": entity, "into": into}, by=by, event_id=event_id) for crm_id in gone if crm_id != into]


def _lost(event: Field, name: str, settings: Settings) -> tuple[str, dict[str, Any]]:
    return "deleted", {"entity": KINDS[name]}


def _created(event: Field, name: str, settings: Settings) -> tuple[str, dict[str, Any]] | None:
    """A ticket that people make is none of our cases; a restored one is listed by the reconciliation."""
    return (KINDS[name], {}) if name != "ticket" else None


def _changed(event: Field, name: str, settings: Settings) -> tuple[str, dict[str, Any]] | None:
    """None where the property says nothing to us."""
    if "propertyName" not in event:
        return (KINDS[name], {}) if name != "ticket" else None
    value = event["propertyValue"].value
    fields = _FIELDS[name](event["propertyName"].text(), "" if value is None else str(value), settings)
    return None if fields is None else (KINDS[name], fields)


def ticket_fields(name: str, value: str, settings: Settings) -> dict[str, Any] | None:
    """What a property of a ticket says in Caseline's words."""
    ours = {settings.case_fields[key]: key for key in ("outcome", "category", "queue") if settings.case_fields[key]}
    if name in ours:
        return {ours[name]: value}
    readers: Mapping[str, Callable[[], dict[str, Any]]] = {
        "hs_ticket_priority": lambda: {"band": band} if (band := settings.band(value) if value else AUTOMATIC) else {},
        "hs_pipeline_stage": lambda: {"status": settings.status(value)},
        "hubspot_owner_id": lambda: {"owner": settings.owner(value)},
    }
    return (readers[name]() or None) if name in readers else None


def contact_fields(name: str, value: str, settings: Settings) -> dict[str, Any] | None:
    if name in ("email", "phone", "mobilephone"):
        return {"identities": [f"{'email' if name == 'email' else 'phone'}:{value}"]} if value else {}
    if name == settings.contact_fields["handles"]:
        return {"identities": [each.strip() for each in value.split(";") if each.strip()]}
    if name == "associatedcompanyid":
        return {"account_id": value}
    return {} if name in ("hs_additional_emails", "firstname", "lastname") else None


def company_fields(name: str, value: str, settings: Settings) -> dict[str, Any] | None:
    fact = next((fact for fact, known in settings.account_fields.items() if known == name), "")
    if not fact:
        return None
    value = (settings.tier(value) or "") if fact == "tier" else value
    return {fact: value} if value else {}


_FIELDS = {"ticket": ticket_fields, "contact": contact_fields, "company": company_fields}
_MAKERS: tuple[tuple[tuple[str, ...], Callable[[Field, str, Settings], tuple[str, dict[str, Any]] | None]], ...] = (
    (LOST, _lost), (CREATED, _created), (CHANGED, _changed),
)  # fmt: skip
