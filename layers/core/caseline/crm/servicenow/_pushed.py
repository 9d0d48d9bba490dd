"""What a business rule of the instance sends when people change something; infra/crm/servicenow/README.md has the rule.

The body is {"table", "operation": insert, update or delete, "record": {field: value}}, the record with its sys_id, sys_updated_on and sys_updated_by
(in UTC, as stored); a journal's entry also has its case's key, as the record's `case_key`, and its contact's login, as
`contact.user_name`. ServiceNow signs nothing.
"""

from __future__ import annotations

from caseline.crm import Change
from caseline.crm._settings import read_known
from caseline.crm.servicenow._rows import JOURNAL, Teller, customers_of, text_of, time_of
from caseline.crm.servicenow._settings import Settings, read_settings
from caseline.payloads import Field, read_json
from caseline.signatures.tokens import verify_credentials
from caseline.sources import Source
from caseline.web import WebhookRequest

OPERATIONS = ("insert", "update", "delete")


def verify(request: WebhookRequest, source: Source) -> None:
    verify_credentials(request.url, request.headers, source.secrets)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    settings = read_known(Settings, read_settings, source.settings)
    body = read_json(request.body)
    table, operation, record = body["table"].text(), body["operation"].text(), body["record"]
    if operation not in OPERATIONS:
        body["operation"].refuse(f"must be one of {', '.join(OPERATIONS)}")
    row = _row(record, "sys_created_on" if table == JOURNAL else "sys_updated_on")
    teller = Teller(settings, settings.user)
    if operation == "delete":
        gone = {"tablename": table, "documentkey": row["sys_id"], "sys_created_on": row["sys_updated_on"], "sys_created_by": text_of(row, "sys_updated_by")}
        return _listed(teller.deleted(gone))
    if table == JOURNAL:
        record["element_id"].id()
        return _listed(teller.comment(row, text_of(row, "case_key"), customers_of(row)))
    tellers = {settings.case_table: teller.case, settings.contact_table: teller.contact, settings.account_table: teller.account}
    return _listed(tellers[table](row)) if table in tellers else []


def _row(record: Field, at: str) -> dict[str, object]:
    """PayloadError where it has no id or no time."""
    row = dict(record.object())
    record["sys_id"].id(32)
    row["sys_id"] = text_of(row, "sys_id")
    try:
        row[at] = record[at].text()
        time_of(row, at)
    except ValueError:
        record[at].refuse("must be a time such as 2026-01-31 09:30:00")
    return row


def _listed(change: Change | None) -> list[Change]:
    return [change] if change and change.crm_id else []
