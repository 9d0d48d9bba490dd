"""Which product of SAP it is: the defaults of Cloud for Customer, and reading the settings of either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm import CLOSED, OPEN
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES
from caseline.crm._settings import check_case_key, check_choice, check_names
from caseline.crm._settings import read_settings as read_fields
from caseline.crm._words import PENDING
from caseline.crm.sap._shape import C4C, CONTACT_FIELDS, V2, Settings, named
from caseline.errors import ConfigError

_COLUMN = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*){0,3}\Z")


def _kut(*keys: str) -> dict[str, str]:
    return named("{}_KUT", *keys)


@dataclass(frozen=True)
class C4cSettings(Settings):
    """The defaults of Cloud for Customer."""

    product: str = C4C
    api_path: str = "/sap/c4c/odata/v1/c4codataapi"
    csrf: str = "always"
    csrf_path: str = "/?$format=json"
    paths: Mapping[str, str] = field(default_factory=lambda: {
        "case": "/ServiceRequestCollection", "contact": "/ContactCollection", "account": "/CorporateAccountCollection", "lead": "/LeadCollection",
        "note": "/ServiceRequestTextCollectionCollection",
    })  # fmt: skip
    case_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "ObjectID", "number": "ID", "subject": "Name", "priority": "ServicePriorityCode", "status": "ServiceRequestUserLifeCycleStatusCode",
        "owner": "ProcessorPartyID", "owner_name": "ProcessorPartyName", "team": "ServiceSupportTeamPartyID", "account": "BuyerPartyID",
        "contact": "BuyerMainContactPartyID", "notes": "ServiceRequestTextCollection", "changed_at": "EntityLastChangedOn", "changed_by": "ChangedBy",
    })  # fmt: skip
    contact_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "ContactID", "account": "AccountID", "name": "Name", "first": "FirstName", "last": "LastName", "email": "Email", "phone": "Phone",
        "mobile": "Mobile", "changed_at": "EntityLastChangedOn", "changed_by": "ChangedBy",
    })  # fmt: skip
    account_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "AccountID", "name": "Name", "changed_at": "EntityLastChangedOn", "changed_by": "ChangedBy",
    })  # fmt: skip
    lead_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "ID", "subject": "Name", "first": "ContactFirstName", "last": "ContactLastName", "email": "ContactEMail", "phone": "ContactPhone",
    })  # fmt: skip
    note_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "ObjectID", "text": "Text", "type": "TypeCode", "case": "ParentObjectID", "changed_at": "UpdatedOn", "changed_by": "CreatedBy",
    })  # fmt: skip
    searched_phones: tuple[str, ...] = ("NormalisedPhone", "NormalisedMobile")
    case_fields: Mapping[str, str] = field(default_factory=lambda: _kut(*OF_CASES))
    contact_fields: Mapping[str, str] = field(default_factory=lambda: _kut(*CONTACT_FIELDS))
    account_fields: Mapping[str, str] = field(default_factory=lambda: _kut(*OF_ACCOUNTS))
    lead_fields: Mapping[str, str] = field(default_factory=lambda: _kut("customer_key"))
    fact_fields: Mapping[str, str] = field(default_factory=lambda: {
        "tier": "CXTier_KUT", "product_tier": "CXProductTier_KUT", "lifecycle_stage": "CXLifecycle_KUT", "owner": "OwnerName",
    })  # fmt: skip
    deals: Mapping[str, str] = field(default_factory=lambda: {
        "path": "/OpportunityCollection", "account": "ProspectPartyID", "value": "ExpectedRevenueAmount", "currency": "ExpectedRevenueAmountCurrencyCode",
        "condition": "LifeCycleStatusCode eq '4'",
    })  # fmt: skip
    contracts: Mapping[str, str] = field(default_factory=lambda: {
        "path": "/ContractCollection", "account": "BuyerPartyID", "end": "EndDate", "condition": "LifeCycleStatusCode eq '3'",
    })  # fmt: skip
    count_cases: bool = True
    new_case: Mapping[str, str] = field(default_factory=lambda: {"ProcessingTypeCode": "SRRQ", "DataOriginTypeCode": "1"})
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "1", "P2": "2", "P3": "3", "P4": "7"})
    statuses: Mapping[str, str] = field(default_factory=lambda: {"new": "1", OPEN: "2", PENDING: "4", CLOSED: "5"})
    closed_statuses: tuple[str, ...] = ("6",)
    note_types: Mapping[str, str] = field(default_factory=lambda: {"internal": "10011", "public": "10007"})
    key_filter: str = "{key} ge '-'"
    case_link: str = (
        "/sap/public/byd/runtime?bo_ns=http://sap.com/thingTypes&bo=COD_SRQ_AGENT_TT&node=Root&operation=OnExtInspect"
        "&param.InternalID={number}&sapbyd-agent=TAB&OBN_DOWNTYPE=X"
    )


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    product = given.get("product", V2)
    check_choice("product", product, (V2, C4C))
    settings = read_fields(C4cSettings if product == C4C else Settings, "sap", given)
    _check_columns(settings)
    check_choice("csrf", settings.csrf, ("basic", "always"))
    if not 1 <= settings.page <= 1_000:
        raise ConfigError("crm.page: write a number from 1 to 1000")
    return settings


def _check_columns(settings: Settings) -> None:
    mappings = (
        settings.case_columns, settings.contact_columns, settings.account_columns, settings.lead_columns, settings.note_columns, settings.case_fields,
        settings.contact_fields, settings.account_fields, settings.lead_fields, settings.fact_fields, settings.new_case,
    )  # fmt: skip
    names = [*settings.new_case, *settings.searched_phones, *(name for mapping in mappings[:-1] for name in mapping.values())]
    check_names(names, _COLUMN.match, "no column; write it as it stands in a record, such as extensions.CXTier")
    check_case_key(settings.case_fields)
