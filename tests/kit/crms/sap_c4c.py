"""SAP Cloud for Customer: the same adapter with `product: c4c`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import StoredCase
from tests.kit.crms.sap import SapWire, SapWorld
from tests.kit.sap import PASSWORD, USER, C4c
from tests.kit.sap.c4c import ACCOUNTS, CASES, CONTACTS, CONTRACTS, DEALS, LEADS, TEXTS
from tests.kit.sap.v2 import PROFILE, named
from tests.kit.simulated import serving

ENTITIES = {"case": CASES, "contact": CONTACTS, "account": ACCOUNTS}
STATUS = "ServiceRequestUserLifeCycleStatusCode"
LACKS = {
    "merge": "tickets are not merged",
    "apply": "SAP makes fields by hand only",
    **{f"webhook {kind}": "polling tells more of it" for kind in ("case", "comment", "contact", "account")},
}


class C4cWorld(SapWorld):
    """Accounts and contacts are known by their numbers, cases by their object ids."""

    settings: ClassVar[Mapping[str, Any]] = {"product": "c4c"}
    secret: ClassVar[Mapping[str, str]] = {"user": USER, "password": PASSWORD}
    priorities: ClassVar[Mapping[str, str]] = {"P1": "1", "P2": "2", "P3": "3", "P4": "7"}

    def __init__(self) -> None:
        super().__init__()
        self.simulator: C4c = C4c(self.clock)
        self.tenant = self.simulator.tenant
        self.wire = SapWire(self.simulator, "GET .*/ContactCollection", "POST .*/ServiceRequestCollection", "POST .*/\\$batch")

    # ---- what people do

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account = self.tenant.number()
        self.tenant.add(ACCOUNTS, {"AccountID": account, "Name": name, "CXTier_KUT": tier})
        if deal_value:
            won = {"LifeCycleStatusCode": "4", "ExpectedRevenueAmountCurrencyCode": "EUR"}
            self.tenant.add(DEALS, {"ProspectPartyID": account, "ExpectedRevenueAmount": f"{float(deal_value):.6f}", **won})
        if renewal_date:
            end = datetime.fromisoformat(renewal_date).replace(tzinfo=UTC)
            self.tenant.add(CONTRACTS, {"BuyerPartyID": account, "LifeCycleStatusCode": "3", "EndDate": end})
        return account

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        contact = self.tenant.number()
        values = {"Email": email, "Phone": phone, "NormalisedPhone": phone.replace(" ", ""), "CXHandles_KUT": handles}
        self.tenant.add(CONTACTS, {"ContactID": contact, "AccountID": account_id, "Name": name, "LastName": name, **values})
        return contact

    def lose_case(self, crm_id: str) -> None:
        self.tenant.delete(CASES, crm_id)
        for text in list(self.simulator.texts(crm_id)):
            self.tenant.delete(TEXTS, text["ObjectID"])

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self.tenant.edit(CASES, crm_id, {STATUS: "5", **({"CXOutcome_KUT": outcome} if outcome else {})})

    def reopen_case(self, crm_id: str) -> None:
        self.tenant.edit(CASES, crm_id, {STATUS: "2"})

    def set_band(self, crm_id: str, band: str) -> None:
        self.tenant.edit(CASES, crm_id, {"ServicePriorityCode": self.priorities[band]})

    def set_owner(self, crm_id: str, owner: str) -> None:
        self.tenant.edit(CASES, crm_id, {"ProcessorPartyID": self.tenant.number(), "ProcessorPartyName": owner})

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self.tenant.add(TEXTS, {"ParentObjectID": crm_id, "TypeCode": "10007" if public else "10011", "Text": text})

    def set_tier(self, account_id: str, tier: str) -> None:
        self.tenant.edit(ACCOUNTS, self.tenant.find(ACCOUNTS, "AccountID", account_id)["ObjectID"], {"CXTier_KUT": tier})

    def drop_field(self, entity: str, key: str) -> None:
        del self.tenant.tables[ENTITIES[entity]].columns[f"{named(key)}_KUT"]

    # ---- what stands

    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.tenant.tables[CASES].rows.values()]

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        ours = {key: row.get(f"{named(key)}_KUT") for key in ("case_key", "version", "score", "band", "reasons")}
        notes = [text["Text"] for text in self.simulator.texts(row["ObjectID"])]
        return StoredCase(
            row["ObjectID"], ours["case_key"] or "", int(ours["version"] or 0), int(ours["score"] or 0), ours["band"] or "", ours["reasons"] or "", notes,
            "closed" if row[STATUS] in ("5", "6") else "open", row.get("ProcessorPartyID") or "", row["ServicePriorityCode"],
        )  # fmt: skip

    def contacts(self) -> int:
        return len(self.tenant.tables[CONTACTS].rows) + len(self.tenant.tables[LEADS].rows)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return _values(self.tenant.find(CONTACTS, "ContactID", contact_id))

    def account_values(self, account_id: str) -> dict[str, Any]:
        return _values(self.tenant.find(ACCOUNTS, "AccountID", account_id))

    # ---- what is pushed

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        if kind != "deleted":
            return None
        place = f"{self.simulator.url}/sap/c4c/odata/v1/c4codataapi/ServiceRequestCollection('{crm_id}')"
        event = "SERVICE_REQUEST.Root-Deleted"
        return self.basic({"businessObject": "SERVICE_REQUEST", "businessObjectId": crm_id, "event": event, "odataServiceEndpoint": place})


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row.get(f"{named(key)}_KUT") for key in PROFILE}


@contextmanager
def world() -> Iterator[C4cWorld]:
    found = C4cWorld()
    with serving(found.simulator):
        yield found
