"""The Salesforce source project: fields, the permission set, a list view, the rule that a version never falls, and the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caseline.crm._schema import SchemaField
from caseline.crm.salesforce._metadata import PERMISSION_SET, RULE, field_metadata, field_name, installed, rule_metadata
from caseline.crm.salesforce._settings import Settings

from infra.crm.packages.xml import document

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SOURCE = "force-app/main/default"
VIEW = "CX_Most_Urgent"
# Object: (create, edit). Nothing is ever deleted.
RIGHTS = {
    "Account": (False, True), "Case": (True, True), "Contact": (True, True), "Contract": (False, False), "Lead": (True, True), "Opportunity": (False, False),
}  # fmt: skip


def render(schema: Sequence[SchemaField]) -> dict[str, str]:
    fields = {f"{SOURCE}/objects/{entity}/fields/{field_name(field.key)}.field-meta.xml": _field(field) for entity, field in installed(schema)}
    return {
        **fields,
        f"{SOURCE}/objects/Case/validationRules/{RULE}.validationRule-meta.xml": _xml("ValidationRule", {"fullName": RULE, **rule_metadata()}),
        f"{SOURCE}/objects/Case/listViews/{VIEW}.listView-meta.xml": _xml("ListView", _view()),
        f"{SOURCE}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml": _xml("PermissionSet", _permissions(schema)),
        "manifest/package.xml": _xml("Package", _manifest(schema)),
    }


def _xml(kind: str, value: dict[str, Any]) -> str:
    return document(kind, {"@xmlns": NAMESPACE, **value})


def _field(field: SchemaField) -> str:
    """By name, as the vendor's own tools write them."""
    metadata = field_metadata(field)
    return _xml("CustomField", {"fullName": field_name(field.key), **{name: metadata[name] for name in sorted(metadata)}})


def _view() -> dict[str, Any]:
    """The most urgent open cases; people sort it by score."""
    columns = ["CASES.CASE_NUMBER", "CASES.SUBJECT", *map(field_name, ("score", "band", "headline", "queue")), "CASES.STATUS", "CORE.USERS.ALIAS"]
    filters = [
        {"field": "CASES.CLOSED", "operation": "equals", "value": "0"},
        {"field": field_name("score"), "operation": "greaterOrEqual", "value": "0"},
    ]
    return {"fullName": VIEW, "columns": columns, "filterScope": "Everything", "filters": filters, "label": "Most urgent (Caseline)"}


def _permissions(schema: Sequence[SchemaField]) -> dict[str, Any]:
    """What the user that Caseline logs in as may see and write: of the fields that people write, none but a new contact's."""
    fields = sorted((f"{entity}.{field_name(field.key)}", field.side == "ours" or field.key == "handles") for entity, field in installed(schema))
    return {
        "description": "What the user that Caseline logs in as may see and write.",
        "fieldPermissions": [{"editable": editable, "field": name, "readable": True} for name, editable in fields],
        "hasActivationRequired": False,
        "label": PERMISSION_SET.replace("_", " "),
        "objectPermissions": [_rights(name, *rights) for name, rights in RIGHTS.items()],
        "userPermissions": {"enabled": True, "name": "ApiEnabled"},
    }


def _rights(name: str, create: bool, edit: bool) -> dict[str, Any]:
    return {
        "allowCreate": create, "allowDelete": False, "allowEdit": edit, "allowRead": True, "modifyAllRecords": False, "object": name, "viewAllRecords": True,
    }  # fmt: skip


def _manifest(schema: Sequence[SchemaField]) -> dict[str, Any]:
    members = {
        "CustomField": sorted(f"{entity}.{field_name(field.key)}" for entity, field in installed(schema)),
        "ListView": [f"Case.{VIEW}"], "PermissionSet": [PERMISSION_SET], "ValidationRule": [f"Case.{RULE}"],
    }  # fmt: skip
    return {"types": [{"members": names, "name": kind} for kind, names in members.items()], "version": Settings().api_version}
