"""What BottleCRM needs: custom fields of ours, and an administrator's token. `check` tells what is missing, `plan` what would be done, `apply` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Finding, Step
from caseline.crm._keeping import DuplicateError
from caseline.crm._schema import SchemaField
from caseline.crm.bottlecrm._api import Api, Row, rows_in, text_of
from caseline.crm.bottlecrm._errors import error_of
from caseline.crm.bottlecrm._me import Me
from caseline.crm.bottlecrm._settings import Settings

MODELS = {"case": "Case", "contact": "Contact", "account": "Account"}
TYPES = {
    "text": "text", "long_text": "textarea", "url": "text", "number": "number", "decimal": "number", "choice": "dropdown", "datetime": "text", "date": "date",
}  # fmt: skip
ADMIN = "ADMIN"
# Beside those of every CRM: what BottleCRM has no field of its own for.
OWN = (
    SchemaField("case", "notes", "Words", "long_text", "ours", "optional", "What was said since the first words; else comments, at a call more"),
    SchemaField("account", "renewal_date", "Renewal", "date", "theirs", "optional", "When the contract ends or is renewed"),
    SchemaField("account", "contract_status", "Contract status", "text", "theirs", "optional", "Whether there is a contract"),
)


class SetUp:
    def __init__(self, api: Api, settings: Settings, me: Me) -> None:
        self._api, self._settings, self._me = api, settings, me

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        standing = self._standing()
        return [*self._check_role(), *(_finding(model, key, field) for model, key, field in self._wanted(schema) if (model, key) not in standing)]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        standing = self._standing()
        return [_step(model, key, field) for model, key, field in self._wanted(schema) if (model, key) not in standing]

    def apply(self, step: Step) -> None:
        """A field that was switched off is there and has its values: it is switched on again."""
        answer = self._api.call("POST", "custom-fields", fine=(200, 201, 400), body=step.data)
        if answer.status == 400:
            error = error_of(answer)
            if not isinstance(error, DuplicateError):
                raise error
            self._switch_on(step.data["target_model"], step.data["key"])

    def _switch_on(self, model: str, key: str) -> None:
        for row in self._rows():
            if (row.get("target_model"), row.get("key")) == (model, key):
                self._api.send("PUT", f"custom-fields/{text_of(row, 'id')}", {"is_active": True})

    def _standing(self) -> set[tuple[str, str]]:
        return {(text_of(row, "target_model"), text_of(row, "key")) for row in self._rows() if row.get("is_active") is True}

    def _rows(self) -> list[Row]:
        return rows_in(self._api.get("custom-fields", include_counts="false"), "definitions")

    def _check_role(self) -> list[Finding]:
        if self._me.read().role == ADMIN:
            return []
        fix = "make the token's owner an administrator, under Settings > Users"
        return [Finding("error", "role of the token's owner", "who is no administrator sees only tickets of their own, and deleted ones never", fix)]

    def _wanted(self, schema: Sequence[SchemaField]) -> list[tuple[str, str, SchemaField]]:
        """Each custom field once; a handle's field has text."""
        facts = {**self._settings.account_fields, "lifecycle": self._settings.account_fields.get("lifecycle_stage", "")}
        names = {"case": self._settings.case_fields, "contact": self._settings.contact_fields, "account": {**facts, **self._settings.account_profile}}
        found = {(MODELS[field.entity], names[field.entity].get(field.key, "")): field for field in (*schema, *OWN)}
        handles = {("Contact", key): _handle_field(space) for space, key in self._settings.handle_fields.items()}
        return [(model, key, field) for (model, key), field in {**found, **handles}.items() if key]


def _handle_field(space: str) -> SchemaField:
    label, about = (f"{space[:-2]} name", "name, with its @, in small letters") if space.endswith(":@") else (f"{space} id", "id")
    return SchemaField("contact", f"handle_{space}", label, "text", "theirs", "optional", f"The customer's {about} there, and nothing else")


def _finding(model: str, key: str, field: SchemaField) -> Finding:
    severity = "error" if field.is_required else "warning"
    return Finding(severity, f"{model}.{key}", f"there is no such custom field: {field.about}", "run caseline crm apply")


def _step(model: str, key: str, field: SchemaField) -> Step:
    return Step(f"{model}.{key}", f"Custom field {field.label}: {field.about}", "api", data=_definition(model, key, field))


def _definition(model: str, key: str, field: SchemaField) -> Mapping[str, Any]:
    options = {"options": [{"value": value, "label": value} for value in field.values]} if field.values else {}
    named = {"target_model": model, "key": key, "label": f"Caseline {field.label.lower()}"[:128], "field_type": TYPES[field.type]}
    return {**named, "is_filterable": field.unique or field.key.startswith("handle_"), **options}
