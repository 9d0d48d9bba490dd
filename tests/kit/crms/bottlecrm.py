"""BottleCRM, over HTTP to the simulator, or to the real one behind it. What people do there goes through its API, with a person's own token."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import bottlecrm as adapter
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.bottlecrm import Simulated, by_status
from tests.kit.crms import IMPATIENT, NOW, StoredCase
from tests.kit.scenes import SCHEMA
from tests.kit.simulated import serving

PRIORITIES = {"P1": "Urgent", "P2": "High", "P3": "Normal", "P4": "Low"}
MODELS = {"case": "Case", "contact": "Contact", "account": "Account"}
PROFILE = ("sentiment", "sentiment_trend", "last_nps", "last_csat", "last_ces", "unanswered", "channels", "last_contact", "health")
# A second address has a field of its own here: BottleCRM knows one, and no other contact may have it.
SETTINGS = {"handle_fields": {"email": "cx_second_email"}}
SHIPPED = {"handle_fields": {"email": ""}}
SECRET, URL = "bottle-endpoint-secret-of-32-chars", "https://hooks.example.com/webhooks/crm/bottlecrm"
MANY = 60  # cases beyond which their notes are not read


class BottleWire:
    reading, writing, noting = "GET .*/contacts/|GET .*/accounts/", "(POST|PATCH) .*/cases/([^/]+/)?$", "POST .*/cases/[^/]+/$"

    def __init__(self, simulator: Any) -> None:
        self._faults = simulator.faults

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None:
        self._faults.add("answer", match, status=status, headers=dict(headers or {}), times=times, body=by_status(status))

    def break_off(self, match: str, kind: str, **values: Any) -> None:
        if kind == "redirect":
            self.answer(match, 302, {"Location": "http://localhost:9/elsewhere"})
        else:
            self._faults.add(kind, match, **values)


LACKS = {
    "lock": "it locks no rows for longer than a request",
    "parts": "each request is one thing",
    "webhook deleted": "it has no event for it",
}


class BottleWorld:
    """`simulator` is a `Simulated`, or what speaks with the real one in its place."""

    def __init__(self, simulator: Any) -> None:
        self.simulator, self.wire, self.now = simulator, BottleWire(simulator), NOW
        simulator.set_time(NOW)
        self._named = 0
        for step in self.adapter().plan(SCHEMA):
            self._do("POST", "custom-fields", step.data)
        simulator.calls.clear()

    def clock(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.simulator.set_time(self.now)

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        given, limits = {"instance_url": self.simulator.url, **SETTINGS, **settings}, IMPATIENT if impatient else Limits()
        return adapter.create(given, {"token": self.simulator.caseline.token}, session=session, clock=self.clock, limits=limits)

    def calls(self) -> int:
        return len(self.simulator.calls)

    def expire_login(self) -> None:
        """A personal access token stands until somebody revokes it."""

    def refuse_login(self) -> None:
        self.simulator.refused = True

    def _do(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        status, answer = self.simulator.direct(method, path, body, **query)
        assert status in (200, 201), (method, path, status, answer)
        return answer

    # Records.
    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        """No two have one name."""
        taken = any(row["name"] == name for row in self._do("GET", "accounts", name=name, limit=100)["active_accounts"]["open_accounts"])
        self._named += 1
        custom = {"cx_tier": tier, "cx_renewal_date": renewal_date}
        account_id = str(self._do("POST", "accounts", {"name": f"{name} {self._named}" if taken else name, "custom_fields": custom})["id"])
        if deal_value:
            deal = {"name": f"Deal {self._named}", "account": account_id, "amount": deal_value, "stage": "CLOSED_WON", "closed_on": "2026-11-01"}
            self._do("POST", "opportunities", deal)
        return account_id

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        taken = bool(email) and bool(self._do("GET", "contacts", email=email)["results"])
        slots = {("cx_x_handle" if each.startswith("x:@") else "cx_x"): each.removeprefix("x:") for each in handles.split(";") if each.startswith("x:")}
        custom = {"cx_handles": handles, "cx_second_email": email if taken else "", **slots}
        body = {"first_name": name, "last_name": "-", "email": "" if taken else email, "phone": phone, "account": account_id, "custom_fields": custom}
        return str(self._do("POST", "contacts", {key: value for key, value in body.items() if value})["id"])

    def contacts(self) -> int:
        return int(self._do("GET", "contacts", limit=1_000)["contacts_count"])

    def set_tier(self, account_id: str, tier: str) -> None:
        self._do("PATCH", f"accounts/{account_id}", {"custom_fields": {"cx_tier": tier}})

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return _profile(self._do("GET", f"contacts/{contact_id}")["contact_obj"])

    def account_values(self, account_id: str) -> dict[str, Any]:
        return _profile(self._do("GET", f"accounts/{account_id}")["account_obj"])

    def drop_field(self, entity: str, key: str) -> None:
        name = "cx_lifecycle" if key == "lifecycle_stage" else f"cx_{key}"
        rows = self._do("GET", "custom-fields", target_model=MODELS[entity])["definitions"]
        [row] = [row for row in rows if (row["target_model"], row["key"]) == (MODELS[entity], name)]
        self._do("DELETE", f"custom-fields/{row['id']}")

    # Cases.
    def cases(self) -> list[StoredCase]:
        rows = self._do("GET", "cases", slim="true", limit=1_000)["cases"]
        return [self._stored(row, len(rows) <= MANY) for row in rows]

    def _stored(self, row: Mapping[str, Any], with_notes: bool) -> StoredCase:
        body = self._do("GET", f"cases/{row['id']}") if with_notes else {"comments": [], "internal_notes": []}
        said = [body.get("cases_obj", {}).get("description") or "", row["custom_fields"].get("cx_notes") or ""] if with_notes else []
        first = [text for text in said if "[cx:" in text]
        notes = [*first, *(note["comment"] for note in (*body["comments"], *body["internal_notes"]))]
        custom, assigned = row["custom_fields"], row["assigned_to"]
        return StoredCase(
            row["id"], custom.get("cx_case_key", ""), int(custom.get("cx_version", 0)), int(custom.get("cx_score", 0)), custom.get("cx_band", ""),
            custom.get("cx_reasons", ""), notes, "closed" if row["status"] == "Closed" else "open", assigned[0]["id"] if assigned else "", row["priority"],
        )  # fmt: skip

    def _set(self, crm_id: str, **values: Any) -> None:
        self._do("PATCH", f"cases/{crm_id}", values)

    def lose_case(self, crm_id: str) -> None:
        self._do("DELETE", f"cases/{crm_id}")

    def hide_case(self, crm_id: str) -> None:
        """Deleted in a list, which only hides it."""
        self._do("POST", "cases/bulk/delete", {"ids": [crm_id]})

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._set(crm_id, status="Closed", **({"custom_fields": {"cx_outcome": outcome}} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, status="Assigned")

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, priority=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        self._set(crm_id, assigned_to=[self.simulator.person.profile])

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self._do("POST", f"cases/{crm_id}", {"comment": text, "is_internal": not public})

    def merge_case(self, crm_id: str, into: str) -> None:
        self._do("POST", f"cases/{crm_id}/merge/{into}")

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        raise NotImplementedError

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        events: Mapping[str, tuple[str, dict[str, Any]]] = {
            "case": ("ticket.updated", {"id": crm_id, "status": "Closed", "priority": "Low"}),
            "comment": ("ticket.comment_added", {"id": "5e0c0f5e-8a52-4c31-9d0c-6d2b6f1f7c11", "ticket_id": crm_id, "comment": "called back"}),
            "contact": ("contact.created", {"id": crm_id, "first_name": "Ann", "email": "ann@example.com"}),
            "account": ("account.updated", {"id": crm_id, "name": "Globex"}),
        }  # fmt: skip
        return signed(self.now, *events[kind]) if kind in events else None


def _profile(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row["custom_fields"][f"cx_{name}"] for name in PROFILE if f"cx_{name}" in row["custom_fields"]}


def signed(now: datetime, event: str, data: Mapping[str, Any]) -> tuple[WebhookRequest, Source]:
    """As BottleCRM's worker sends it."""
    told = {"id": "0b8f6a52-6f3c-4f39-8a63-5b6a1c0f2d77", "event": event, "created_at": now.isoformat(), "org_id": "2f0e", "data": dict(data)}
    body, moment = json.dumps(told, separators=(",", ":")).encode(), str(int(now.timestamp()))
    signature = hmac.digest(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hex()
    headers = {"Content-Type": "application/json", "X-BottleCRM-Event": event, "X-BottleCRM-Signature": f"t={moment},v1={signature}"}
    return WebhookRequest("POST", URL, headers, body, now), Source("bottlecrm", "acme", secrets=(SECRET,))


@contextmanager
def world() -> Iterator[BottleWorld]:
    simulator = Simulated()
    with serving(simulator):
        yield BottleWorld(simulator)
