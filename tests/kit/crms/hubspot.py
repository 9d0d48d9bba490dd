"""HubSpot, over HTTP to the simulator. Its portal is set up as infra/crm/hubspot says, copies of the company's value on its contacts included."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from html import escape
from typing import Any

from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import StoredCase
from tests.kit.crms._http import HttpWorld
from tests.kit.hubspot import APP_ID, CLIENT_ID, CLIENT_SECRET, PERSON, PORTAL_ID, REFRESH_TOKEN, Portal, Record, Simulator, by_status, hubspot
from tests.kit.hubspot.portal import COPY_NAMES
from tests.kit.simulated import FaultyWire

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
PRIORITIES = {"P1": "URGENT", "P2": "HIGH", "P3": "MEDIUM", "P4": "LOW"}
BANDS, TIERS = list(PRIORITIES), ["strategic", "enterprise", "mid", "smb", "trial"]
PROFILE = {
    "sentiment": "number", "sentiment_trend": ["rising", "steady", "falling"], "last_nps": "number", "last_csat": "number", "last_ces": "number",
    "unanswered": "number", "channels": "string", "last_contact": "datetime", "health": "number",
}  # fmt: skip
OF_COMPANY = ("sentiment", "sentiment_trend", "unanswered", "last_contact", "health")
OURS: Mapping[str, Mapping[str, Any]] = {
    "tickets": {
        "case_key": "!string", "version": "number", "score": "number", "band": BANDS, "headline": "string", "reasons": "string", "category": "string",
        "queue": "string", "link": "string", "outcome": ["valid", "not_an_issue"], "notes": "string",
    },
    "contacts": {"handles": "string", "customer_key": "!string", **PROFILE, **{f"account_{name}": "string" for name in COPY_NAMES}},
    "companies": {
        "tier": TIERS, "product_tier": "string", "renewal_date": "date", "contract_status": "string", "purchases": "number", "open_cases": "number",
        **{name: PROFILE[name] for name in OF_COMPANY},
    },
}  # fmt: skip
ENTITIES = {"case": "tickets", "contact": "contacts", "account": "companies"}
WEBHOOK_SECRET, WEBHOOK_URL = "hs-client-secret", "https://hooks.example.com/webhooks/crm/main"


def set_up(portal: Portal) -> None:
    for kind, fields in OURS.items():
        for name, spec in fields.items():
            options = [{"label": value, "value": value, "hidden": False} for value in spec] if isinstance(spec, list) else []
            portal.add_property(kind, {
                "name": f"cx_{name}", "label": name, "type": "enumeration" if options else str(spec).lstrip("!"), "fieldType": "select" if options else "text",
                "groupName": "information", "hasUniqueValue": str(spec).startswith("!"), "options": options,
            })  # fmt: skip


READING, WRITING = "/search|/batch/read|GET .*/objects/", "(POST|PATCH) .*/objects/tickets(/[^/]+)?$"
NOTING = "PATCH .*/objects/tickets/"
LACKS = {"webhook comment": "notes are told of by polling alone"}


class HubSpotWorld(HttpWorld):
    name = "hubspot"
    secret = SECRET

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.portal, self.wire = simulator, simulator.portal, FaultyWire(simulator.faults, READING, WRITING, NOTING, by_status)
        self.portal.clock = self.clock
        set_up(self.portal)

    def refuse_login(self) -> None:
        self.simulator.refresh_token = "another"

    # Records.
    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        values = {"name": name, "cx_tier": tier, "cx_renewal_date": renewal_date}
        company = self.portal.create("companies", {name: value for name, value in values.items() if value}, PERSON)
        if deal_value:
            deal = self.portal.create("deals", {"dealname": "Deal", "amount": deal_value, "dealstage": "closedwon"}, PERSON)
            self.portal.associate(deal, company)
        return company.id

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        """A second contact of an address, which HubSpot itself refuses, is as an import may have left it: with the address as another of its own."""
        taken = any(email and email == other.properties.get("email") for other in self.portal.live("contacts"))
        values = {"firstname": name, "hs_additional_emails" if taken else "email": email, "phone": phone, "cx_handles": handles}
        contact = self.portal.create("contacts", {name: value for name, value in values.items() if value}, PERSON)
        if account_id:
            self.portal.associate(contact, self.portal.find("companies", account_id))
        return contact.id

    def contacts(self) -> int:
        return len(self.portal.live("contacts"))

    def set_tier(self, account_id: str, tier: str) -> None:
        self.portal.update(self.portal.find("companies", account_id), {"cx_tier": tier}, PERSON)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return self._profile("contacts", contact_id)

    def account_values(self, account_id: str) -> dict[str, Any]:
        return self._profile("companies", account_id)

    def _profile(self, kind: str, record_id: str) -> dict[str, Any]:
        values = self.portal.find(kind, record_id).properties
        return {name: values[f"cx_{name}"] for name in PROFILE if f"cx_{name}" in values}

    def drop_field(self, entity: str, key: str) -> None:
        self.portal.drop_property(ENTITIES[entity], f"cx_{key}")

    # Cases.
    def cases(self) -> list[StoredCase]:
        return [self._stored(ticket) for ticket in self.portal.live("tickets")]

    def _stored(self, ticket: Record) -> StoredCase:
        values = {"cx_version": "0", "cx_score": "0", **ticket.properties}
        notes = [note.properties.get("hs_note_body", "") for note in self.portal.linked(ticket, "notes")]
        noted = [part for part in values.get("cx_notes", "").split("]\n\n") if part]
        status = "closed" if values.get("hs_pipeline_stage") == "4" else "open"
        return StoredCase(
            ticket.id, values.get("cx_case_key", ""), int(values["cx_version"]), int(values["cx_score"]), values.get("cx_band", ""),
            values.get("cx_reasons", ""), [*noted, *notes], status, values.get("hubspot_owner_id", ""), values.get("hs_ticket_priority", ""),
        )  # fmt: skip

    def _set(self, crm_id: str, **values: str) -> None:
        self.portal.update(self.portal.find("tickets", crm_id), values, PERSON)

    def lose_case(self, crm_id: str) -> None:
        self.portal.archive(self.portal.find("tickets", crm_id))

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._set(crm_id, hs_pipeline_stage="4", **({"cx_outcome": outcome} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, hs_pipeline_stage="3")

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, hs_ticket_priority=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        self._set(crm_id, hubspot_owner_id=owner)

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        """An e-mail to the customer where it is public."""
        values = {"hs_email_text": text, "hs_email_direction": "EMAIL"} if public else {"hs_note_body": f"<p>{escape(text)}</p>"}
        note = self.portal.create("emails" if public else "notes", {"hs_timestamp": self.now.isoformat(), **values}, PERSON)
        self.portal.associate(note, self.portal.find("tickets", crm_id))

    def merge_case(self, crm_id: str, into: str) -> None:
        self.portal.merge("tickets", into, crm_id, PERSON)

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.portal.locked[crm_id] = times

    # Webhooks.
    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        events: Mapping[str, dict[str, Any]] = {
            "case": {"subscriptionType": "ticket.propertyChange", "propertyName": "hs_ticket_priority", "propertyValue": "LOW"},
            "contact": {"subscriptionType": "contact.creation"},
            "account": {"subscriptionType": "company.propertyChange", "propertyName": "cx_tier", "propertyValue": "strategic"},
            "deleted": {"subscriptionType": "ticket.deletion"},
        }  # fmt: skip
        return signed(self.now, [event(self.now, crm_id, **events[kind])]) if kind in events else None


def event(now: datetime, crm_id: str, **more: Any) -> dict[str, Any]:
    return {
        "eventId": 100, "subscriptionId": 77, "portalId": int(PORTAL_ID), "appId": int(APP_ID), "occurredAt": int(now.timestamp() * 1_000),
        "attemptNumber": 0, "objectId": int(crm_id), "changeSource": "CRM_UI", "sourceId": "userId:77", **more,
    }  # fmt: skip


def signed(now: datetime, events: Any, url: str = WEBHOOK_URL, **settings: Any) -> tuple[WebhookRequest, Source]:
    body, moment = json.dumps(events).encode(), str(int(now.timestamp() * 1_000))
    signature = base64.b64encode(hmac.digest(WEBHOOK_SECRET.encode(), f"POST{url}".encode() + body + moment.encode(), hashlib.sha256)).decode()
    headers = {"Content-Type": "application/json", "X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": moment}
    return WebhookRequest("POST", url, headers, body, now), Source("main", "acme", secrets=(WEBHOOK_SECRET,), settings=settings)


@contextmanager
def world() -> Iterator[HubSpotWorld]:
    with hubspot() as simulator:
        yield HubSpotWorld(simulator)
