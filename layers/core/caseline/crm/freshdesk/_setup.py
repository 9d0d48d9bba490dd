"""What a Freshdesk account needs: fields of ours, and a key whose agent may see them. `check` tells what is missing, `plan` what would be done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.freshdesk._api import Api, Row, text
from caseline.crm.freshdesk._settings import NATIVE, Settings
from caseline.crm.freshdesk._user import Self

log = logging.getLogger(__name__)
# Where each entity's fields are listed, and where one is made.
LISTS = {"case": "/ticket_fields", "contact": "/contact_fields", "account": "/company_fields"}
MAKES = {**LISTS, "case": "/admin/ticket_fields"}
TYPES = {
    "text": "custom_text", "long_text": "custom_paragraph", "number": "custom_number", "decimal": "custom_decimal", "choice": "custom_dropdown",
    "url": "custom_paragraph", "datetime": "custom_text",
}  # fmt: skip
# Fields beside those of every CRM: Freshdesk has no deals, and does not say who changed what.
OWN = (
    *(SchemaField(entity, "saved_at", "Saved at", "datetime", "ours", "optional", "When Caseline wrote last, so that its own writes are no news")
      for entity in LISTS),
    SchemaField("case", "notes", "Words", "long_text", "ours", "optional", "What was said since the first words; else private notes, at a call more"),
    SchemaField("account", "deal_value", "Deal value", "decimal", "theirs", "optional", "What the account has bought"),
    SchemaField("account", "currency", "Currency", "text", "theirs", "optional", "Of the deal value"),
    SchemaField("account", "contract_status", "Contract status", "text", "theirs", "optional", "Where the contract stands"),
)  # fmt: skip


class SetUp:
    def __init__(self, api: Api, settings: Settings, me: Self) -> None:
        self._api, self._settings, self._me = api, settings, me

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        self._me.ask()
        return [_finding(field, self._name(field)) for field in self._missing(schema)]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return [_step(field, self._name(field)) for field in self._missing(schema)]

    def apply(self, step: Step) -> None:
        """Freshdesk makes the name of the label; what is there already is looked for first."""
        entity, name = str(step.data["entity"]), str(step.data["name"])
        if name in self._standing(entity):
            log.info("Freshdesk has %s already", step.name)
            return
        self._api.post(MAKES[entity], entity, step.data["values"])

    def _standing(self, entity: str) -> dict[str, Row]:
        return {text(row, "name"): row for row in self._api.rows(LISTS[entity])}

    def _missing(self, schema: Sequence[SchemaField]) -> list[SchemaField]:
        standing = {entity: self._standing(entity) for entity in LISTS}
        wanted = [field for field in (*schema, *OWN) if self._name(field) and self._name(field) not in NATIVE]
        return [field for field in wanted if self._name(field) not in standing[field.entity]]

    def _name(self, field: SchemaField) -> str:
        """A contact's handles are tags, its customer key is its external id."""
        account = {**self._settings.account_fields, "lifecycle": self._settings.account_fields.get("lifecycle_stage", ""), **self._settings.account_profile}
        names = {"case": self._settings.case_fields, "contact": self._settings.contact_fields, "account": account}
        return names[field.entity].get(field.key, "")


def _finding(field: SchemaField, name: str) -> Finding:
    severity = "error" if field.is_required else "warning"
    return Finding(severity, f"{field.entity} {name}", f"there is no such field: {field.about}", "run caseline crm apply")


def _step(field: SchemaField, name: str) -> Step:
    label = name.removeprefix("cf_").replace("_", " ")
    values: dict[str, Any] = {"label": label, "type": TYPES[field.type]}
    values |= {"label_for_customers": label, "customers_can_edit": False, "displayed_to_customers": False} if field.entity == "case" else {}
    if field.type == "choice":
        values["choices"] = [{"value": value, "position": place} for place, value in enumerate(field.values, 1)]
    return Step(f"{field.entity} {name}", f"{field.label}: {field.about}", "api", data={"entity": field.entity, "name": name, "values": values})
