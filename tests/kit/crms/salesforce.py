"""Salesforce, over HTTP to the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from caseline.crm import salesforce as adapter
from caseline.crm._http import Limits

from tests.kit.crms import NOW, StoredCase
from tests.kit.salesforce import CLIENT_ID, CLIENT_SECRET, Simulator, salesforce

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
IMPATIENT = Limits(connect=0.8, read=0.8, total=1.2)


class SalesforceWire:
    reading, writing = "/composite|/query|/search", "PATCH .*/sobjects/Case/"

    def __init__(self, simulator: Simulator) -> None:
        self._faults = simulator.faults

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None:
        self._faults.add("answer", match, status=status, headers=dict(headers or {}), times=times, body=[])

    def break_off(self, match: str, kind: str, **values: Any) -> None:
        if kind == "redirect":
            self.answer(match, 302, {"Location": "http://localhost:9/elsewhere"})
        else:
            self._faults.add(kind, match, **values)


class SalesforceWorld:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.org, self.wire = simulator, simulator.org, SalesforceWire(simulator)

    def adapter(self, impatient: bool = False, **settings: Any) -> Any:
        given = {"instance_url": self.simulator.url, "phone_country_code": "44", **settings}
        return adapter.create(given, SECRET, clock=lambda: NOW, limits=IMPATIENT if impatient else Limits())

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account_id = self.org.add("Account", Name=name, CX_Tier__c=tier or None)
        if deal_value:
            self.org.add("Opportunity", Name="Deal", AccountId=account_id, Amount=float(deal_value), IsWon=True)
        if renewal_date:
            self.org.add("Contract", AccountId=account_id, Status="Activated", EndDate=renewal_date)
        return account_id

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        values = {"Email": email, "Phone": phone, "CX_Handles__c": handles}
        return self.org.add("Contact", LastName=name, AccountId=account_id, **{name: value for name, value in values.items() if value})

    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.org.all("Case")]

    def lose_case(self, crm_id: str) -> None:
        del self.org.records["Case"][crm_id]

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        notes = [comment["CommentBody"] for comment in self.org.all("CaseComment") if comment["ParentId"] == row["Id"]]
        version, score = int(row["CX_Version__c"]), int(row["CX_Score__c"])
        return StoredCase(row["Id"], row["CX_Case_Key__c"], version, score, row["CX_Band__c"], row["CX_Reasons__c"] or "", notes)


@contextmanager
def world() -> Iterator[SalesforceWorld]:
    with salesforce() as simulator:
        yield SalesforceWorld(simulator)
