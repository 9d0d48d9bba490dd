"""What a portal needs: properties of ours, scopes, stages. `check` tells what is missing, `plan` what would be done, `apply` does it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.hubspot._api import Api
from caseline.crm.hubspot._errors import DuplicateError
from caseline.crm.hubspot._login import Login
from caseline.crm.hubspot._settings import Settings
from caseline.errors import CrmAuthError, CrmNotFoundError

log = logging.getLogger(__name__)
KINDS = {"case": "tickets", "contact": "contacts", "account": "companies"}
GROUPS = {"tickets": "ticketinformation", "contacts": "contactinformation", "companies": "companyinformation"}
# HubSpot's type and field type of ours.
TYPES = {
    "text": ("string", "text"), "long_text": ("string", "textarea"), "url": ("string", "text"), "number": ("number", "number"),
    "decimal": ("number", "number"), "date": ("date", "date"), "choice": ("enumeration", "select"), "datetime": ("datetime", "date"),
}  # fmt: skip
# Any one of each line is enough; tickets is the scope of the older apps.
SCOPES = (
    ("crm.objects.contacts.read",), ("crm.objects.contacts.write",), ("crm.objects.companies.read",), ("crm.objects.companies.write",),
    ("tickets", "crm.objects.tickets.read"), ("tickets", "crm.objects.tickets.write"),
)  # fmt: skip
# Fields beside those of every CRM: notes of HubSpot's own cost calls, a property of the ticket none; and it has no contracts.
OWN = (
    SchemaField("case", "notes", "Signals", "long_text", "ours", "optional", "What the customer said, signal by signal"),
    SchemaField("account", "renewal_date", "Renewal date", "date", "theirs", "optional", "When the contract ends or is renewed"),
    SchemaField("account", "contract_status", "Contract status", "text", "theirs", "optional", "How the contract stands, such as active or expired"),
)
ROLLUP_HOW = "Settings > Properties > Company properties: create it as a rollup that counts associated tickets whose status is not closed"
COPY_HOW = (
    "Settings > Properties > Contact properties: create it as a property that syncs from the primary company's (or as a plain one that a workflow copies to); "
    "without the copies a new case costs one call more"
)


class SetUp:
    def __init__(self, api: Api, login: Login, settings: Settings) -> None:
        self._api, self._login, self._settings = api, login, settings

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        standing = {kind: self._properties(kind) for kind in GROUPS}
        found = [_finding(kind, name, field) for kind, name, field in self._wanted(schema) if name not in standing[kind]]
        copies = [
            Finding("warning", f"contacts.{name}", f"there is no copy of the company's {fact}", COPY_HOW) for fact, name in self._copies(standing["contacts"])
        ]
        rollups = [Finding("warning", f"companies.{name}", "open cases are not counted", ROLLUP_HOW) for name in self._rollups(standing["companies"])]
        return [*found, *rollups, *copies, *self._check_key(standing["tickets"]), *self._check_stages(), *self._check_scopes()]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        standing = {kind: self._properties(kind) for kind in GROUPS}
        steps = [_step(kind, name, field) for kind, name, field in self._wanted(schema) if name not in standing[kind]]
        copies = [Step(f"contacts.{name}", f"A copy of the company's {fact}", "hand", COPY_HOW) for fact, name in self._copies(standing["contacts"])]
        rollups = [Step(f"companies.{name}", "How many tickets of the company are open", "hand", ROLLUP_HOW) for name in self._rollups(standing["companies"])]
        return [*steps, *rollups, *copies]

    def apply(self, step: Step) -> None:
        try:
            self._api.post(f"{self._settings.properties_path}/{step.data['kind']}", step.data["property"], str(step.data["kind"]))
        except DuplicateError:
            log.info("HubSpot has %s already", step.name)

    def _properties(self, kind: str) -> dict[str, Mapping[str, Any]]:
        rows = self._api.get(f"{self._settings.properties_path}/{kind}").get("results", ())
        return {str(row["name"]): row for row in rows if isinstance(row, Mapping) and not row.get("archived")}

    def _wanted(self, schema: Sequence[SchemaField]) -> list[tuple[str, str, SchemaField]]:
        """What HubSpot calls a field of ours; a fact may be read from a property of HubSpot's own."""
        names = {"case": self._settings.case_fields, "contact": self._settings.contact_fields, "account": self._account_names()}
        found = [(KINDS[field.entity], names[field.entity].get(field.key, ""), field) for field in (*schema, *OWN)]
        return [each for each in found if each[1]]

    def _account_names(self) -> dict[str, str]:
        facts = {**self._settings.account_fields, "lifecycle": self._settings.account_fields.get("lifecycle_stage", "")}
        return {**facts, **self._settings.company_fields}

    def _check_key(self, tickets: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
        name = self._settings.case_fields["case_key"]
        if name not in tickets or tickets[name].get("hasUniqueValue"):
            return []
        fix = "HubSpot cannot make a property unique afterwards: create another one with unique values and name it in crm.case_fields.case_key"
        return [Finding("error", f"tickets.{name}", "its values are not unique: a case could be made twice", fix)]

    def _copies(self, contacts: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(fact, name) for fact, name in self._settings.copies.items() if name and self._settings.account_fields.get(fact) and name not in contacts]

    def _rollups(self, companies: Mapping[str, Any]) -> list[str]:
        return [name for name in [self._settings.account_fields["open_cases"]] if name and name not in companies]

    def _check_stages(self) -> list[Finding]:
        try:
            pipeline = self._api.get(f"{self._settings.pipelines_path}/tickets/{self._settings.pipeline}")
        except CrmNotFoundError:
            return [Finding("error", f"pipeline {self._settings.pipeline}", "there is no such pipeline of tickets", "name one by its id in crm.pipeline")]
        known = {str(stage.get("id")) for stage in pipeline.get("stages", ())}
        fix = "take its id from Settings > Tickets > Pipelines"
        return [
            Finding("error", f"stage {stage}", f"the pipeline has no such stage, which crm.stages.{status} names", fix)
            for status, stage in self._settings.stages.items() if stage not in known
        ]  # fmt: skip

    def _check_scopes(self) -> list[Finding]:
        try:
            scopes = self._login.about().scopes
        except (CrmNotFoundError, CrmAuthError):
            return []
        lacking = [names for names in SCOPES if scopes and not scopes & set(names)]
        fix = "tick it in the app's scopes and install the app again"
        return [Finding("error", f"scope {names[-1]}", "the app was not given it", fix) for names in lacking]


def _finding(kind: str, name: str, field: SchemaField) -> Finding:
    severity = "error" if field.is_required else "warning"
    return Finding(severity, f"{kind}.{name}", f"there is no such property: {field.about}", "run caseline crm apply")


def _step(kind: str, name: str, field: SchemaField) -> Step:
    return Step(f"{kind}.{name}", f"Property {field.label}: {field.about}", "api", data={"kind": kind, "property": _definition(kind, name, field)})


def _definition(kind: str, name: str, field: SchemaField) -> dict[str, Any]:
    value_type, field_type = TYPES[field.type]
    options = [{"label": value, "value": value, "displayOrder": order, "hidden": False} for order, value in enumerate(field.values)]
    return {
        "name": name, "label": f"Caseline {field.label.lower()}", "description": field.about, "groupName": GROUPS[kind], "type": value_type,
        "fieldType": field_type, "formField": False, **({"options": options} if options else {}), **({"hasUniqueValue": True} if field.unique else {}),
    }  # fmt: skip
