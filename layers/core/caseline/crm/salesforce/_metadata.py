"""The schema's fields in Salesforce's words: API names, and the metadata that its Tooling API and its source files share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caseline.crm._schema import SchemaField

OBJECTS = {"case": "Case", "contact": "Contact", "account": "Account"}
ON_LEADS = ("handles", "customer_key")  # what a lead has too, so that it is found and made once
EVENT = "CX_Event__c"  # a child record for each signal
EVENT_LOOKUPS = ("Contact", "Account")
PERMISSION_SET = "Caseline_Integration"
RULE = "CX_Version_Never_Falls"
_FILTERABLE = 255  # a long text area cannot be searched in; a text can, and holds this much
_MAX_DIGITS = 18


def field_name(key: str) -> str:
    return f"CX_{key.title()}__c"


def installed(schema: Sequence[SchemaField]) -> Iterator[tuple[str, SchemaField]]:
    """Each field with the object it stands on."""
    for field in schema:
        yield OBJECTS[field.entity], field
        if field.entity == "contact" and field.key in ON_LEADS:
            yield "Lead", field


def field_metadata(field: SchemaField) -> dict[str, Any]:
    """Of a CustomField, in the order of the metadata format, without its name."""
    metadata = _TYPES[field.type](field)
    needed = {} if metadata["type"] == "LongTextArea" else {"required": False}
    return {"description": field.about, "label": field.label, **needed, **metadata}


def _text(field: SchemaField) -> dict[str, Any]:
    unique = {"caseSensitive": True} if field.unique else {}
    return {"type": "Text", "length": min(field.length, _FILTERABLE), "externalId": field.unique, "unique": field.unique, **unique}


def _long_text(field: SchemaField) -> dict[str, Any]:
    return _text(field) if field.searched else {"type": "LongTextArea", "length": max(256, field.length), "visibleLines": 10}


def _number(field: SchemaField) -> dict[str, Any]:
    return {"type": "Number", "precision": min(field.digits, _MAX_DIGITS), "scale": field.places, "externalId": False, "unique": False}


def _choice(field: SchemaField) -> dict[str, Any]:
    values = [{"fullName": value, "default": False, "label": value} for value in field.values]
    return {"type": "Picklist", "valueSet": {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}}


_TYPES: Mapping[str, Any] = {
    "text": _text,
    "long_text": _long_text,
    "number": _number,
    "decimal": _number,
    "choice": _choice,
    "url": lambda field: {"type": "Url"},
    "datetime": lambda field: {"type": "DateTime"},
}


def event_metadata() -> dict[str, Any]:
    return {
        "deploymentStatus": "Deployed", "description": "What a customer said on any channel, as Caseline read it.", "label": "Customer signal",
        "nameField": {"displayFormat": "CX-{00000000}", "label": "Number", "type": "AutoNumber"}, "pluralLabel": "Customer signals",
        "sharingModel": "ReadWrite",
    }  # fmt: skip


def lookup_metadata(entity: str) -> dict[str, Any]:
    about = {"description": f"The {entity.lower()} it is of", "label": entity, "deleteConstraint": "SetNull", "required": False}
    return {**about, "type": "Lookup", "referenceTo": entity, "relationshipLabel": "Customer signals", "relationshipName": "CX_Events"}


def rule_metadata() -> dict[str, Any]:
    """Two workers may race; the newer one stands."""
    version = field_name("version")
    fallen = f"OR(ISBLANK({version}), {version} < PRIORVALUE({version}))"
    return {
        "active": True,
        "description": "Two runs of Caseline may race; the newer one stands.",
        "errorConditionFormula": f"AND(NOT(ISNEW()), NOT(ISBLANK(PRIORVALUE({version}))), {fallen})",
        "errorMessage": f"{RULE}: a newer version of this case stands",
    }
