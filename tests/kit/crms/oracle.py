"""Oracle Fusion Service, over HTTP to the simulator, with the fields of ours that Application Composer made."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import StoredCase
from tests.kit.crms._http import HttpWorld, sent_with_password
from tests.kit.oracle import BRIDGE, CLIENT_ID, CLIENT_SECRET, PERSON, Simulator, by_status, oracle
from tests.kit.simulated.wire import FaultyWire

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
CASE, CONTACT, ACCOUNT = "serviceRequests", "contacts", "accounts"
RESOURCES = {"case": CASE, "contact": CONTACT, "account": ACCOUNT}
SEVERITIES = {f"P{number}": f"ORA_SVC_SEV{number}" for number in range(1, 5)}
SHARED = {"Sentiment": "number", "SentimentTrend": "string:40", "Unanswered": "integer", "LastContact": "datetime", "Health": "integer"}
PROFILE = {**SHARED, "LastNps": "integer", "LastCsat": "number", "LastCes": "number", "Channels": "string:255"}
OURS: Mapping[str, Mapping[str, str]] = {
    CASE: {
        "CaseKey": "string:64", "Version": "integer", "Score": "integer", "Band": "string:10", "Headline": "string:255", "Reasons": "string:1500",
        "Category": "string:255", "Queue": "string:80", "Link": "string:1500", "Outcome": "string:40", "Notes": "string:1500",
    },
    CONTACT: {"Handles": "string:1500", "CustomerKey": "string:64", **PROFILE},
    ACCOUNT: {"Tier": "string:40", "ProductTier": "string:80", "Lifecycle": "string:80", **SHARED},
}  # fmt: skip
WEBHOOK_SECRET, WEBHOOK_URL = "oracle-webhook-password", "https://hooks.example.com/webhooks/crm/main"
READING, WRITING, NOTING = "GET .*/contacts|POST .*11.13.18.05$", f"(POST|PATCH) .*/{CASE}", "POST .*11.13.18.05$"
LACKS = {"merge": "Fusion has no merge that leaves a trace", "apply": "fields are made in its sandbox"}


class OracleWorld(HttpWorld):
    name = "oracle"
    secret = SECRET

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.pod, self.wire = simulator, simulator.pod, FaultyWire(simulator.faults, READING, WRITING, NOTING, by_status)
        self.pod.clock = self.clock
        for resource, fields in OURS.items():
            for name, kind in fields.items():
                self.pod.add_field(resource, f"CX{name}_c", kind)
        self.pod.unique = {(CASE, "CXCaseKey_c"), (CONTACT, "CXCustomerKey_c")}

    def settings(self) -> Mapping[str, Any]:
        return {"login_url": self.simulator.url, "user": BRIDGE}

    def refuse_login(self) -> None:
        self.simulator.secret = "another"

    # Records.
    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account = self.pod.create(ACCOUNT, {"OrganizationName": name, "CXTier_c": tier or None}, PERSON)["PartyId"]
        if deal_value:
            deal = {"TargetPartyId": account, "StatusCode": "WON", "Revenue": float(deal_value), "CurrencyCode": "EUR"}
            self.pod.create("opportunities", deal, PERSON)
        if renewal_date:
            self.pod.create("subscriptions", {"PrimaryPartyId": account, "Status": "ORA_ACTIVE", "EndDate": renewal_date}, PERSON)
        return str(account)

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        values = {"LastName": name, "EmailAddress": email, "MobileNumber": phone, "CXHandles_c": handles, "AccountPartyId": int(account_id or 0)}
        return str(self.pod.create(CONTACT, {name: value for name, value in values.items() if value}, PERSON)["PartyId"])

    def contacts(self) -> int:
        return len(self.pod.rows(CONTACT))

    def set_tier(self, account_id: str, tier: str) -> None:
        self.pod.update(ACCOUNT, self.pod.by_id(ACCOUNT, account_id), {"CXTier_c": tier}, PERSON)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return self._profile(CONTACT, contact_id)

    def account_values(self, account_id: str) -> dict[str, Any]:
        return self._profile(ACCOUNT, account_id)

    def _profile(self, resource: str, party_id: str) -> dict[str, Any]:
        row = self.pod.by_id(resource, party_id)
        names = {"".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_"): f"CX{name}_c" for name in PROFILE}
        return {key: row[name] for key, name in names.items() if row.get(name) is not None}

    def drop_field(self, entity: str, key: str) -> None:
        self.pod.drop_field(RESOURCES[entity], f"CX{key.title().replace('_', '')}_c")

    # Cases.
    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.pod.rows(CASE)]

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        notes = [message["MessageContent"] for message in self.pod.messages(dict(row))]
        closed = row["StatusCd"] in ("ORA_SVC_RESOLVED", "ORA_SVC_CLOSED")
        return StoredCase(
            row["SrNumber"], row.get("CXCaseKey_c") or "", int(row.get("CXVersion_c") or 0), int(row.get("CXScore_c") or 0), row.get("CXBand_c") or "",
            row.get("CXReasons_c") or "", notes, "closed" if closed else "open", str(row.get("AssigneeResourceId") or ""), row["SeverityCd"],
        )  # fmt: skip

    def _set(self, crm_id: str, **values: Any) -> None:
        self.pod.update(CASE, self.pod.find(CASE, crm_id), values, PERSON)

    def lose_case(self, crm_id: str) -> None:
        self.pod.delete(CASE, self.pod.find(CASE, crm_id))

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._set(crm_id, StatusCd="ORA_SVC_RESOLVED", **({"CXOutcome_c": outcome} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, StatusCd="ORA_SVC_INPROGRESS")

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, SeverityCd=SEVERITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        """A resource has a number."""
        self._set(crm_id, AssigneeResourceId=100_000_000 + sum(map(ord, owner)))

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        kind = "ORA_SVC_RESPONSE" if public else "ORA_SVC_INTERNAL_NOTE"
        content = base64.b64encode(text.encode()).decode()
        self.pod.add_message(self.pod.find(CASE, crm_id), {"MessageTypeCd": kind, "MessageContent": content}, PERSON)

    def merge_case(self, crm_id: str, into: str) -> None:
        raise NotImplementedError

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.pod.locked[crm_id] = times

    # Webhooks.
    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        stamp = {"LastUpdateDate": f"{self.now:%Y-%m-%dT%H:%M:%S}.000+00:00", "LastUpdatedBy": PERSON}
        message = {
            "MessageId": 7, "CreationDate": stamp["LastUpdateDate"], "CreatedBy": PERSON, "MessageTypeCd": "ORA_SVC_RESPONSE", "SrNumber": crm_id,
            "CXCaseKey_c": "cx-1", "text": "we are sorry",
        }  # fmt: skip
        sent: Mapping[str, tuple[str, str, dict[str, Any]]] = {
            "case": (CASE, "update", {**stamp, "SrNumber": crm_id, "StatusCd": "ORA_SVC_WAITING", "SeverityCd": "ORA_SVC_SEV4", "CXCaseKey_c": "cx-1"}),
            "comment": ("messages", "create", message),
            "contact": (CONTACT, "create", {**stamp, "PartyId": crm_id}),
            "account": (ACCOUNT, "update", {**stamp, "PartyId": crm_id, "CXTier_c": "strategic"}),
            "deleted": (CASE, "delete", {**stamp, "SrNumber": crm_id}),
        }
        resource, operation, row = sent[kind]
        return signed(self.now, {"resource": resource, "operation": operation, "record": row})


def signed(now: datetime, body: Any, url: str = WEBHOOK_URL, **settings: Any) -> tuple[WebhookRequest, Source]:
    return sent_with_password(now, body, url, WEBHOOK_SECRET, settings)


@contextmanager
def world() -> Iterator[OracleWorld]:
    with oracle() as simulator:
        yield OracleWorld(simulator)
