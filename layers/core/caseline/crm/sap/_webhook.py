"""Events of SAP. V2's outbound events carry the record before and after; Cloud for Customer's notifications name the record alone.

Neither is signed: a token in the URL, or the password of Basic credentials, proves the sender. The source's own settings may be those of the adapter
(`product`, `own_user`, columns), so that events are understood as the tenant names its fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from caseline.crm import Change
from caseline.crm._settings import read_known
from caseline.crm.sap._rows import read, text_of
from caseline.crm.sap._settings import read_settings
from caseline.crm.sap._shape import Settings
from caseline.errors import PayloadError
from caseline.markup import strip_tags
from caseline.payloads import Field, read_json, settle_time
from caseline.signatures.tokens import verify_credentials
from caseline.sources import Source
from caseline.web import WebhookRequest

_TYPE = re.compile(r"\.(?P<entity>case|contactperson|account)(?P<what>create|update|delete)d?(?:\.v\d+)?\Z", re.IGNORECASE)
_ENTITIES = {"case": "case", "contactperson": "contact", "account": "account"}
_TICKET, _DELETED, _OBJECT_ID = "SERVICE_REQUEST", "deleted", re.compile(r"[0-9A-Fa-f]{32}\Z")
MARK = "[cx:"
Image = Mapping[str, Any]


def verify(request: WebhookRequest, source: Source) -> None:
    verify_credentials(request.url, request.headers, source.secrets)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """Nothing for what is not about a case, contact or account, and for our own writes."""
    event = read_json(request.body)
    event.object()
    if "businessObjectId" in event:
        return _notified(event, request.received_at)
    return _sent(event, read_known(Settings, read_settings, source.settings), request.received_at)


# ---- Sales and Service Cloud V2


def _sent(event: Field, settings: Settings, received_at: datetime) -> list[Change]:
    found = _TYPE.search(event["type"].text_or_none() or "")
    if not found:
        return []
    entity, at = _ENTITIES[found["entity"].lower()], _time(event["time"], received_at)
    before, now = _image(event["data"]["beforeImage"]), _image(event["data"]["currentImage"])
    if found["what"].lower() == "delete":
        return [_change("deleted", before or now, at, {"entity": entity}, settings, event)]
    if settings.own_user and text_of(now, settings.case_columns["changed_by"]) == settings.own_user:
        return []
    return _case(before, now, at, settings, event) if entity == "case" else [_change(entity, now, at, {}, settings, event)]


def _image(field: Field) -> Image:
    return field.object() if field.value is not None else {}


def _case(before: Image, now: Image, at: datetime, settings: Settings, event: Field) -> list[Change]:
    columns, ours = settings.case_columns, settings.case_fields
    moved = {name: text_of(now, columns[name]) for name in ("status", "priority", "owner") if text_of(now, columns[name]) != text_of(before, columns[name])}
    outcome = text_of(now, ours["outcome"])
    found = {
        "status": settings.status(moved["status"]) if moved.get("status") else "",
        "band": settings.hand_band(moved.get("priority", ""), text_of(now, ours["band"])),
        "owner": moved.get("owner") and (text_of(now, columns["owner_name"]) or moved["owner"]),
        "outcome": outcome if outcome in ("valid", "not_an_issue") and outcome != text_of(before, ours["outcome"]) else "",
    }
    told = {name: value for name, value in found.items() if value}
    changes = [_change("case", now, at, told, settings, event)] if told else []
    return [*changes, *(_comment(note, now, at, settings, event) for note in _written(before, now, settings))]


def _written(before: Image, now: Image, settings: Settings) -> list[Image]:
    """Notes that were not there before and are not ours."""
    known = {text_of(note, "noteId") for note in _notes(before, settings)}
    return [note for note in _notes(now, settings) if text_of(note, "noteId") not in ("", *known) and _words(note) and MARK not in text_of(note, "content")]


def _notes(image: Image, settings: Settings) -> list[Image]:
    notes = read(image, settings.case_columns["notes"])
    return [note for note in notes if isinstance(note, Mapping)] if isinstance(notes, list) else []


def _words(note: Image) -> str:
    return strip_tags(text_of(note, "content")).strip()


def _comment(note: Image, now: Image, at: datetime, settings: Settings, event: Field) -> Change:
    return _change("comment", now, at, {"comment_id": text_of(note, "noteId"), "text": _words(note), "public": False}, settings, event)


def _change(kind: str, image: Image, at: datetime, told: Mapping[str, Any], settings: Settings, event: Field) -> Change:
    crm_id = text_of(image, settings.case_columns["id"])
    if not crm_id or len(crm_id) > 100:
        raise PayloadError("must name the record", "data.currentImage.id")
    key, by = text_of(image, settings.case_fields["case_key"]), text_of(image, settings.case_columns["changed_by"])
    return Change(kind, crm_id, at, key, told, by, event["id"].id_or_none() or "")


def _time(field: Field, received_at: datetime) -> datetime:
    return settle_time(field.time_or_none() or received_at, received_at, "time")


# ---- Cloud for Customer


def _notified(event: Field, received_at: datetime) -> list[Change]:
    """What changed is read by polling; that a ticket is gone is told here alone."""
    what, kind, crm_id = event["event"].text_or_none() or "", event["businessObject"].text_or_none() or "", event["businessObjectId"].id()
    if _TICKET not in f"{kind} {what}".upper() or not what.lower().endswith(_DELETED):
        return []
    if not _OBJECT_ID.match(crm_id):
        raise PayloadError("must be an object id", "businessObjectId")
    return [Change("deleted", crm_id.upper(), received_at, fields={"entity": "case"})]
