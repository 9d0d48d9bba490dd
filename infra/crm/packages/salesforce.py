"""The Salesforce source project: fields, the permission set, a list view, the rule that a version never falls, and the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caseline.crm._schema import SchemaField
from caseline.crm.salesforce._metadata import (
    EVENT,
    EVENT_LOOKUPS,
    PERMISSION_SET,
    RULE,
    event_metadata,
    field_metadata,
    field_name,
    installed,
    lookup_metadata,
    rule_metadata,
)
from caseline.crm.salesforce._settings import Settings

from infra.crm.packages.xml import document

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SOURCE = "force-app/main/default"
VIEW = "CX_Most_Urgent"
# Object: (create, edit). Nothing is ever deleted.
RIGHTS = {
    "Account": (False, True), "Case": (True, True), "Contact": (True, True), "Contract": (False, False), EVENT: (True, True), "Lead": (True, True),
    "Opportunity": (False, False),
}  # fmt: skip


def render(schema: Sequence[SchemaField], history: Sequence[SchemaField]) -> dict[str, str]:
    fields = {f"{entity}.{field_name(field.key)}": field_metadata(field) for entity, field in installed(schema)}
    fields |= {f"{EVENT}.{field_name(field.key)}": field_metadata(field) for field in history}
    fields |= {f"{EVENT}.{field_name(entity)}": lookup_metadata(entity) for entity in EVENT_LOOKUPS}
    theirs = {f"{entity}.{field_name(field.key)}" for entity, field in installed(schema) if field.side == "theirs" and field.key != "handles"}
    return {
        **{f"{SOURCE}/objects/{name.replace('.', '/fields/')}.field-meta.xml": _field(name, metadata) for name, metadata in fields.items()},
        f"{SOURCE}/objects/{EVENT}/{EVENT}.object-meta.xml": _xml("CustomObject", event_metadata()),
        f"{SOURCE}/objects/Case/validationRules/{RULE}.validationRule-meta.xml": _xml("ValidationRule", {"fullName": RULE, **rule_metadata()}),
        f"{SOURCE}/objects/Case/listViews/{VIEW}.listView-meta.xml": _xml("ListView", _view()),
        f"{SOURCE}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml": _xml("PermissionSet", _permissions(sorted(fields), theirs)),
        "manifest/package.xml": _xml("Package", _manifest(sorted(fields))),
    }


def _xml(kind: str, value: dict[str, Any]) -> str:
    return document(kind, {"@xmlns": NAMESPACE, **value})


def _field(name: str, metadata: dict[str, Any]) -> str:
    """In the order of names, as the vendor's own tools write them."""
    return _xml("CustomField", {"fullName": name.partition(".")[2], **{key: metadata[key] for key in sorted(metadata)}})


def _view() -> dict[str, Any]:
    """The most urgent open cases; people sort it by score."""
    columns = ["CASES.CASE_NUMBER", "CASES.SUBJECT", *map(field_name, ("score", "band", "headline", "queue")), "CASES.STATUS", "CORE.USERS.ALIAS"]
    filters = [
        {"field": "CASES.CLOSED", "operation": "equals", "value": "0"},
        {"field": field_name("score"), "operation": "greaterOrEqual", "value": "0"},
    ]
    return {"fullName": VIEW, "columns": columns, "filterScope": "Everything", "filters": filters, "label": "Most urgent (Caseline)"}


def _permissions(fields: Sequence[str], theirs: set[str]) -> dict[str, Any]:
    """What the user that Caseline logs in as may see and write: of the fields that people write, none but a new contact's."""
    return {
        "description": "What the user that Caseline logs in as may see and write.",
        "fieldPermissions": [{"editable": name not in theirs, "field": name, "readable": True} for name in fields],
        "hasActivationRequired": False,
        "label": PERMISSION_SET.replace("_", " "),
        "objectPermissions": [_rights(name, *rights) for name, rights in RIGHTS.items()],
        "userPermissions": {"enabled": True, "name": "ApiEnabled"},
    }


def _rights(name: str, create: bool, edit: bool) -> dict[str, Any]:
    return {
        "allowCreate": create, "allowDelete": name == EVENT, "allowEdit": edit, "allowRead": True, "modifyAllRecords": False, "object": name,
        "viewAllRecords": True,
    }  # fmt: skip


def _manifest(fields: Sequence[str]) -> dict[str, Any]:
    members = {
        "CustomField": fields, "CustomObject": [EVENT], "ListView": [f"Case.{VIEW}"], "PermissionSet": [PERMISSION_SET], "ValidationRule": [f"Case.{RULE}"],
    }  # fmt: skip
    return {"types": [{"members": names, "name": kind} for kind, names in members.items()], "version": Settings().api_version}
