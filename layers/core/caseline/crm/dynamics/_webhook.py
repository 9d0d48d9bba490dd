"""Webhooks of Dataverse: a RemoteExecutionContext for each step that an admin registered. Not signed: a key of our choice proves the sender.

`HttpHeader` (the name is the setting `webhook_header`), `WebhookKey` (?code=) and `HttpQueryString` (?token=) all do. Register the steps asynchronously, on
Create, Update, Delete and Merge of the tables that matter, best with a post image that holds cx_casekey and cx_band. The setting `user_id` is Caseline's
own user: what it wrote is no change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from caseline.crm import CLOSED, OPEN, Change
from caseline.crm._schema import OUTCOMES
from caseline.crm._settings import read_known, read_settings
from caseline.crm.dynamics._identities import identities_of
from caseline.crm.dynamics._settings import BANDS, Settings
from caseline.payloads import Field, read_json
from caseline.signatures import read_header
from caseline.signatures.tokens import read_url_token, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest

ENTITIES = {"incident": "case", "contact": "contact", "account": "account"}
_DATE = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/\Z")
Values = Mapping[str, Any]


def verify(request: WebhookRequest, source: Source) -> None:
    name = settings_of(source).webhook_header
    given = request.headers.get(name) and read_header(request.headers, name)
    verify_token(given or read_url_token(request.url, "code") or read_url_token(request.url), source.secrets)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """Nothing for what is not about a case, contact or account, for our own writes, and for a step that says no more than its name."""
    context, settings = read_json(request.body), settings_of(source)
    context.object()
    entity, name = context["PrimaryEntityName"].text_or_none(), context["MessageName"].text_or_none()
    user = (context["InitiatingUserId"].id_or_none() or "").lower()
    if not entity or not name or source.owns("dynamics", user) or (user and user == settings.user_id.lower()):
        return []
    kind = ENTITIES.get(entity, "")
    reader = _MESSAGES.get(name) if kind else _commented if (entity, name) == ("annotation", "Create") else None
    return reader(Message(context, settings, kind, _time(context, request.received_at), user)) if reader else []


def settings_of(source: Source) -> Settings:
    return read_known(Settings, partial(read_settings, Settings, "dynamics"), source.settings)


@dataclass(frozen=True)
class Message:
    """`kind` is case, contact or account."""

    context: Field
    settings: Settings
    kind: str
    at: datetime
    user: str

    @property
    def record_id(self) -> str:
        return self.context["PrimaryEntityId"].id()

    def parameter(self, name: str) -> Field:
        """Of the list of keys and values; a message over 256 KB comes without it, and then only its ids tell something."""
        for pair in self.context["InputParameters"].each():
            if pair["key"].text() == name:
                return pair["value"]
        return Field({}, name, self.context)

    def image(self, name: str) -> dict[str, Any]:
        images = [_attributes(pair["value"]) for pair in self.context[name].each()]
        return {key: value for image in images for key, value in image.items()}

    def case_key(self, known: Values) -> str:
        return str(known.get(self.settings.case_fields["case_key"]) or "")

    def change(self, kind: str, crm_id: str, fields: Mapping[str, Any], case_key: str = "") -> Change:
        return Change(kind, crm_id.lower(), self.at, case_key, fields, self.user, self.context["OperationId"].id_or_none() or "")


def _time(context: Field, received_at: datetime) -> datetime:
    """Milliseconds since 1970 in UTC; the zone behind them is the server's own and says nothing more."""
    field = context["OperationCreatedOn"]
    text = field.text_or_none()
    if not text:
        return received_at
    found = _DATE.match(text) or field.refuse("must be a time such as /Date(1506384247000)/")
    try:
        return min(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(found[1])), received_at)
    except OverflowError:
        field.refuse("is not a time that exists")


def _changed(message: Message) -> list[Change]:
    target = _attributes(message.parameter("Target"))
    known = {**message.image("PostEntityImages"), **target}
    if message.kind == "case":
        return _case(message, target, known)
    return [message.change(message.kind, message.record_id, _contact(message, known) if message.kind == "contact" else {})]


def _contact(message: Message, known: Values) -> dict[str, Any]:
    """As far as the message tells: an update holds what changed, a post image the rest."""
    found = {"name": known.get("fullname"), "account_id": known.get("parentcustomerid"), "identities": list(identities_of(known, message.settings))}
    return {name: value for name, value in found.items() if value}


def _case(message: Message, target: Values, known: Values) -> list[Change]:
    if known.get("statuscode") == message.settings.status_merged and known.get("masterid"):
        return [message.change("merged", message.record_id, {"entity": "case", "into": known["masterid"]}, message.case_key(known))]
    work = {**_work(target, message.settings), "band": _band(target, known, message.settings)}
    found = {name: value for name, value in work.items() if value}
    return [message.change("case", message.record_id, found, message.case_key(known))] if found else []


def _work(target: Values, settings: Settings) -> dict[str, Any]:
    """Of the columns that were sent: those that were not are as they were."""
    status = {None: None, 0: OPEN}.get(target.get("statecode"), CLOSED)
    if str(target.get("statuscode")) in settings.status_pending and status != CLOSED:
        status = "pending"
    outcome = settings.option_name(OUTCOMES, target.get(settings.case_fields["outcome"]))
    is_ours = bool(settings.user_id) and str(target.get("ownerid") or "").lower() == settings.user_id.lower()
    owner = None if is_ours else target.get("ownerid.name") or target.get("ownerid")  # what we made and nobody has taken is nobody's
    return {"status": status, "owner": owner, "outcome": outcome}


def _band(target: Values, known: Values, settings: Settings) -> str | None:
    return settings.band_of(target.get("prioritycode"), settings.option_name(BANDS, known.get(settings.case_fields["band"])))


def _commented(message: Message) -> list[Change]:
    """A note on a case; it is internal."""
    target = _attributes(message.parameter("Target"))
    if target.get("objectid.table") != "incident" or not target.get("notetext"):
        return []
    return [message.change("comment", str(target["objectid"]), {"comment_id": message.record_id, "text": str(target["notetext"]), "public": False})]


def _deleted(message: Message) -> list[Change]:
    return [message.change("deleted", message.record_id, {"entity": message.kind}, message.case_key(message.image("PreEntityImages")))]


def _merged(message: Message) -> list[Change]:
    into = message.parameter("Target")["Id"].id().lower()
    return [message.change("merged", message.parameter("SubordinateId").id(), {"entity": message.kind, "into": into})]


def _closed(message: Message) -> list[Change]:
    return [message.change("case", message.record_id, {"status": CLOSED})] if message.kind == "case" else []


def _attributes(entity: Field) -> dict[str, Any]:
    """Plain values by column: an option's number, a lookup's id (with its table and name beside it)."""
    found: dict[str, Any] = {}
    for pair in entity["Attributes"].each():
        name, value = pair["key"].text(), pair["value"]
        if "Id" in value:
            found |= {name: value["Id"].id().lower(), f"{name}.table": value["LogicalName"].text_or_none(), f"{name}.name": value["Name"].text_or_none()}
        else:
            found[name] = _plain(value["Value"].value if isinstance(value.value, dict) else value.value)
    return found


def _plain(value: Any) -> Any:
    """Of no column that is read here is the value a list or an object."""
    return value if isinstance(value, str | int | float) else None


_MESSAGES: Mapping[str, Callable[[Message], list[Change]]] = {
    "Create": _changed, "Update": _changed, "SetState": _changed, "Delete": _deleted, "Merge": _merged, "Close": _closed,
}  # fmt: skip
