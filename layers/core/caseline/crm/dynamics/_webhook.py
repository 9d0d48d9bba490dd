"""Webhooks of Dataverse: a RemoteExecutionContext for each step that an admin registered. Not signed: a key of our choice proves the sender.

`HttpHeader` (name x-cx-webhook-key, or the source's setting `header`), `WebhookKey` (?code=) and `HttpQueryString` (?token=) all do.
Register the steps asynchronously, on Create, Update, Delete, Merge and Close of the tables that matter, best with a post image that holds cx_casekey and
cx_band. `own_ids` of the source names Caseline's own user (`dynamics:<guid>`): what it wrote is no change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from caseline.crm import CLOSED, OPEN, Change
from caseline.crm.dynamics._identities import identities_of
from caseline.crm.dynamics._settings import BANDS, OUTCOMES, Settings
from caseline.payloads import Field, read_json
from caseline.signatures import read_header, read_url_token, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest

HEADER = "x-cx-webhook-key"
ENTITIES = {"incident": "case", "contact": "contact", "account": "account"}
# Columns and options as the solution installs them; whoever has others learns of the change by polling.
OURS = Settings()
_DATE = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/\Z")
Values = Mapping[str, Any]


def verify(request: WebhookRequest, source: Source) -> None:
    name = str(source.settings.get("header") or HEADER)
    given = request.headers.get(name) and read_header(request.headers, name)
    verify_token(given or read_url_token(request.url, "code") or read_url_token(request.url), source.secrets)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """Nothing for what is not about a case, contact or account, for our own writes, and for a step that says no more than its name."""
    context = read_json(request.body)
    context.object()
    entity, message = context["PrimaryEntityName"].text_or_none(), context["MessageName"].text_or_none()
    user = context["InitiatingUserId"].id_or_none() or ""
    if not entity or not message or source.owns("dynamics", user):
        return []
    at = _time(context, request.received_at)
    kind = ENTITIES.get(entity, "")
    reader = _MESSAGES.get(message) if kind else _commented if (entity, message) == ("annotation", "Create") else None
    return reader(context, kind, at, user) if reader else []


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


def _changed(context: Field, kind: str, at: datetime, user: str) -> list[Change]:
    target = _attributes(_parameter(context, "Target"))
    known = {**_image(context), **target}
    if kind == "case":
        return _case(context, target, known, at, user)
    return [_change(context, kind, _primary(context), at, user, _contact(known) if kind == "contact" else {})]


def _contact(known: Values) -> dict[str, Any]:
    """As far as the message tells: an update holds what changed, a post image the rest."""
    fields = {"name": known.get("fullname"), "account_id": known.get("parentcustomerid"), "identities": list(identities_of(known, OURS))}
    return {name: value for name, value in fields.items() if value}


def _case(context: Field, target: Values, known: Values, at: datetime, user: str) -> list[Change]:
    case_id, case_key = _primary(context), str(known.get("cx_casekey") or "")
    if known.get("statuscode") == OURS.status_merged and known.get("masterid"):
        return [_change(context, "merged", case_id, at, user, {"entity": "case", "into": known["masterid"]}, case_key)]
    fields = {name: value for name, value in {**_work(target), "band": _band(target, known)}.items() if value}
    return [_change(context, "case", case_id, at, user, fields, case_key)] if fields else []


def _work(target: Values) -> dict[str, Any]:
    """Of the columns that were sent: those that were not are as they were."""
    state = target.get("statecode")
    status = {None: None, 0: OPEN}.get(state, CLOSED)
    if str(target.get("statuscode")) in OURS.status_pending and status != CLOSED:
        status = "pending"
    return {"status": status, "owner": target.get("ownerid.name") or target.get("ownerid"), "outcome": OURS.option_name(OUTCOMES, target.get("cx_outcome"))}


def _band(target: Values, known: Values) -> str | None:
    return OURS.band_of(target.get("prioritycode"), OURS.option_name(BANDS, known.get("cx_band")))


def _commented(context: Field, kind: str, at: datetime, user: str) -> list[Change]:
    """A note on a case; it is internal."""
    target = _attributes(_parameter(context, "Target"))
    if target.get("objectid.table") != "incident" or not target.get("notetext"):
        return []
    fields = {"comment_id": _primary(context), "text": str(target["notetext"]), "public": False}
    return [_change(context, "comment", str(target["objectid"]), at, user, fields)]


def _deleted(context: Field, kind: str, at: datetime, user: str) -> list[Change]:
    return [_change(context, "deleted", _primary(context), at, user, {"entity": kind}, str(_image(context, "PreEntityImages").get("cx_casekey") or ""))]


def _merged(context: Field, kind: str, at: datetime, user: str) -> list[Change]:
    into = _parameter(context, "Target")["Id"].id()
    return [_change(context, "merged", _parameter(context, "SubordinateId").id(), at, user, {"entity": kind, "into": into.lower()})]


def _closed(context: Field, kind: str, at: datetime, user: str) -> list[Change]:
    return [_change(context, "case", _primary(context), at, user, {"status": CLOSED})] if kind == "case" else []


def _change(context: Field, kind: str, crm_id: str, at: datetime, user: str, fields: Mapping[str, Any], case_key: str = "") -> Change:
    return Change(kind, crm_id.lower(), at, case_key, fields, user, context["OperationId"].id_or_none() or "")


def _primary(context: Field) -> str:
    return context["PrimaryEntityId"].id()


def _parameter(context: Field, name: str) -> Field:
    """Of the list of keys and values; a message over 256 KB comes without it, and then only its ids tell something."""
    for pair in context["InputParameters"].each():
        if pair["key"].text() == name:
            return pair["value"]
    return Field({}, name, context)


def _image(context: Field, name: str = "PostEntityImages") -> dict[str, Any]:
    images = [_attributes(pair["value"]) for pair in context[name].each()]
    return {key: value for image in images for key, value in image.items()}


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


_MESSAGES: Mapping[str, Callable[[Field, str, datetime, str], list[Change]]] = {
    "Create": _changed, "Update": _changed, "SetState": _changed, "Delete": _deleted, "Merge": _merged, "Close": _closed,
}  # fmt: skip
