"""What a trigger of the tenant (Groovy in Application Composer, or an integration) sends when people change something; infra/crm/oracle/README.md has it.

The body is {"resource": serviceRequests, contacts, accounts or messages, "operation": create, update or delete, "record": {attribute: value}}, the record
with its number or id, LastUpdateDate and LastUpdatedBy; a message has its text as `text` and its service request's `SrNumber` and key. Fusion signs nothing.
"""

from __future__ import annotations

from caseline.crm import Change
from caseline.crm._settings import read_known
from caseline.crm.oracle._rows import ACCOUNTS, CASES, CONTACTS, Teller, text_of, time_of
from caseline.crm.oracle._settings import Settings, read_settings
from caseline.payloads import Field, read_json
from caseline.signatures.tokens import verify_credentials
from caseline.sources import Source
from caseline.web import WebhookRequest

MESSAGES = "messages"
OPERATIONS = ("create", "update", "delete")
ENTITIES = {CASES: ("case", "SrNumber"), CONTACTS: ("contact", "PartyId"), ACCOUNTS: ("account", "PartyId")}


def verify(request: WebhookRequest, source: Source) -> None:
    verify_credentials(request.url, request.headers, source.secrets)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    settings = read_known(Settings, read_settings, source.settings)
    body = read_json(request.body)
    resource, operation, record = body["resource"].text(), body["operation"].text(), body["record"]
    if operation not in OPERATIONS:
        body["operation"].refuse(f"must be one of {', '.join(OPERATIONS)}")
    teller = Teller(settings, settings.user)
    if resource == MESSAGES:
        return _message(record, teller)
    if resource not in ENTITIES:
        return []
    entity, key = ENTITIES[resource]
    row = _row(record, key, "LastUpdateDate")
    if operation == "delete":
        return [Change("deleted", text_of(row, key), time_of(row), fields={"entity": entity}, by=text_of(row, "LastUpdatedBy"))]
    change = {CASES: teller.case, CONTACTS: teller.contact, ACCOUNTS: teller.account}[resource](row)
    return [change] if change else []


def _message(record: Field, teller: Teller) -> list[Change]:
    row = _row(record, "SrNumber", "CreationDate")
    record["MessageId"].id(64)
    known = text_of(row, "MessageTypeCd") in teller.settings.comments and not teller.is_ours(row, "CreatedBy")
    key = text_of(row, teller.settings.case_fields["case_key"])
    return [teller.comment(row, text_of(row, "SrNumber"), key, text_of(row, "text"))] if known else []


def _row(record: Field, key: str, at: str) -> dict[str, object]:
    """PayloadError where it has no id or no time."""
    row: dict[str, object] = dict(record.object())
    row[key], row[at] = record[key].id(64), record[at].time().isoformat()
    return row
