"""What Salesforce tells by itself: outbound messages (SOAP), and change events that come by EventBridge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from caseline.crm import Change
from caseline.crm.salesforce._settings import Settings, read_settings
from caseline.crm.salesforce._soap import ACK, organization_of, read_notifications, records_of
from caseline.crm.salesforce._soql import is_id
from caseline.errors import ConfigError, PayloadError, SignatureError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_event, read_time
from caseline.signatures.tokens import verify_credentials
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

ORIGIN = "client=caseline"
DELETED, GAP = "DELETE", "GAP_"
XML = {"Content-Type": "text/xml; charset=utf-8"}
ENTITIES = {"Case": "case", "Contact": "contact", "Account": "account"}
# What the source's own settings say besides those of the adapter.
OWN = ("organization_id", "user_id")
Fields = Mapping[str, Any]


def verify(request: WebhookRequest, source: Source) -> None:
    verify_credentials(request.url, request.headers, source.secrets)
    known = str(source.settings.get("organization_id") or "")
    if not known:
        return
    try:
        sent = organization_of(read_notifications(request.body))
    except PayloadError as error:
        raise SignatureError("the body names no organisation") from error
    if not sent or sent[:15] != known[:15]:
        raise SignatureError("the message is another organisation's")


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    reader = _Reader(source, request.received_at)
    return [change for record in records_of(read_notifications(request.body)) for change in reader.read_record(*record)]


def acknowledge(request: WebhookRequest, source: Source, changes: Any = ()) -> WebhookResponse:
    return WebhookResponse(200, ACK, XML)


def parse_event(event: Mapping[str, Any], source: Source, *, received_at: datetime, read: Callable[[str, str], bytes]) -> list[Change]:
    return list(_Reader(source, received_at).read_event(read_event(event)["detail"]))


class _Reader:
    def __init__(self, source: Source, received_at: datetime) -> None:
        self._settings = _settings(source)
        self._user, self._now = str(source.settings.get("user_id") or ""), received_at

    def read_record(self, event_id: str, entity: str, fields: Mapping[str, str]) -> Iterator[Change]:
        """Which fields come is up to who set the message up; who changed it last is ourselves or somebody else."""
        record_id = fields.get("Id", "")
        if not is_id(record_id):
            raise PayloadError("must be an id", "Notification.sObject.Id")
        by, at = fields.get("LastModifiedById", ""), fields.get("SystemModstamp") or fields.get("LastModifiedDate")
        if not self._is_ours(by):
            yield from self._changes(entity, record_id, fields, read_time(at, "SystemModstamp") if at else self._now, by, event_id)

    def read_event(self, detail: Field) -> Iterator[Change]:
        """A change event has the fields that changed; a gap event has none, and the record is to be looked up."""
        payload = detail["payload"]
        header = payload["ChangeEventHeader"]
        by, kind = header["commitUser"].text_or_none() or "", header["changeType"].text()
        at, key = header["commitTimestamp"].epoch(0.001), f"{header['transactionKey'].text_or_none() or ''}.{header['sequenceNumber'].integer_or_none() or 0}"
        if self._is_ours(by) or ORIGIN in (header["changeOrigin"].text_or_none() or ""):
            return
        entity, fields = header["entityName"].text(), {} if kind.startswith(GAP) else payload.object()
        for each in header["recordIds"].each():
            record_id = each.id(18)
            if kind.removeprefix(GAP) == DELETED and entity in ENTITIES:
                yield Change("deleted", record_id, at, fields={"entity": ENTITIES[entity]}, by=by, event_id=f"{key}.{record_id}")
            else:
                yield from self._changes(entity, record_id, fields, at, by, f"{key}.{record_id}")

    def _changes(self, entity: str, record_id: str, fields: Fields, at: datetime, by: str, event_id: str) -> Iterator[Change]:
        case_key = _text(fields, self._settings.case_fields["case_key"])
        if entity == "CaseComment":
            if (parent := _text(fields, "ParentId")) and (text := _text(fields, "CommentBody")) and "[cx:" not in text:
                # A published one may be the customer's own, written in a site: a message does not say who its author is, and a poll does.
                comment = {} if _flag(fields.get("IsPublished")) is True else {"comment_id": record_id, "text": text, "public": False}
                yield Change("comment", parent, at, "", comment, by, event_id)
        elif entity in ENTITIES:
            yield Change(ENTITIES[entity], record_id, at, case_key, _FIELDS[entity](self._settings, fields), by, event_id)

    def _is_ours(self, user: str) -> bool:
        return bool(self._user) and user[:15] == self._user[:15]


def _case_fields(settings: Settings, fields: Fields) -> dict[str, Any]:
    """The owner is known by id alone; a person's priority only where our band came with it, or nothing but the priority changed."""
    found: dict[str, Any] = {}
    if status := _text(fields, "Status"):
        found["status"] = settings.status(status, _flag(fields.get("IsClosed")))
    band, priority = _text(fields, settings.case_fields["band"]), _text(fields, "Priority")
    if priority and (not band or settings.priority(band) != priority) and (theirs := settings.band(priority)):
        found["band"] = theirs
    if owner := _text(fields, "OwnerId"):
        named = {key[:15]: ("queue", name) for name, key in settings.queues.items()} | {key[:15]: ("owner", name) for name, key in settings.owners.items()}
        name, value = named.get(owner[:15], ("owner", owner) if owner.startswith("005") else ("", ""))
        found |= {name: value} if name else {}
    if outcome := _text(fields, settings.case_fields["outcome"]):
        found["outcome"] = outcome
    return found


def _contact_fields(settings: Settings, fields: Fields) -> dict[str, Any]:
    """All that was sent, or nothing: a part of somebody's identities is not all of them."""
    texts = [f"email:{_text(fields, 'Email')}", f"phone:{_text(fields, 'Phone')}", f"phone:{_text(fields, 'MobilePhone')}"]
    handles = _text(fields, settings.handles_field).split(";")
    whole = {"Email", "Phone", settings.handles_field} <= set(fields)
    known = {"identities": list(normalise_identities([*texts, *handles]))} if whole else {}
    return {**known, **({"account_id": account} if (account := _text(fields, "AccountId")) else {})}


def _account_fields(settings: Settings, fields: Fields) -> dict[str, Any]:
    tier = settings.tier(_text(fields, settings.account_fields["tier"]))
    return {"tier": tier} if tier else {}


_FIELDS: Mapping[str, Callable[[Settings, Fields], dict[str, Any]]] = {"Case": _case_fields, "Contact": _contact_fields, "Account": _account_fields}


def _settings(source: Source) -> Settings:
    """The value maps; a source may repeat those of `crm:` that its messages need."""
    try:
        return read_settings({name: value for name, value in source.settings.items() if name not in OWN})
    except ConfigError as error:
        raise PayloadError(f"the source's settings are wrong: {error}") from error


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _flag(value: Any) -> bool | None:
    """SOAP writes it as a word."""
    return {"true": True, "false": False}.get(str(value).lower())
