"""The Dataverse solution, unpacked as `pac solution pack` takes it: columns of the tables that are there, alternate keys, and the role of our user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from caseline.crm._schema import SchemaField

from infra.crm.packages.xml import document

ENGLISH = 1033
VERSION = "1.0.0.0"
OPTION_PREFIX = 10_000  # of the publisher; its first option is 100000000
PREFIX = "cx"
SOLUTION, PUBLISHER, ROLE = "Caseline", "caseline", "Caseline Integration"
ROLE_ID = uuid5(UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "https://caseline.example/dynamics/role")
XSI = {"@xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"}
# Entity of the schema: the table's folder, its type code and its name to people.
TABLES = {"account": ("Account", 1, "Account"), "contact": ("Contact", 2, "Contact"), "case": ("Incident", 112, "Case")}
# What the application user may do, in the whole organisation: never delete, never change a table.
PRIVILEGES = {
    "Account": ("Read", "Write", "Append", "AppendTo"),
    "Activity": ("Create", "Read", "Write", "Append", "AppendTo"),  # e-mails, posts, and the resolution of a case
    "Attribute": ("Read",),
    "Contact": ("Create", "Read", "Write", "Append", "AppendTo"),
    "Entitlement": ("Read",),
    "Entity": ("Read",),
    "EntityKey": ("Read",),
    "Incident": ("Create", "Read", "Write", "Append", "AppendTo", "Assign"),
    "Lead": ("Create", "Read", "Write", "Append", "AppendTo"),
    "Note": ("Create", "Read", "Write", "Append"),
    "Opportunity": ("Read",),
    "OptionSet": ("Read",),
    "Organization": ("Read",),
    "Queue": ("Read", "AppendTo"),
    "QueueItem": ("Create", "Read", "Write", "Append", "Assign"),
    "Team": ("Read",),
    "TransactionCurrency": ("Read",),
    "User": ("Read",),
}


def render(schema: Sequence[SchemaField]) -> dict[str, str]:
    tables = {f"Entities/{TABLES[entity][0]}/Entity.xml": _table(entity, [field for field in schema if field.entity == entity]) for entity in TABLES}
    return {
        **tables,
        f"Roles/{ROLE}.xml": document("Role", {**XSI, "@id": f"{{{ROLE_ID}}}", "@name": ROLE, "IsCustomizable": 1, "RolePrivileges": _privileges()}, 2),
        "Other/Solution.xml": document("ImportExportXml", _solution(), 2),
        "Other/Customizations.xml": document("ImportExportXml", _customizations(), 2),
        "Other/Relationships.xml": document("EntityRelationships", XSI, 2),
    }


def column_name(key: str) -> str:
    return f"{PREFIX}_{key.replace('_', '')}"


def _table(entity: str, fields: Sequence[SchemaField]) -> str:
    folder, code, label = TABLES[entity]
    keys = [_key(field) for field in fields if field.unique]
    inner = {"@Name": folder, "@unmodified": 1, "attributes": {"attribute": [_column(folder, field) for field in fields]}}
    keyed = {"EntityKeys": {"EntityKey": keys}} if keys else {}
    name = {"@LocalizedName": label, "@OriginalName": label, "#text": folder}
    return document("Entity", {**XSI, "Name": name, "ObjectTypeCode": code, "EntityInfo": {"entity": {**inner, **keyed}}}, 2)


def _column(table: str, field: SchemaField) -> dict[str, Any]:
    """As an export has it."""
    name = column_name(field.key)
    allowed = ("ValidForUpdateApi", "ValidForReadApi", "ValidForCreateApi", "IsCustomField")
    able = ("IsCustomizable", "IsRenameable", "CanModifySearchSettings", "CanModifyRequirementLevelSettings", "CanModifyAdditionalSettings")
    return {
        "@PhysicalName": name, "Type": _KINDS[field.type], "Name": name, "LogicalName": name, "RequiredLevel": "none",
        "DisplayMask": "ValidForAdvancedFind|ValidForForm|ValidForGrid", "ImeMode": "auto", **dict.fromkeys(allowed, 1), "IsAuditEnabled": 0, "IsSecured": 0,
        "IntroducedVersion": VERSION, **dict.fromkeys(able, 1), "SourceType": 0, "IsSearchable": 1, "IsFilterable": 1, "IsRetrievable": 1,
        **_details(table, name, field), "displaynames": _labels("displayname", field.label), "Descriptions": _labels("Description", field.about),
    }  # fmt: skip


_KINDS = {"text": "nvarchar", "url": "nvarchar", "long_text": "ntext", "number": "int", "decimal": "decimal", "choice": "picklist", "datetime": "datetime"}


def _details(table: str, name: str, field: SchemaField) -> dict[str, Any]:
    if field.type in ("text", "url"):
        length = field.length or 500
        return {"Format": field.type, "MaxLength": length, "Length": 2 * length}
    if field.type == "long_text":
        return {"Format": "textarea", "MaxLength": field.length}
    if field.type == "number":
        highest = min(10**field.digits - 1, 2_147_483_647)
        return {"Format": "none", "MinValue": -highest, "MaxValue": highest}
    if field.type == "decimal":
        highest = 10 ** (field.digits - field.places)
        return {"MinValue": -highest, "MaxValue": highest, "Accuracy": field.places}
    return {"AppDefaultValue": -1, "optionset": _options(table, name, field)} if field.type == "choice" else {"Format": "datetime", "Behavior": 1}


def _options(table: str, name: str, field: SchemaField) -> dict[str, Any]:
    first = OPTION_PREFIX * 10_000
    options = [{"@value": first + place, "@ExternalValue": "", "@IsHidden": 0, "labels": _labels("label", value)} for place, value in enumerate(field.values)]
    return {
        "@Name": f"{table.lower()}_{name}", "OptionSetType": "picklist", "IntroducedVersion": VERSION, "IsCustomizable": 1,
        "displaynames": _labels("displayname", field.label), "Descriptions": _labels("Description", field.about), "options": {"option": options},
    }  # fmt: skip


def _key(field: SchemaField) -> dict[str, Any]:
    name = f"{column_name(field.key)}_key"
    return {
        "Name": name, "LogicalName": name, "IntroducedVersion": VERSION, "IsCustomizable": 1, "EntityKeyAttributes": {"AttributeName": column_name(field.key)},
        "displaynames": _labels("displayname", field.label),
    }  # fmt: skip


def _privileges() -> dict[str, Any]:
    names = sorted(f"prv{right}{table}" for table, rights in PRIVILEGES.items() for right in rights)
    return {"RolePrivilege": [{"@name": name, "@level": "Global"} for name in names]}


def _labels(name: str, text: str) -> dict[str, Any]:
    return {name: {"@description": text, "@languagecode": ENGLISH}}


def _package() -> dict[str, Any]:
    return {"@version": "9.2.0.0", "@SolutionPackageVersion": "9.2", "@languagecode": ENGLISH, "@generatedBy": "CrmLive", **XSI}


def _solution() -> dict[str, Any]:
    """`behavior` 1: of a table that is there only what stands in its file."""
    tables = [{"@type": 1, "@schemaName": folder.lower(), "@behavior": 1} for folder, _, _ in TABLES.values()]
    role = {"@type": 20, "@id": f"{{{ROLE_ID}}}", "@behavior": 0}
    publisher: Mapping[str, Any] = {
        "UniqueName": PUBLISHER, "LocalizedNames": _labels("LocalizedName", SOLUTION), "Descriptions": {}, "EMailAddress": {"@xsi:nil": True},
        "SupportingWebsiteUrl": {"@xsi:nil": True}, "CustomizationPrefix": PREFIX, "CustomizationOptionValuePrefix": OPTION_PREFIX, "Addresses": {},
    }  # fmt: skip
    manifest = {
        "UniqueName": SOLUTION, "LocalizedNames": _labels("LocalizedName", SOLUTION), "Descriptions": {}, "Version": VERSION, "Managed": 2,
        "Publisher": publisher, "RootComponents": {"RootComponent": [*tables, role]}, "MissingDependencies": {},
    }  # fmt: skip
    return {**_package(), "SolutionManifest": manifest}


def _customizations() -> dict[str, Any]:
    """Empty: in an unpacked solution each part has its own file."""
    empty = ("Entities", "Roles", "Workflows", "FieldSecurityProfiles", "Templates", "EntityMaps", "EntityRelationships", "OrganizationSettings", "optionsets")
    return {**XSI, **{name: {} for name in empty}, "Languages": {"Language": ENGLISH}}
