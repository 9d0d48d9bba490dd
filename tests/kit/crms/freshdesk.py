"""Freshdesk, over HTTP to the simulator. Its account is set up as infra/crm/freshdesk says; handles of contacts are their tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from html import escape
from typing import Any

from caseline.crm._schema import OF_ACCOUNTS, OF_CONTACTS
from caseline.crm.freshdesk._settings import ACCOUNT_FIELDS, CASE_FIELDS, NATIVE
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import StoredCase
from tests.kit.crms._http import HttpWorld
from tests.kit.freshdesk import AGENT, API_KEY, ME, Desk, Simulator, by_status, freshdesk
from tests.kit.simulated import FaultyWire

SECRET, STRANGER = {"api_key": API_KEY}, "caseline-stranger"
PRIORITIES = {"P1": 4, "P2": 3, "P3": 2, "P4": 1}
CHOICES = {"band": list(PRIORITIES), "outcome": ["valid", "not_an_issue"], "sentiment_trend": ["rising", "steady", "falling"]}
TYPES = {
    **dict.fromkeys(("version", "score", "last_nps", "unanswered", "health", "purchases"), "custom_number"),
    **dict.fromkeys(("sentiment", "last_csat", "last_ces", "deal_value", "annual_revenue"), "custom_decimal"),
    **dict.fromkeys(("reasons", "link", "notes"), "custom_paragraph"),
}  # fmt: skip
ENTITIES = {"case": "ticket", "contact": "contact", "account": "company"}
READING, WRITING, NOTING = "/search/contacts", "(POST|PUT) .*/tickets", "POST .*/notes"
WEBHOOK_SECRET, WEBHOOK_URL = "freshdesk-rule-token-of-ours", "https://hooks.example.com/webhooks/crm/freshdesk"


def set_up(desk: Desk) -> None:
    for kind, names in (("ticket", CASE_FIELDS.values()), ("contact", [*OF_CONTACTS, "saved_at"]), ("company", [*OF_ACCOUNTS, "saved_at"])):
        for name in names:
            add_field(desk, kind, name)
    for name in ACCOUNT_FIELDS.values():
        if name not in NATIVE:
            add_field(desk, "company", name)


def add_field(desk: Desk, kind: str, name: str) -> None:
    key = name.removeprefix("cf_").removeprefix("cx_")
    choices = [{"value": value, "position": 1} for value in CHOICES.get(key, ())]
    desk.add_field(kind, {"label": f"cx {key.replace('_', ' ')}", "type": "custom_dropdown" if choices else TYPES.get(key, "custom_text"), "choices": choices})


LACKS = {
    "merge": "of a merge its API tells no more than that a ticket was closed",
    "parts": "each request is one thing",
    "lock": "it locks no tickets",
    "drop contact.handles": "handles are tags",
    "drop account.tier": "the tier is Freshdesk's own field",
    **{f"webhook {kind}": "its automations are set up for tickets" for kind in ("comment", "contact", "account", "deleted")},
}


SHIPPED = {"count_cases": False}


class FreshdeskWorld(HttpWorld):
    name = "freshdesk"
    secret = SECRET

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.desk, self.wire = simulator, simulator.desk, FaultyWire(simulator.faults, READING, WRITING, NOTING, by_status)
        self.desk.clock = self.clock
        set_up(self.desk)
        self._owners: dict[str, int] = {}

    def settings(self) -> Mapping[str, Any]:
        return {"user_id": str(ME), "count_cases": True}

    def calls(self) -> int:
        return len(self.simulator.calls)

    def expire_login(self) -> None:
        """A key does not run out."""

    def refuse_login(self) -> None:
        self.simulator.api_key = "another"

    # Records.
    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        taken = sum(row["name"].partition(" #")[0] == name for row in self.desk.companies.values())
        values = {"account_tier": tier, "renewal_date": renewal_date and f"{renewal_date}T00:00:00Z"}
        fields = {"custom_fields": {"cx_deal_value": deal_value}} if deal_value else {}
        given = {"name": f"{name} #{taken}" if taken else name, **{key: value for key, value in values.items() if value}, **fields}
        return str(self.desk.add_company(given)["id"])

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        """An address is one contact's alone: another who shares it has it as a tag."""
        taken = any(email and email == row["email"] for row in self.desk.contacts.values())
        tags = [*filter(None, handles.split(";")), *([f"email:{email}"] if taken else [])]
        values = {"email": "" if taken else email, "phone": phone, "company_id": int(account_id) if account_id else None, "tags": tags}
        given = {key: value for key, value in values.items() if value}
        known = any(given.get(key) for key in ("email", "phone"))
        return str(self.desk.add_contact({"name": name, **given, **({} if known else {"unique_external_id": f"kit-{self.desk.next_id()}"})})["id"])

    def contacts(self) -> int:
        """Without the one who stands for strangers."""
        return sum(row["unique_external_id"] != STRANGER for row in self.desk.contacts.values())

    def set_tier(self, account_id: str, tier: str) -> None:
        self.desk.update_company(self.desk.companies[int(account_id)], {"account_tier": tier})

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return _profile(self.desk.contacts[int(contact_id)])

    def account_values(self, account_id: str) -> dict[str, Any]:
        return _profile(self.desk.companies[int(account_id)])

    def drop_field(self, entity: str, key: str) -> None:
        if f"drop {entity}.{key}" in LACKS:
            raise NotImplementedError
        self.desk.drop_field(ENTITIES[entity], f"{'cf_' if entity == 'case' else ''}cx_{key}")

    # Cases.
    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.desk.live()]

    def _stored(self, row: dict[str, Any]) -> StoredCase:
        own = {name: row["custom_fields"].get(field) for name, field in CASE_FIELDS.items()}
        first = [text for text in (row["description_text"], own["notes"] or "") if "[cx:" in text]
        notes = [*first, *(said["body_text"] for said in self.desk.conversations[row["id"]])]
        return StoredCase(
            str(row["id"]), own["case_key"] or "", own["version"] or 0, own["score"] or 0, own["band"] or "", own["reasons"] or "",
            notes, "closed" if row["status"] in (4, 5) else "open",
            str(row["responder_id"] or ""), str(row["priority"]),
        )  # fmt: skip

    def _set(self, crm_id: str, **values: Any) -> None:
        self.desk.update(self.desk.find(int(crm_id)), values)

    def lose_case(self, crm_id: str) -> None:
        self.desk.delete(self.desk.find(int(crm_id)))

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._set(crm_id, status=5, custom_fields={CASE_FIELDS["outcome"]: outcome} if outcome else {})

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, status=2)

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, priority=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        if owner not in self._owners:
            self._owners[owner] = self.desk.next_id()
            self.desk.agents[self._owners[owner]] = {"id": self._owners[owner], "contact": {"name": owner}}
        self._set(crm_id, responder_id=self._owners[owner])

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self.desk.say(self.desk.find(int(crm_id)), AGENT, escape(text), private=not public)

    def merge_case(self, crm_id: str, into: str) -> None:
        raise NotImplementedError

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        raise NotImplementedError

    # Webhooks.
    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        if kind != "case":
            return None
        return pushed(self.now, {"ticket_id": int(crm_id), "ticket_status": "Closed", "ticket_priority": "Low", "ticket_cf_cx_case_key": "cx-0123456789abcdef"})


def _profile(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row["custom_fields"][f"cx_{name}"] for name in OF_CONTACTS if row["custom_fields"].get(f"cx_{name}") is not None}


def pushed(now: datetime, ticket: Any, **settings: Any) -> tuple[WebhookRequest, Source]:
    headers = {"Content-Type": "application/json", "X-Caseline-Token": WEBHOOK_SECRET}
    request = WebhookRequest("POST", WEBHOOK_URL, headers, json.dumps({"freshdesk_webhook": ticket}).encode(), now)
    return request, Source("freshdesk", "acme", secrets=(WEBHOOK_SECRET,), settings=settings)


@contextmanager
def world() -> Iterator[FreshdeskWorld]:
    with freshdesk() as simulator:
        yield FreshdeskWorld(simulator)
