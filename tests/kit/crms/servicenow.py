"""ServiceNow, over HTTP to the simulator, with the fields of ours in its dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import StoredCase
from tests.kit.crms._http import HttpWorld, sent_with_password
from tests.kit.servicenow import BRIDGE, CLIENT_ID, CLIENT_SECRET, PERSON, Simulator, by_status, servicenow
from tests.kit.simulated.wire import FaultyWire

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
CASE, CONTACT, ACCOUNT = "sn_customerservice_case", "customer_contact", "customer_account"
PRIORITIES = {"P1": "1", "P2": "2", "P3": "3", "P4": "4"}
TABLES = {"case": CASE, "contact": CONTACT, "account": ACCOUNT}
SHARED = {"sentiment": "decimal", "sentiment_trend": "string", "unanswered": "integer", "last_contact": "glide_date_time", "health": "integer"}
PROFILE = {**SHARED, "last_nps": "integer", "last_csat": "decimal", "last_ces": "decimal", "channels": "string"}
OURS: Mapping[str, Mapping[str, str]] = {
    CASE: {
        "version": "integer", "score": "integer", "band": "string", "headline": "string", "reasons": "string", "category": "string", "queue": "string",
        "link": "url", "outcome": "string",
    },
    CONTACT: {"handles": "string", "customer_key": "string", **PROFILE},
    ACCOUNT: {"tier": "string", "product_tier": "string", "lifecycle": "string", **SHARED},
}  # fmt: skip
LENGTHS = {"headline": 255, "reasons": 32_768, "category": 255, "queue": 80, "band": 40, "customer_key": 64, "handles": 4_096, "channels": 255}
WEBHOOK_SECRET, WEBHOOK_URL = "servicenow-webhook-secret", "https://hooks.example.com/webhooks/crm/main"
READING, WRITING, NOTING = "GET .*/table/customer_contact", f"(POST|PATCH) .*/table/{CASE}", f"PATCH .*/table/{CASE}"
LACKS = {
    "merge": "it has no merge that leaves a trace",
    "lock": "it locks no records",
    "take back": "its journals keep every entry",
    "drop case.case_key": "correlation_id is ServiceNow's own",
}


class ServiceNowWorld(HttpWorld):
    name = "servicenow"
    secret = SECRET

    def __init__(self, simulator: Simulator) -> None:
        self.simulator, self.instance, self.wire = simulator, simulator.instance, FaultyWire(simulator.faults, READING, WRITING, NOTING, by_status)
        self.instance.clock = self.clock
        for table, fields in OURS.items():
            for name, kind in fields.items():
                self.instance.add_field(table, f"u_cx_{name}", kind, LENGTHS.get(name, 0))

    def settings(self) -> Mapping[str, Any]:
        return {"user": BRIDGE}

    def refuse_login(self) -> None:
        self.simulator.secret = "another"

    # Records.
    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account = self.instance.insert(ACCOUNT, {"name": name, "u_cx_tier": tier}, PERSON)["sys_id"]
        if deal_value or renewal_date:
            self.instance.insert("ast_contract", {"account": account, "state": "active", "ends": renewal_date, "total_cost": deal_value}, PERSON)
        return account

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        values = {"last_name": name, "account": account_id, "email": email, "phone": phone, "u_cx_handles": handles}
        return self.instance.insert(CONTACT, values, PERSON)["sys_id"]

    def contacts(self) -> int:
        return len(self.instance.rows(CONTACT))

    def set_tier(self, account_id: str, tier: str) -> None:
        self.instance.update(ACCOUNT, account_id, {"u_cx_tier": tier}, PERSON)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return self._profile(CONTACT, contact_id)

    def account_values(self, account_id: str) -> dict[str, Any]:
        return self._profile(ACCOUNT, account_id)

    def _profile(self, table: str, sys_id: str) -> dict[str, Any]:
        row = self.instance.find(table, sys_id)
        values = {name: row[f"u_cx_{name}"] for name in PROFILE if f"u_cx_{name}" in row}
        return {name: f"{value}+00:00" if name == "last_contact" and value else value for name, value in values.items()}

    def drop_field(self, entity: str, key: str) -> None:
        if key == "case_key":
            raise NotImplementedError
        self.instance.drop_field(TABLES[entity], f"u_cx_{key}")

    # Cases.
    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.instance.rows(CASE)]

    def _stored(self, row: Mapping[str, str]) -> StoredCase:
        notes = [each["value"] for each in self.instance.rows("sys_journal_field") if each["element_id"] == row["sys_id"]]
        apart = [part for note in notes for part in note.split("]\n\n")]
        values = {name: row.get(f"u_cx_{name}", "") for name in ("version", "score", "band", "reasons")}
        return StoredCase(
            row["sys_id"], row.get("correlation_id", ""), int(values["version"] or 0), int(values["score"] or 0), values["band"], values["reasons"], apart,
            "open" if row["active"] == "true" else "closed", row.get("assigned_to", ""), row["priority"],
        )  # fmt: skip

    def _set(self, crm_id: str, **values: str) -> None:
        self.instance.update(CASE, crm_id, values, PERSON)

    def lose_case(self, crm_id: str) -> None:
        self.instance.delete(CASE, crm_id, PERSON)

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._set(crm_id, state="3", resolution_code="1", close_notes="done", **({"u_cx_outcome": outcome} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, state="10")

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, priority=PRIORITIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        known = next((row["sys_id"] for row in self.instance.rows("sys_user") if row.get("user_name") == owner), "")
        self._set(crm_id, assigned_to=known or self.instance.insert("sys_user", {"user_name": owner, "name": owner}, PERSON)["sys_id"])

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self._set(crm_id, **{"comments" if public else "work_notes": text})

    def merge_case(self, crm_id: str, into: str) -> None:
        raise NotImplementedError

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        raise NotImplementedError

    # Webhooks.
    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        stamp = f"{self.now:%Y-%m-%d %H:%M:%S}"
        record = {"sys_id": crm_id, "sys_updated_on": stamp, "sys_updated_by": PERSON}
        entry = {"sys_id": "e" * 32, "sys_created_on": stamp, "sys_created_by": PERSON, "element": "comments", "element_id": crm_id, "value": "we are sorry"}
        sent: Mapping[str, tuple[str, str, dict[str, Any]]] = {
            "case": (CASE, "update", {**record, "correlation_id": "cx-1", "state": "10", "priority": "4", "u_cx_band": "P1"}),
            "comment": ("sys_journal_field", "insert", {**entry, "case_key": "cx-1"}),
            "contact": (CONTACT, "insert", {**record, "last_name": "Ann"}),
            "account": (ACCOUNT, "update", {**record, "u_cx_tier": "strategic"}),
            "deleted": (CASE, "delete", record),
        }
        table, operation, row = sent[kind]
        return signed(self.now, {"table": table, "operation": operation, "record": row})


def signed(now: datetime, body: Any, url: str = WEBHOOK_URL, **settings: Any) -> tuple[WebhookRequest, Source]:
    return sent_with_password(now, body, url, WEBHOOK_SECRET, settings)


@contextmanager
def world() -> Iterator[ServiceNowWorld]:
    with servicenow() as simulator:
        yield ServiceNowWorld(simulator)
