"""Salesforce, over HTTP to the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

from caseline.crm import salesforce as adapter
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import IMPATIENT, StoredCase
from tests.kit.salesforce import CLIENT_ID, CLIENT_SECRET, Simulator, salesforce

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
WEBHOOK_SECRET = "example-outbound-message-token"
ORGANIZATION = "00D5g0000012345EAA"
PRIORITIES = {"P1": "High", "P2": "High", "P3": "Medium", "P4": "Low"}
OBJECTS = {"case": "Case", "contact": "Contact", "account": "Account"}
PROFILE = ("sentiment", "sentiment_trend", "last_nps", "last_csat", "last_ces", "unanswered", "channels", "last_contact", "health")
SENT = {
    "case": (
        "Id", "CaseNumber", "Status", "Priority", "IsClosed", "OwnerId", "CX_Case_Key__c", "CX_Band__c", "CX_Outcome__c", "LastModifiedById", "SystemModstamp",
    ),
    "comment": ("Id", "ParentId", "CommentBody", "IsPublished", "SystemModstamp"),
    "contact": ("Id", "Name", "AccountId", "Email", "Phone", "MobilePhone", "CX_Handles__c", "SystemModstamp"),
    "account": ("Id", "Name", "CX_Tier__c", "SystemModstamp"),
}  # fmt: skip
MESSAGE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
  <OrganizationId>{organization}</OrganizationId><ActionId>04k5g0000000001AAA</ActionId><SessionId xsi:nil="true"/>
  <EnterpriseUrl>https://acme.my.example/services/Soap/c/66.0</EnterpriseUrl><PartnerUrl>https://acme.my.example/services/Soap/u/66.0</PartnerUrl>
  <Notification><Id>04l5g0000000001AAA</Id>
   <sObject xsi:type="sf:{entity}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{fields}</sObject></Notification>
 </notifications></soapenv:Body>
</soapenv:Envelope>"""


class SalesforceWire:
    reading = writing = "POST .*/composite"
    noting = "POST .*/sobjects/CaseComment"

    def __init__(self, simulator: Simulator) -> None:
        self._faults = simulator.faults

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None:
        self._faults.add("answer", match, status=status, headers=dict(headers or {}), times=times, body=[])

    def break_off(self, match: str, kind: str, **values: Any) -> None:
        if kind == "redirect":
            self.answer(match, 302, {"Location": "http://localhost:9/elsewhere"})
        else:
            self._faults.add(kind, match, **values)


LACKS = {"webhook deleted": "deletions make no outbound message"}


