"""What a Zendesk account needs: fields of ours, and a user who may read the exports."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.zendesk._api import Api, Row, text
from caseline.crm.zendesk._settings import CASE_FIELDS, Settings, option_of, title_of
from caseline.crm.zendesk._user import Self

log = logging.getLogger(__name__)
# The list of each entity's fields, and what one of them is called.
KINDS = {"case": "ticket_field", "contact": "user_field", "account": "organization_field"}
TYPES = {"text": "text", "long_text": "textarea", "number": "integer", "decimal": "decimal", "url": "text", "datetime": "text", "date": "date"}
CHOICE = {"case": "tagger", "contact": "dropdown", "account": "dropdown"}
# Fields beside those of every CRM: Zendesk has no deals and no contracts.
OWN = (
    SchemaField("case", "noted", "Noted", "long_text", "ours", "optional", "Which notes the ticket has, so that none is written twice"),
    SchemaField("account", "deal_value", "Deal value", "decimal", "theirs", "optional", "What the account has bought"),
    SchemaField("account", "currency", "Currency", "text", "theirs", "optional", "Of the deal value"),
    SchemaField("account", "renewal_date", "Renewal date", "date", "theirs", "optional", "When the contract ends or is renewed"),
    SchemaField("account", "contract_status", "Contract status", "text", "theirs", "optional", "Where the contract stands"),
)
ADMINS = ("admin", "owner")


class SetUp:
    def __init__(self, api: Api, settings: Settings, me: Self) -> None:
        self._api, self._settings, self._me = api, settings, me

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return [*self._check_user(), *(_finding(field) for field in self._missing(schema)), *self._check_numbers()]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return [self._step(field) for field in self._missing(schema)]

    def apply(self, step: Step) -> None:
        """Titles are not unique in Zendesk: what is there already is looked for first."""
        kind, wanted = str(step.data["kind"]), step.data["values"]
        if any(_is_same(row, wanted) for row in self._standing(kind)):
            log.info("Zendesk has %s already", step.name)
            return
        self._api.post(f"/{kind}s.json", kind, wanted)

    def _standing(self, kind: str) -> list[Row]:
        return [row for row in self._api.all(f"/{kind}s.json", f"{kind}s") if row.get("active") is not False]

    def _missing(self, schema: Sequence[SchemaField]) -> list[SchemaField]:
        standing = {entity: self._standing(kind) for entity, kind in KINDS.items()}
        return [field for field in (*schema, *OWN) if self._is_wanted(field) and not any(self._is_there(field, row) for row in standing[field.entity])]

    def _is_wanted(self, field: SchemaField) -> bool:
        if field.entity == "case":
            return field.key in CASE_FIELDS and self._settings.case_fields.get(field.key) != ""
        return bool(self._key(field))

    def _is_there(self, field: SchemaField, row: Row) -> bool:
        if field.entity != "case":
            return text(row, "key") == self._key(field)
        number = self._settings.case_fields.get(field.key)
        return text(row, "id") == number if number else text(row, "title") == title_of(field.key)

    def _key(self, field: SchemaField) -> str:
        """Of a user or organization field. A customer's key is the user's own external_id."""
        if field.entity == "contact":
            return self._settings.contact_fields.get(field.key, "")
        facts = {**self._settings.account_fields, "lifecycle": self._settings.account_fields.get("lifecycle_stage", "")}
        return {**facts, **self._settings.account_profile}.get(field.key, "")

    def _step(self, field: SchemaField) -> Step:
        values: dict[str, Any] = {"title": title_of(field.key), "description": field.about, "active": True}
        values["type"] = CHOICE[field.entity] if field.type == "choice" else TYPES[field.type]
        if field.type == "choice":
            values["custom_field_options"] = [{"name": value, "value": option_of(field.key, value)} for value in field.values]
        if field.entity != "case":
            values["key"] = self._key(field)
        return Step(_name(field), f"{title_of(field.key)}: {field.about}", "api", data={"kind": KINDS[field.entity], "values": values})

    def _check_user(self) -> list[Finding]:
        role = text(self._me.ask(), "role")
        if role in ADMINS:
            return []
        fix = "give the user of the token the role of an administrator"
        severity, problem = ("warning", "no exports: changes in Zendesk are not read") if role == "agent" else ("error", "the user is no agent")
        return [Finding(severity, "user", problem, fix)]

    def _check_numbers(self) -> list[Finding]:
        unnamed = sorted(set(CASE_FIELDS) - set(self._settings.case_fields))
        fix = f"name the numbers of the ticket fields in crm.case_fields ({', '.join(unnamed)}); the field's page in the Admin Center shows its number"
        return [Finding("warning", "crm.case_fields", "each start costs a call to look the numbers up", fix)] if unnamed else []


def _finding(field: SchemaField) -> Finding:
    return Finding("error" if field.is_required else "warning", _name(field), f"there is no such field: {field.about}", "run caseline crm apply")


def _name(field: SchemaField) -> str:
    return f"{KINDS[field.entity]} {title_of(field.key)}"


def _is_same(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    name = "key" if "key" in wanted else "title"
    return bool(row.get(name) == wanted[name])
