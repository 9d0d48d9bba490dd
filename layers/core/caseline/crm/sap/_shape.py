"""Settings of the SAP adapter: which fields, which codes. The door reads them too, to understand events: nothing heavy here.

A column is named as it stands in a record; a dot steps into an object (`extensions.CXBand`). SAP publishes little of what its tenants may rename, so every
name and code is a setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from caseline.crm import CLOSED, OPEN
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._words import PENDING, Words, status_of

NOTES = "notes"  # of V2 alone, where a note of its own is two calls of their own
CONTACT_FIELDS = ("handles", "customer_key", *OF_CONTACTS)
V2, C4C = "v2", "c4c"


def named(pattern: str, *keys: str) -> dict[str, str]:
    """case_key as CXCaseKey, in the product's way."""
    return {key: pattern.format("CX" + "".join(word.capitalize() for word in key.split("_"))) for key in keys}


def _extension(*keys: str) -> dict[str, str]:
    return named("extensions.{}", *keys)


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml; these are the defaults of Sales and Service Cloud V2.

    `own_user` is the name that SAP shows as the last changer of what Caseline wrote: without it our own writes to contacts and accounts come back as changes.
    `paths` are those of the entities below `api_path`; `*_columns` SAP's own fields, `*_fields` those made for Caseline, `fact_fields` what of an account is
    read as facts; "" switches one off. `deals` and `contracts` name a collection (path, account, value or end, condition) that is summed or searched for each
    account, `count_cases` has its open cases counted; on V2 each costs a call and all are off.
    `new_case` is what every case is made with. `priorities` maps a band, `statuses` new, open,
    pending and closed; `closed_statuses` are all that mean closed besides. `queues` and `owners` map to ids of teams and employees, `tiers` the tenant's own
    words to ours. `default_account` is the id of the account for cases of customers whom SAP does not know. `key_filter` finds cases of ours.
    `headers` go with each call (x-sap-crm-token, or APIKey of a gateway). `csrf` is basic (fetched before the first write of a technical user) or always.
    `phone_region` ("GB") reads numbers stored without a country's code.
    `case_link` is where people see a case ({id}, {number}). `overlap_seconds` is how late a change may become visible.
    """

    product: str = V2
    instance_url: str = ""
    api_path: str = "/sap/c4c/api/v1"
    login_url: str = ""
    token_path: str = "/oauth2/api/v1/token"
    headers: Mapping[str, str] = field(default_factory=dict)
    csrf: str = "basic"
    csrf_path: str = "/case-service/cases?$top=1"
    own_user: str = ""
    paths: Mapping[str, str] = field(default_factory=lambda: {
        "case": "/case-service/cases", "contact": "/contact-person-service/contactPersons", "account": "/account-service/accounts",
        "lead": "/lead-service/leads", "note": "/note-service/notes",
    })  # fmt: skip
    case_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "id", "number": "displayId", "subject": "subject", "priority": "priority", "status": "status", "owner": "processor.id",
        "owner_name": "processor.name", "team": "serviceTeam.id", "account": "account.id", "contact": "contact.id", "notes": "notes",
        "changed_at": "adminData.updatedOn", "changed_by": "adminData.updatedByName",
    })  # fmt: skip
    contact_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "id", "account": "accountId", "name": "formattedName", "first": "givenName", "last": "familyName", "email": "eMail", "phone": "phone",
        "mobile": "mobile", "changed_at": "adminData.updatedOn", "changed_by": "adminData.updatedByName",
    })  # fmt: skip
    account_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "id", "name": "formattedName", "changed_at": "adminData.updatedOn", "changed_by": "adminData.updatedByName",
    })  # fmt: skip
    lead_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "id", "subject": "name", "first": "givenName", "last": "familyName", "email": "eMail", "phone": "phone",
    })  # fmt: skip
    note_columns: Mapping[str, str] = field(default_factory=lambda: {
        "id": "id", "text": "content", "type": "noteTypeCode", "changed_at": "adminData.updatedOn", "changed_by": "adminData.updatedByName",
    })  # fmt: skip
    searched_phones: tuple[str, ...] = ("normalizedPhone", "normalizedMobile")
    case_fields: Mapping[str, str] = field(default_factory=lambda: _extension(*OF_CASES, NOTES))
    contact_fields: Mapping[str, str] = field(default_factory=lambda: _extension(*CONTACT_FIELDS))
    account_fields: Mapping[str, str] = field(default_factory=lambda: _extension(*OF_ACCOUNTS))
    lead_fields: Mapping[str, str] = field(default_factory=lambda: _extension("customer_key"))
    fact_fields: Mapping[str, str] = field(default_factory=lambda: {
        "tier": "extensions.CXTier", "product_tier": "extensions.CXProductTier", "lifecycle_stage": "extensions.CXLifecycle",
        "deal_value": "extensions.CXDealValue", "currency": "extensions.CXCurrency", "renewal_date": "extensions.CXRenewalDate",
        "annual_revenue": "annualRevenue.content", "owner": "owner.formattedName",
    })  # fmt: skip
    deals: Mapping[str, str] = field(default_factory=lambda: {
        "path": "", "account": "account.id", "value": "expectedRevenueAmount.content", "currency": "expectedRevenueAmount.currencyCode",
        "condition": "lifeCycleStatus eq 'WON'",
    })  # fmt: skip
    contracts: Mapping[str, str] = field(default_factory=lambda: {"path": "", "account": "account.id", "end": "validTo", "condition": "status eq 'ACTIVE'"})
    count_cases: bool = False
    new_case: Mapping[str, str] = field(default_factory=lambda: {"caseType": "ZCAS", "origin": "MANUAL_DATA_ENTRY"})
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "01", "P2": "02", "P3": "03", "P4": "07"})
    statuses: Mapping[str, str] = field(default_factory=lambda: {"new": "01", OPEN: "02", PENDING: "03", CLOSED: "05"})
    closed_statuses: tuple[str, ...] = ("06",)
    note_types: Mapping[str, str] = field(default_factory=lambda: {"internal": "S001", "public": "S002"})
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    default_account: str = ""
    key_filter: str = "{key} ne null"
    case_link: str = "/ui#/cases/{id}"
    phone_region: str = ""
    long_text: int = 32_000
    page: int = 100
    overlap_seconds: int = 120

    @property
    def is_c4c(self) -> bool:
        return self.product == C4C

    def status(self, code: str) -> str:
        return status_of(code, (self.statuses[CLOSED], *self.closed_statuses), (self.statuses[PENDING],))

    def shown_status(self, code: str) -> str:
        return CLOSED if self.status(code) == CLOSED else OPEN
