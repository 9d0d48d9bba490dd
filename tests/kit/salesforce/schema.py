"""Objects and fields of the simulated org: the standard ones an integration meets, and Caseline's own as infra/crm/salesforce installs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PRIORITIES = ("High", "Medium", "Low")
STATUSES = ("New", "Working", "Escalated", "Closed")
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


def default_entities() -> dict[str, Entity]:
    owner = Field("reference", 18, target=("User", "Group"), relationship="Owner")
    account = _to("Account", "Account")
    number, date, flag, long = Field("number"), Field("date"), Field("boolean", default=False), Field("textarea", 32_768, filterable=False)
    entities = {
        "User": Entity("User", "005", {"Name": Field(), "Username": Field()}),
        "Group": Entity("Group", "00G", {"Name": Field(), "DeveloperName": Field(), "Type": Field()}),
        "Account": Entity("Account", "001", {
            "Name": Field(required=True), "Type": Field(), "Industry": Field(), "AnnualRevenue": number, "OwnerId": owner,
            "CX_Tier__c": Field(), "CX_Lifecycle__c": Field(), "CX_Product_Tier__c": Field(),
        }),
        "Contact": Entity("Contact", "003", {
            "Name": Field(writable=False), "FirstName": Field(), "LastName": Field(required=True), "AccountId": account, "OwnerId": owner,
            "Email": Field("email", 80), "Phone": Field("phone", 40), "MobilePhone": Field("phone", 40), "CX_Handles__c": Field(),
        }),
        "Lead": Entity("Lead", "00Q", {
            "Name": Field(writable=False), "FirstName": Field(), "LastName": Field(required=True), "Company": Field(required=True), "Email": Field("email", 80),
            "Phone": Field("phone", 40), "IsConverted": flag,
        }),
        "Opportunity": Entity("Opportunity", "006", {
            "Name": Field(required=True), "AccountId": account, "Amount": number, "CloseDate": date, "StageName": Field(), "IsWon": flag, "Type": Field(),
        }),
        "Contract": Entity("Contract", "800", {
            "AccountId": account, "Status": Field(default="Draft"), "StartDate": date, "EndDate": date, "ContractTerm": number,
        }),
        "Case": Entity("Case", "500", {
            "CaseNumber": Field(writable=False), "Subject": Field(), "Description": Field("textarea", 32_000, filterable=False), "OwnerId": owner,
            "Priority": Field("picklist", 40, PRIORITIES, default="Medium"), "Status": Field("picklist", 40, STATUSES, default="New"),
            "Origin": Field("picklist", 40), "IsClosed": Field("boolean", writable=False), "AccountId": account, "ContactId": _to("Contact", "Contact"),
            "CX_Case_Key__c": Field(unique=True, external_id=True), "CX_Version__c": number, "CX_Score__c": number,
            "CX_Band__c": Field("picklist", 2, ("P1", "P2", "P3", "P4")), "CX_Reasons__c": long, "CX_Headline__c": Field(), "CX_Category__c": Field(),
            "CX_Link__c": Field("url"),
        }),
        "CaseComment": Entity("CaseComment", "00a", {
            "ParentId": _to("Case", "Parent"), "CommentBody": Field("textarea", 4_000, filterable=False), "IsPublished": flag,
        }),
    }  # fmt: skip
    for entity in entities.values():
        stamps = {name: Field("datetime", writable=False) for name in SYSTEM}
        entity.fields = {**stamps, "Id": Field("id", 18, writable=False), "IsDeleted": Field("boolean", writable=False), **entity.fields}
    return entities
