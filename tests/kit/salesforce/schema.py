"""Objects and fields of the simulated org: the standard ones an integration meets, and Caseline's own as infra/crm/salesforce installs them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

SOURCE = Path(__file__).parents[3] / "infra/crm/salesforce/force-app/main/default/objects"
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
KINDS = {"Text": "text", "Number": "number", "Picklist": "picklist", "LongTextArea": "textarea", "Url": "url", "DateTime": "datetime", "Lookup": "reference"}
PRIORITIES = ("High", "Medium", "Low")
STATUSES = ("New", "Working", "On Hold", "Escalated", "Closed")
SYSTEM = ("Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")


@dataclass(frozen=True)
class Field:
    kind: str = "text"
    length: int = 255
    values: tuple[str, ...] = ()
    unique: bool = False
    external_id: bool = False
    target: tuple[str, ...] = ()
    relationship: str = ""
    filterable: bool = True
    writable: bool = True
    required: bool = False
    default: Any = None


@dataclass
class Entity:
    name: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)

    def column(self, name: str) -> str | None:
        """The field's own spelling; names are looked up without regard to case."""
        return next((own for own in self.fields if own.casefold() == name.casefold()), None)

    def relationship(self, name: str) -> tuple[str, Field] | None:
        return next(((own, f) for own, f in self.fields.items() if f.relationship and f.relationship.casefold() == name.casefold()), None)


def _to(entity: str, relationship: str) -> Field:
    return Field("reference", 18, target=(entity,), relationship=relationship)


def custom_field(metadata: dict[str, Any]) -> Field:
    """Of a CustomField's metadata, whether it came by file or by the Tooling API."""
    kind = KINDS[metadata["type"]]
    values = [value["fullName"] for value in metadata.get("valueSet", {}).get("valueSetDefinition", {}).get("value", [])]
    unique, target = bool(metadata.get("unique")), metadata.get("referenceTo")
    return Field(
        kind, int(metadata.get("length") or 255), tuple(values), unique, bool(metadata.get("externalId")), target=(target,) if target else (),
        filterable=kind != "textarea",
    )  # fmt: skip


def installed_fields(entity: str) -> dict[str, Field]:
    """What the source project in infra/crm/salesforce installs."""
    roots = [ElementTree.parse(path).getroot() for path in sorted((SOURCE / entity / "fields").glob("*.xml"))]
    return {str(root.findtext(f"{NAMESPACE}fullName")): custom_field(_metadata(root)) for root in roots}


def _metadata(root: ElementTree.Element) -> dict[str, Any]:
    values = [{"fullName": value.findtext(f"{NAMESPACE}fullName")} for value in root.iter(f"{NAMESPACE}value")]
    texts = {name: root.findtext(f"{NAMESPACE}{name}") for name in ("type", "length", "referenceTo")}
    return {**texts, "unique": root.findtext(f"{NAMESPACE}unique") == "true", "externalId": root.findtext(f"{NAMESPACE}externalId") == "true",
            "valueSet": {"valueSetDefinition": {"value": values}}}  # fmt: skip


def default_entities() -> dict[str, Entity]:
    owner = Field("reference", 18, target=("User", "Group"), relationship="Owner")
    account, case = _to("Account", "Account"), _to("Case", "Parent")
    number, date, flag, text, hidden = Field("number"), Field("date"), Field("boolean", default=False), Field(), Field("reference", 18, writable=False)
    entities = {
        "User": Entity("User", "005", {"Name": text, "Username": text, "UserType": Field(default="Standard")}),
        "Group": Entity("Group", "00G", {"Name": text, "DeveloperName": text, "Type": text}),
        "Account": Entity("Account", "001", {
            "Name": Field(required=True), "Type": text, "Industry": text, "AnnualRevenue": number, "OwnerId": owner, "MasterRecordId": hidden,
        }),
        "Contact": Entity("Contact", "003", {
            "Name": Field(writable=False), "FirstName": Field(length=40), "LastName": Field(required=True, length=80), "AccountId": account, "OwnerId": owner,
            "Email": Field("email", 80), "Phone": Field("phone", 40), "MobilePhone": Field("phone", 40), "LeadSource": Field("picklist", 40),
            "MasterRecordId": hidden,
        }),
        "Lead": Entity("Lead", "00Q", {
            "Name": Field(writable=False), "FirstName": Field(length=40), "LastName": Field(required=True, length=80), "Company": Field(required=True),
            "Email": Field("email", 80), "Phone": Field("phone", 40), "LeadSource": Field("picklist", 40), "IsConverted": flag,
        }),
        "Opportunity": Entity("Opportunity", "006", {
            "Name": Field(required=True), "AccountId": account, "Amount": number, "CloseDate": date, "StageName": text, "IsWon": flag, "Type": text,
        }),
        "Contract": Entity("Contract", "800", {
            "AccountId": account, "Status": Field(default="Draft"), "StartDate": date, "EndDate": date, "ContractTerm": number,
        }),
        "Case": Entity("Case", "500", {
            "CaseNumber": Field(writable=False), "Subject": text, "Description": Field("textarea", 32_000, filterable=False), "OwnerId": owner,
            "Priority": Field("picklist", 40, PRIORITIES, default="Medium"), "Status": Field("picklist", 40, STATUSES, default="New"),
            "Origin": Field("picklist", 40), "Reason": Field("picklist", 40), "IsClosed": Field("boolean", writable=False), "AccountId": account,
            "ContactId": _to("Contact", "Contact"), "MasterRecordId": hidden,
        }),
        "CaseComment": Entity("CaseComment", "00a", {"ParentId": case, "CommentBody": Field("textarea", 4_000, filterable=False), "IsPublished": flag}),
        "EmailMessage": Entity("EmailMessage", "02s", {
            "ParentId": case, "Subject": text, "TextBody": Field("textarea", 131_072, filterable=False), "Incoming": flag,
            "Status": Field("picklist", 40, ("0", "1", "2", "3", "4", "5"), default="0"),
        }),
        "FeedItem": Entity("FeedItem", "0D5", {
            "ParentId": case, "Body": Field("textarea", 10_000, filterable=False), "Type": Field(default="TextPost"), "Visibility": Field(default="AllUsers"),
        }),
        "CX_Event__c": Entity("CX_Event__c", "a00", {"Name": Field(writable=False)}),
        "PermissionSet": Entity("PermissionSet", "0PS", {"Name": text, "Label": text}),
        "PermissionSetAssignment": Entity("PermissionSetAssignment", "0Pa", {"AssigneeId": text, "PermissionSetId": text}),
        "FieldPermissions": Entity("FieldPermissions", "01k", {
            "ParentId": _to("PermissionSet", "Parent"), "SobjectType": text, "Field": text, "PermissionsRead": flag, "PermissionsEdit": flag,
        }),
        "ValidationRule": Entity("ValidationRule", "03d", {"ValidationName": text, "Active": flag}),
    }  # fmt: skip
    for entity in entities.values():
        stamps = {name: Field("datetime" if "Date" in name or "Mod" in name else "text", writable=False) for name in SYSTEM}
        stamps["CreatedById"] = replace(_to("User", "CreatedBy"), writable=False)
        system = {**stamps, "Id": Field("id", 18, writable=False), "IsDeleted": Field("boolean", writable=False)}
        entity.fields = {**system, **entity.fields, **installed_fields(entity.name)}
    return entities
