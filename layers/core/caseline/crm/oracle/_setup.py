"""What a tenant needs: custom fields, privileges, lookup codes. Fusion has no API that makes custom fields: Application Composer does, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.oracle._api import Api
from caseline.crm.oracle._rows import ACCOUNTS, CASES, CONTACTS
from caseline.crm.oracle._settings import Settings
from caseline.errors import CrmForbiddenError, CrmNotFoundError, CrmUnavailableError

RESOURCES = {"case": CASES, "contact": CONTACTS, "account": ACCOUNTS}
OBJECTS = {CASES: "Service Request", CONTACTS: "Contact", ACCOUNTS: "Account"}
TYPES = {
    "text": "Text", "long_text": "Text, 1500 characters", "url": "Text, 1500 characters", "number": "Number", "decimal": "Number", "choice": "Text",
    "datetime": "Datetime",
}  # fmt: skip
# Beside the fields of every CRM: a message's text takes a call to read, a field none.
OWN = (SchemaField("case", "notes", "Notes", "long_text", "ours", "required", "Which notes a case has, so that none is written twice"),)
HOW = "Application Composer > Standard Objects > {object} > Fields, in a sandbox: create {name} ({type}), and publish the sandbox"


class SetUp:
    def __init__(self, api: Api, settings: Settings, user: str) -> None:
        self._api, self._settings, self._user = api, settings, user

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        fix = "set it to the login name of the integration user"
        unknown = [] if self._user else [Finding("warning", "crm.user", "our own writes come back as changes", fix)]
        return [*unknown, *(finding for resource in OBJECTS for finding in self._check(resource, schema))]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        found = {resource: self._attributes(resource) for resource in OBJECTS}
        return [
            Step(f"{resource}.{name}", f"Field {field.label}: {field.about}", "hand", _how(resource, name, field))
            for resource in OBJECTS for name, field in self._wanted(resource, schema) if name not in found[resource]
        ]  # fmt: skip

    def apply(self, step: Step) -> None:
        """Nothing is done by API."""

    def _check(self, resource: str, schema: Sequence[SchemaField]) -> list[Finding]:
        try:
            known = self._attributes(resource)
        except CrmForbiddenError:
            fix = "give the integration user a role that may view and edit it"
            return [Finding("error" if resource != ACCOUNTS else "warning", resource, "the integration user may not read it", fix)]
        except CrmNotFoundError:
            return [Finding("error", resource, "there is no such resource", "set crm.base_path to your release's, and license Fusion Service")]
        return [_finding(resource, name, field) for name, field in self._wanted(resource, schema) if name not in known]

    def _attributes(self, resource: str) -> set[str]:
        body = self._api.call("GET", f"/{resource}/describe").json()
        try:
            return {str(attribute["name"]) for attribute in body["Resources"][resource]["attributes"]}
        except (KeyError, TypeError):
            raise CrmUnavailableError("Oracle described a resource in no readable way") from None

    def _wanted(self, resource: str, schema: Sequence[SchemaField]) -> list[tuple[str, SchemaField]]:
        """What Fusion calls a field of ours; those that are switched off are left out."""
        facts = {**self._settings.fact_fields, "lifecycle": self._settings.fact_fields.get("lifecycle_stage", "")}
        people = {"handles": self._settings.handles_field, "customer_key": self._settings.customer_key_field}
        names: Mapping[str, Mapping[str, str]] = {
            CASES: self._settings.case_fields, CONTACTS: {**self._settings.contact_profile, **people}, ACCOUNTS: {**facts, **self._settings.account_profile},
        }  # fmt: skip
        fields = [field for field in (*schema, *OWN) if RESOURCES[field.entity] == resource]
        return [(name, field) for field in fields if (name := names[resource].get(field.key, ""))]


def _finding(resource: str, name: str, field: SchemaField) -> Finding:
    return Finding("error" if field.is_required else "warning", f"{resource}.{name}", f"there is no such field: {field.about}", _how(resource, name, field))


def _how(resource: str, name: str, field: SchemaField) -> str:
    kind = f"{TYPES[field.type]}{f', {field.length} characters' if field.length and field.type == 'text' else ''}{', unique' if field.unique else ''}"
    return HOW.format(object=OBJECTS[resource], name=name.removesuffix("_c"), type=kind)