class SalesforceWorld:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.org, self.wire = simulator, simulator.org, SalesforceWire(simulator)
        self.people: dict[str, str] = {}

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        given = {"instance_url": self.simulator.url, "phone_country_code": "44", **settings}
        return adapter.create(given, SECRET, session=session, clock=lambda: self.org.now, limits=IMPATIENT if impatient else Limits())

    def calls(self) -> int:
        return len(self.simulator.rest_calls())

    def rest_paths(self) -> list[str]:
        return [call.path.removeprefix("/services/data/v66.0") for call in self.simulator.rest_calls()]

    def case(self) -> dict[str, Any]:
        """The one that there is, as it is kept."""
        [case] = self.org.all("Case")
        return self.org.records["Case"][case["Id"]]

    def expire_login(self) -> None:
        self.simulator.expire_sessions()

    def refuse_login(self) -> None:
        self.simulator.refuses = True

    def tick(self, seconds: float) -> None:
        self.org.now += timedelta(seconds=seconds)

    def person(self, name: str = "ann") -> str:
        if name not in self.people:
            self.people[name] = self.org.add("User", Name=name)
        return self.people[name]

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        with self.org.by(self.person()):
            account_id = self.org.add("Account", Name=name, CX_Tier__c=tier or None)
            if deal_value:
                self.org.add("Opportunity", Name="Deal", AccountId=account_id, Amount=float(deal_value), IsWon=True)
            if renewal_date:
                self.org.add("Contract", AccountId=account_id, Status="Activated", EndDate=renewal_date)
        return account_id

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        values = {"Email": email, "Phone": phone, "CX_Handles__c": handles}
        with self.org.by(self.person()):
            return self.org.add("Contact", LastName=name, AccountId=account_id, **{name: value for name, value in values.items() if value})

    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.org.all("Case")]

    def lose_case(self, crm_id: str) -> None:
        with self.org.by(self.person()):
            self.org.delete(self.org.entities["Case"], crm_id)

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._work(crm_id, Status="Closed", **({"CX_Outcome__c": outcome} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self._work(crm_id, Status="Working")

    def set_band(self, crm_id: str, band: str) -> None:
        self._work(crm_id, Priority=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        self._work(crm_id, OwnerId=self.person(owner))

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        with self.org.by(self.person()):
            self.org.add("CaseComment", ParentId=crm_id, CommentBody=text, IsPublished=public)

    def merge_case(self, crm_id: str, into: str) -> None:
        with self.org.by(self.person()):
            self.org.merge("Case", crm_id, into)

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.org.locked_for[crm_id] = times

    def set_tier(self, account_id: str, tier: str) -> None:
        with self.org.by(self.person()):
            self.org.change("Account", account_id, CX_Tier__c=tier)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return self._profile("Contact", contact_id)

    def account_values(self, account_id: str) -> dict[str, Any]:
        return self._profile("Account", account_id)

    def contacts(self) -> int:
        return len(self.org.all("Contact")) + len(self.org.all("Lead"))

    def drop_field(self, entity: str, key: str) -> None:
        self.org.drop_field(OBJECTS[entity], f"CX_{key.title()}__c")

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        """An outbound message."""
        if kind not in SENT:
            return None
        entity = OBJECTS.get(kind, "CaseComment")
        record = next((row for row in self.org.all(entity) if crm_id in (row["Id"], row.get("ParentId"))), None)
        if record is None:
            self.comment(crm_id, "called back")
            return self.webhook(kind, crm_id)
        if kind == "case" and record["LastModifiedById"] == self.org.user:
            self.set_band(crm_id, "P4")
            return self.webhook(kind, crm_id)
        message = MESSAGE.format(organization=ORGANIZATION, entity=entity, fields=_elements(record, SENT[kind]))
        url = f"https://hooks.example.com/webhooks/crm/salesforce?token={WEBHOOK_SECRET}"
        source = Source("salesforce", "acme", (), (WEBHOOK_SECRET,), {"organization_id": ORGANIZATION[:15], "user_id": self.org.user})
        return WebhookRequest("POST", url, {"content-type": "text/xml; charset=utf-8"}, message.encode(), self.org.now), source

    def _work(self, crm_id: str, **values: Any) -> None:
        with self.org.by(self.person()):
            self.org.change("Case", crm_id, **values)

    def _profile(self, entity: str, record_id: str) -> dict[str, Any]:
        record = self.org.records[entity][record_id]
        return {key: record.get(f"CX_{key.title()}__c") for key in PROFILE if f"CX_{key.title()}__c" in self.org.entities[entity].fields}

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        notes = [comment["CommentBody"] for comment in self.org.all("CaseComment") if comment["ParentId"] == row["Id"]]
        version, score = int(row.get("CX_Version__c") or 0), int(row.get("CX_Score__c") or 0)
        status = "closed" if row["IsClosed"] else "open"
        return StoredCase(
            row["Id"], row["CX_Case_Key__c"], version, score, row.get("CX_Band__c", ""), row.get("CX_Reasons__c") or "", notes, status, row["OwnerId"],
            row["Priority"],
        )  # fmt: skip


def _elements(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """As SOAP writes them: no element for an empty field, words for flags."""
    texts = {name: str(record[name]).lower() if isinstance(record[name], bool) else str(record[name]) for name in names if record.get(name) is not None}
    return "".join(f"<sf:{name}>{escape(text)}</sf:{name}>" for name, text in texts.items())


@contextmanager
def world() -> Iterator[SalesforceWorld]:
    with salesforce() as simulator:
        yield SalesforceWorld(simulator)
