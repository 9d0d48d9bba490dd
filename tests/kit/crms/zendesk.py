"""Zendesk, over HTTP to the simulator. Its account is set up as infra/crm/zendesk says, and the settings name the ticket fields as they stand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from caseline.crm._schema import OF_ACCOUNTS, OF_CONTACTS
from caseline.crm.zendesk._settings import ACCOUNT_FIELDS, CASE_FIELDS, option_of, title_of
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import StoredCase
from tests.kit.crms._http import HttpWorld
from tests.kit.simulated import FaultyWire
from tests.kit.zendesk import AGENT, CLIENT_ID, CLIENT_SECRET, ME, Desk, Simulator, by_status, zendesk

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
PRIORITIES = {"P1": "urgent", "P2": "high", "P3": "normal", "P4": "low"}
CHOICES = {
    "band": list(PRIORITIES), "outcome": ["valid", "not_an_issue"], "sentiment_trend": ["rising", "steady", "falling"],
    "tier": ["strategic", "enterprise", "mid", "smb", "trial"],
}  # fmt: skip
TYPES = {
    **dict.fromkeys(("version", "score", "last_nps", "unanswered", "health", "purchases"), "integer"), "renewal_date": "date",
    **dict.fromkeys(("sentiment", "last_csat", "last_ces", "deal_value", "annual_revenue"), "decimal"),
    **dict.fromkeys(("reasons", "noted", "handles"), "textarea"),
}  # fmt: skip
ENTITIES = {"case": "ticket_field", "contact": "user_field", "account": "organization_field"}
READING, WRITING, NOTING = "/search", "(POST|PUT) .*/tickets", "PUT .*/tickets/"
WEBHOOK_SECRET, WEBHOOK_URL = "zendesk-webhook-signing-secret", "https://hooks.example.com/webhooks/crm/zendesk"


def set_up(desk: Desk) -> None:
    for name in CASE_FIELDS:
        add_field(desk, "ticket_field", name, "tagger")
    for name in ("handles", *OF_CONTACTS):
        add_field(desk, "user_field", name, "dropdown")
    for name, key in {**ACCOUNT_FIELDS, **{name: f"cx_{name}" for name in OF_ACCOUNTS}}.items():
        add_field(desk, "organization_field", name, "dropdown", key)


def add_field(desk: Desk, kind: str, name: str, choice: str, key: str = "") -> None:
    options = [{"name": value, "value": option_of(name, value)} for value in CHOICES.get(name, ())]
    values = {"type": choice if options else TYPES.get(name, "text"), "title": title_of((key or name).removeprefix("cx_")), "custom_field_options": options}
    desk.add_field(kind, values if kind == "ticket_field" else {**values, "key": key or f"cx_{name}"})


LACKS = {"parts": "each request is one thing", "drop case.case_key": "external_id is Zendesk's own"}


class ZendeskWorld(HttpWorld):
    name = "zendesk"
    secret = SECRET

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.desk, self.wire = simulator, simulator.desk, FaultyWire(simulator.faults, READING, WRITING, NOTING, by_status)
        self.desk.clock = self.clock
        set_up(self.desk)
        self._owners: dict[str, int] = {}

    def numbers(self) -> dict[str, str]:
        """Of the ticket fields as they stand; one that is gone is done without."""
        titles = {row["title"]: str(number) for number, row in self.desk.fields["ticket_field"].items()}
        return {name: titles[title_of(name)] for name in CASE_FIELDS if title_of(name) in titles}

    def settings(self) -> Mapping[str, Any]:
        return {"case_fields": self.numbers(), "user_id": str(ME)}

    def refuse_login(self) -> None:
        self.simulator.client_secret = "another"

    # Records.
    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        taken = sum(row["name"].partition(" #")[0] == name for row in self.desk.organizations.values())
        fields = {"cx_tier": tier and option_of("tier", tier), "cx_deal_value": deal_value, "cx_renewal_date": renewal_date}
        values = {key: value for key, value in fields.items() if value}
        return str(self.desk.add_organization(name=f"{name} #{taken}" if taken else name, organization_fields=values)["id"])

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        """An address is one user's alone: another who shares it has it among the handles."""
        taken = any(email and email == user["email"] for user in self.desk.users.values())
        handles = ";".join(filter(None, [handles, f"email:{email}" if taken else ""]))
        values = {"email": "" if taken else email, "phone": phone, "organization_id": int(account_id) if account_id else None}
        fields = {"cx_handles": handles} if handles else {}
        return str(self.desk.add_user(name=name, user_fields=fields, **{key: value for key, value in values.items() if value})["id"])

    def contacts(self) -> int:
        return sum(user["role"] == "end-user" for user in self.desk.users.values())

    def set_tier(self, account_id: str, tier: str) -> None:
        self.desk.update_organization(self.desk.organizations[int(account_id)], {"organization_fields": {"cx_tier": option_of("tier", tier)}})

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return _profile(self.desk.users[int(contact_id)]["user_fields"])

    def account_values(self, account_id: str) -> dict[str, Any]:
        return _profile(self.desk.organizations[int(account_id)]["organization_fields"])

    def drop_field(self, entity: str, key: str) -> None:
        if (entity, key) == ("case", "case_key"):
            raise NotImplementedError
        self.desk.drop_field(ENTITIES[entity], title_of(key))

    # Cases.
    def cases(self) -> list[StoredCase]:
        return [self._stored(ticket) for ticket in self.desk.live()]

    def _stored(self, ticket: dict[str, Any]) -> StoredCase:
        own = {name: ticket["custom"].get(int(number)) for name, number in self.numbers().items()}
        band = str(own.get("band") or "").removeprefix("cx_band_").upper()
        bodies = [comment["body"] for comment in self.desk.comments[ticket["id"]]]
        return StoredCase(
            str(ticket["id"]), ticket["external_id"] or "", int(own.get("version") or 0), int(own.get("score") or 0), band, own.get("reasons") or "",
            [bodies[0]] * ("[cx:" in bodies[0]) + bodies[1:],
            "closed" if ticket["status"] in ("solved", "closed") else "open", str(ticket["assignee_id"] or ""), ticket["priority"] or "",
        )  # fmt: skip

    def _set(self, crm_id: str, **values: Any) -> None:
        self.desk.update(self.desk.find(int(crm_id)), AGENT, values)

    def lose_case(self, crm_id: str) -> None:
        self.desk.delete(self.desk.find(int(crm_id)))

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        fields = [{"id": int(self.numbers()["outcome"]), "value": option_of("outcome", outcome)}] if outcome else []
        self._set(crm_id, status="solved", assignee_id=AGENT, custom_fields=fields)

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, status="open")

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, priority=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        if owner not in self._owners:
            self._owners[owner] = self.desk.add_user(name=owner, role="agent", email=f"{owner}@acme.example")["id"]
        self._set(crm_id, assignee_id=self._owners[owner])

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self._set(crm_id, comment={"body": text, "public": public})

    def merge_case(self, crm_id: str, into: str) -> None:
        self.desk.merge(self.desk.find(int(crm_id)), self.desk.find(int(into)))

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.desk.locked[int(crm_id)] = times

    # Webhooks.
    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        events: Mapping[str, tuple[str, dict[str, Any]]] = {
            "case": ("ticket.priority_changed", {"current": "LOW", "previous": "URGENT"}),
            "comment": ("ticket.comment_added", {"comment": {
                "id": "77", "body": "called back", "is_public": False, "author": {"id": str(AGENT), "is_staff": True, "name": "Mara"},
            }}),
            "contact": ("user.identity_created", {"identity": {"id": "5", "type": "email"}}),
            "account": ("organization.custom_field_changed", {
                "current": "cx_tier_strategic", "previous": "", "field": {"id": "9", "title": "Caseline tier", "type": "dropdown"},
            }),
            "deleted": ("ticket.soft_deleted", {}),
        }  # fmt: skip
        if kind not in events:
            return None
        name, event = events[kind]
        detail = {"id": crm_id, "updated_at": self.now.isoformat()}
        if name.startswith("ticket."):
            detail |= {"external_id": "cx-0123456789abcdef", "tags": ["caseline"], "actor_id": str(AGENT), "requester_id": "5", "status": "OPEN"}
        return signed(self.now, {
            "type": f"zen:event-type:{name}", "id": "2b24ef10-19d4-4740-93cf-8f98ec4776c0", "time": self.now.isoformat(), "account_id": 22129848,
            "zendesk_event_version": "2022-06-20", "subject": f"zen:{name.partition('.')[0]}:{crm_id}", "detail": detail, "event": event,
        })  # fmt: skip


def _profile(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: values[f"cx_{name}"] for name in OF_CONTACTS if values.get(f"cx_{name}") is not None}
    return {name: value.removeprefix(f"cx_{name}_") if name == "sentiment_trend" else value for name, value in found.items()}


def signed(now: datetime, body: Any, **settings: Any) -> tuple[WebhookRequest, Source]:
    raw, moment = json.dumps(body).encode(), f"{now:%Y-%m-%dT%H:%M:%SZ}"
    signature = base64.b64encode(hmac.digest(WEBHOOK_SECRET.encode(), moment.encode() + raw, hashlib.sha256)).decode()
    headers = {"Content-Type": "application/json", "X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": moment}
    return WebhookRequest("POST", WEBHOOK_URL, headers, raw, now), Source("zendesk", "acme", secrets=(WEBHOOK_SECRET,), settings=settings)


@contextmanager
def world() -> Iterator[ZendeskWorld]:
    with zendesk() as simulator:
        yield ZendeskWorld(simulator)
