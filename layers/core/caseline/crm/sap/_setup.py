"""What Caseline needs in a tenant, compared with what is there. SAP makes fields by hand only: the steps say where."""

from __future__ import annotations

from collections.abc import Sequence

from caseline.crm import Finding, Step
from caseline.crm._schema import SchemaField
from caseline.crm.sap._product import Product
from caseline.crm.sap._shape import NOTES, Settings
from caseline.errors import CrmRejectedError

TYPES = {"text": "Text", "long_text": "Text", "number": "Number", "decimal": "Decimal", "choice": "List", "url": "Web site", "datetime": "Date and time"}
WHERE_V2 = "Settings, All Settings, Extensibility Administration: the entity, Extension Fields, Create; then add it to the screens that should show it"
WHERE_C4C = "start adaptation, add a field to the screen, then under Field, Further Usage, OData Services, add it to c4codataapi"

# Beside those of every CRM.
OWN = (SchemaField("case", NOTES, "Words", "long_text", "ours", "optional", "What the customer said; else a call more for a new case, and two for news"),)
NAMELESS = Finding(
    "warning", "crm.own_user", "our own writes to contacts and accounts come back as changes",
    "set it to the name that SAP shows as the last changer of what Caseline wrote",
)  # fmt: skip


class SetUp:
    def __init__(self, product: Product, settings: Settings) -> None:
        self._product, self._settings = product, settings

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return [*(self._finding(field) for field in self._missing(schema)), *([] if self._settings.own_user else [NAMELESS])]

    def _finding(self, field: SchemaField) -> Finding:
        severity = "error" if field.is_required else "warning"
        return Finding(severity, self._name(field), f"the field is missing: {field.about}", f"make it: {self._where}")

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return [Step(self._name(field), f"add the field {field.label} ({_kind(field)})", "hand", self._where) for field in self._missing(schema)]

    def apply(self, step: Step) -> None:
        raise CrmRejectedError("SAP has no API that makes fields; do it by hand", step.name)

    @property
    def _where(self) -> str:
        return WHERE_C4C if self._settings.is_c4c else WHERE_V2

    def _missing(self, schema: Sequence[SchemaField]) -> list[SchemaField]:
        wanted: dict[str, list[str]] = {}
        for field in (*schema, *OWN):
            wanted.setdefault(field.entity, []).extend(filter(None, [self._column(field)]))
        missing = self._product.missing_columns(wanted)
        return [field for field in (*schema, *OWN) if self._column(field) and self._column(field) in missing[field.entity]]

    def _column(self, field: SchemaField) -> str:
        """ "" where the field is switched off."""
        settings = self._settings
        facts = {"tier": "tier", "product_tier": "product_tier", "lifecycle": "lifecycle_stage"}
        if field.entity == "account" and field.key in facts:
            return settings.fact_fields.get(facts[field.key], "")
        return {"case": settings.case_fields, "contact": settings.contact_fields, "account": settings.account_fields}[field.entity].get(field.key, "")

    def _name(self, field: SchemaField) -> str:
        return f"{field.entity}.{self._column(field)}"


def _kind(field: SchemaField) -> str:
    size = f", {field.length or field.digits}" if field.length or field.digits else ""
    return f"{TYPES[field.type]}{size}{': ' + ', '.join(field.values) if field.values else ''}"
