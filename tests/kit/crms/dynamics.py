"""Dynamics 365, over HTTP to the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import escape
from typing import Any
from uuid import uuid4

from caseline.crm import dynamics as adapter
from caseline.crm._http import Limits
from caseline.crm._schema import OUTCOMES
from caseline.crm.dynamics._settings import BANDS, TRENDS
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import IMPATIENT, NOW, StoredCase
from tests.kit.dynamics import CLIENT_ID, CLIENT_SECRET, OPTION_BASE, TENANT, Simulator
from tests.kit.simulated import FaultyWire, serving

SECRET = {"tenant_id": TENANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
PRIORITIES = {"P1": 1, "P2": 1, "P3": 2, "P4": 3}
WEBHOOK_KEY = "a-key-for-the-webhook-of-dataverse"
TABLES = {"case": "incident", "contact": "contact", "account": "account", "deleted": "incident", "comment": "annotation"}
BATCH = "POST .*/\\$batch"
PROFILE = ("sentiment", "sentiment_trend", "last_nps", "last_csat", "last_ces", "unanswered", "channels", "last_contact", "health")


class DynamicsWorld:
    def __init__(self) -> None:
        self.now = NOW
        self.simulator = Simulator(self.clock)
        self.org, self.wire = self.simulator.org, FaultyWire(self.simulator.faults, BATCH, BATCH, "PATCH .*/annotations", _error_body)
        self._nobody = self.org.add("account", name="Unknown customers")

    def clock(self) -> datetime:
        return self.now

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        address = self.simulator.url or "http://127.0.0.1"
        ours = {"instance_url": address, "login_url": address, "phone_country_code": "44", "default_customer": f"accounts({self._nobody})"}
        return adapter.create({**ours, **settings}, SECRET, session=session, clock=self.clock, limits=IMPATIENT if impatient else Limits())

    def calls(self) -> int:
        return len(self.simulator.calls) - self.simulator.logins

    def expire_login(self) -> None:
        self.simulator.tokens.clear()

    def refuse_login(self) -> None:
        self.simulator.secrets.clear()

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # ---- what people do

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account = self.org.add("account", name=name, cx_tier=_option(("strategic", "enterprise", "mid", "smb", "trial"), tier))
        if deal_value:
            self.org.add("opportunity", name="Deal", customerid=("account", account), actualvalue=float(deal_value), statecode=1)
        if renewal_date:
            self.org.add("entitlement", name="Support", customerid=("account", account), enddate=f"{renewal_date}T00:00:00Z", statecode=1)
        return account

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        values = {"emailaddress1": email or None, "telephone1": phone or None, "cx_handles": handles or None}
        return self.org.add("contact", lastname=name, fullname=name, parentcustomerid=("account", account_id), **values)

    def lose_case(self, crm_id: str) -> None:
        self.org.delete("incident", crm_id)

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        said = {"cx_outcome": _option(OUTCOMES, outcome)} if outcome else {}
        self.org.edit("incident", crm_id, statecode=1, statuscode=5, **said)

    def reopen_case(self, crm_id: str) -> None:
        self.org.edit("incident", crm_id, statecode=0, statuscode=1)

    def set_band(self, crm_id: str, band: str) -> None:
        self.org.edit("incident", crm_id, prioritycode=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        known = self.org.find("systemuser", "fullname", owner)
        self.org.edit("incident", crm_id, ownerid=("systemuser", known["systemuserid"] if known else self.org.add("systemuser", fullname=owner)))

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        """An answer is a mail that was sent."""
        if public:
            body = {"description": f"<p>{escape(text)}</p>", "directioncode": True, "statecode": 1, "statuscode": 3}
            self.org.add("email", subject="Re: your case", regardingobjectid=("incident", crm_id), **body)
        else:
            self.org.add("annotation", notetext=text, objectid=("incident", crm_id))

    def merge_case(self, crm_id: str, into: str) -> None:
        self.org.merge(into, crm_id, self.org.person)

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.org.locks[crm_id] = times

    def set_tier(self, account_id: str, tier: str) -> None:
        self.org.edit("account", account_id, cx_tier=_option(("strategic", "enterprise", "mid", "smb", "trial"), tier))

    def drop_field(self, entity: str, key: str) -> None:
        self.simulator.metadata.drop(TABLES[entity], f"cx_{key.replace('_', '')}")

    # ---- what stands

    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.org.rows("incident")]

    def contacts(self) -> int:
        return len(self.org.rows("contact")) + len(self.org.rows("lead"))

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return _profile(self.org.get("contact", contact_id))

    def account_values(self, account_id: str) -> dict[str, Any]:
        return _profile(self.org.get("account", account_id))

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        notes = [note["notetext"] for note in self.org.rows("annotation") if note.get("objectid") == ("incident", row["incidentid"])]
        band = _name(BANDS, row.get("cx_band")) or ""
        owner = str(self.org.get(*row["ownerid"]).get("fullname")) if row["ownerid"][1] != self.org.app else ""
        return StoredCase(
            row["incidentid"], row.get("cx_casekey") or "", row.get("cx_version") or 0, row.get("cx_score") or 0, band, row.get("cx_reasons") or "", notes,
            "open" if row["statecode"] == 0 else "closed", owner, str(row["prioritycode"]),
        )  # fmt: skip

    # ---- what is pushed

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        if kind not in TABLES:
            return None
        body = json.dumps(self._context(kind, crm_id)).encode()
        headers = {"content-type": "application/json", "x-cx-webhook-key": WEBHOOK_KEY, "x-ms-dynamics-organization": "acme.crm.dynamics.com"}
        request = WebhookRequest("POST", "https://hooks.example.com/webhooks/crm/dynamics", headers, body, self.now)
        return request, Source("dynamics", "acme", (f"dynamics:{self.org.app}",), (WEBHOOK_KEY,))

    def _context(self, kind: str, crm_id: str) -> dict[str, Any]:
        table, message = TABLES[kind], {"deleted": "Delete", "comment": "Create"}.get(kind, "Update")
        record_id = str(uuid4()) if kind == "comment" else crm_id
        target = _entity(table, record_id, _sent(kind, crm_id)) if kind != "deleted" else _reference(table, record_id)
        millis = int(self.now.timestamp() * 1000)
        return {
            "BusinessUnitId": str(uuid4()), "CorrelationId": str(uuid4()), "Depth": 1, "InitiatingUserId": self.org.person, "MessageName": message,
            "InputParameters": [{"key": "Target", "value": target}], "OperationCreatedOn": f"/Date({millis}-0700)/", "OperationId": str(uuid4()),
            "PostEntityImages": [], "PreEntityImages": [], "PrimaryEntityId": record_id, "PrimaryEntityName": table, "Stage": 40, "UserId": self.org.person,
        }  # fmt: skip


def _error_body(status: int) -> dict[str, Any]:
    return {"error": {"code": "", "message": "ann@example.com is not what it should be"}}


def _sent(kind: str, crm_id: str) -> dict[str, Any]:
    return {
        "case": {"statecode": {"__type": "OptionSetValue:http://schemas.microsoft.com/xrm/2011/Contracts", "Value": 1}},
        "comment": {"notetext": "called back", "objectid": _reference("incident", crm_id)},
        "contact": {"fullname": "Ann Marsh", "emailaddress1": "ann@example.com"},
        "account": {"name": "Globex"},
    }[kind]


def _entity(table: str, record_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    attributes = [{"key": key, "value": value} for key, value in values.items()]
    return {"__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts", "Attributes": attributes, "Id": record_id, "LogicalName": table}


def _reference(table: str, record_id: str) -> dict[str, Any]:
    return {"__type": "EntityReference:http://schemas.microsoft.com/xrm/2011/Contracts", "Id": record_id, "LogicalName": table, "Name": None}


def _profile(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row.get(f"cx_{name.replace('_', '')}") for name in PROFILE}
    return {**values, "sentiment_trend": _name(TRENDS, values["sentiment_trend"])}


def _option(names: tuple[str, ...], name: str) -> int | None:
    return OPTION_BASE + names.index(name) if name else None


def _name(names: tuple[str, ...], number: int | None) -> str | None:
    return names[number - OPTION_BASE] if number is not None else None


@contextmanager
def world() -> Iterator[DynamicsWorld]:
    found = DynamicsWorld()
    with serving(found.simulator):
        yield found
