"""A CRM that a mapping describes, over HTTP to the simulator of one: an in-house CRM called Backoffice."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import rest as adapter
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import IMPATIENT, NOW, StoredCase
from tests.kit.rest import CLIENT_ID, CLIENT_SECRET, Backoffice, by_status, mapping
from tests.kit.simulated import FaultyWire, serving

SECRET = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
WEBHOOK_SECRET = "a-secret-for-the-news-of-backoffice"
GRADES = {"strategic": "A", "enterprise": "B", "mid": "C", "smb": "D", "trial": "T"}
URGENCIES = {"P1": "urgent", "P2": "high", "P3": "normal", "P4": "low"}
OUTCOMES = {"valid": "justified", "not_an_issue": "unjustified"}
TYPES = {"case": "ticket.changed", "comment": "note.added", "contact": "person.changed", "account": "customer.changed", "deleted": "ticket.removed"}
LACKS = {
    "parts": "each request is one thing",
    "drop": "who runs the CRM keeps its mapping right",
    "plan": "what lacks is seen in the mapping",
    "apply": "a mapping makes no fields",
}


class RestWorld:
    def __init__(self, simulator: Backoffice | None = None) -> None:
        self.now = NOW
        self.simulator = simulator or Backoffice(self.clock)
        self.wire = FaultyWire(self.simulator.faults, "GET .*/people", "(POST|PATCH) .*/tickets", "PATCH .*/tickets/", by_status)

    def clock(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        secret = settings.pop("secret", SECRET)
        given = {"instance_url": self.simulator.url, "prefix": "/api/v2", "mapping": mapping(), "currency": "EUR", **settings}
        return adapter.create(given, secret, session=session, clock=self.clock, limits=IMPATIENT if impatient else Limits())

    def calls(self) -> int:
        return len([call for call in self.simulator.calls if not call.path.endswith("/oauth/token")])

    def expire_login(self) -> None:
        self.simulator.tokens.clear()

    def refuse_login(self) -> None:
        self.simulator.proofs.clear()

    # ---- what people do

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        values = {"name": name, "grade": GRADES.get(tier), "won_total": float(deal_value) if deal_value else None, "contract_ends": renewal_date or None}
        return str(self.simulator.add("customers", values)["id"])

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        lists = {"mail": [email] if email else [], "tel": [phone] if phone else [], "handles": handles.split(";") if handles else []}
        return str(self.simulator.add("people", {"display": name, "customer_id": account_id or None, **lists})["id"])

    def _set(self, crm_id: str, **values: Any) -> None:
        self.simulator.edit("tickets", crm_id, values)

    def lose_case(self, crm_id: str) -> None:
        self.simulator.remove("tickets", crm_id)

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self._set(crm_id, state="done", resolution="by hand", **({"verdict": OUTCOMES[outcome]} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self._set(crm_id, state="working")

    def set_band(self, crm_id: str, band: str) -> None:
        self._set(crm_id, urgency=URGENCIES[band])

    def set_owner(self, crm_id: str, owner: str) -> None:
        self._set(crm_id, assignee=f"u-{owner}")

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self.simulator.add("notes", {"ticket_id": crm_id, "text": text, "public": public})

    def merge_case(self, crm_id: str, into: str) -> None:
        self._set(crm_id, merged_into=into)

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.simulator.locks[crm_id] = times

    def set_tier(self, account_id: str, tier: str) -> None:
        self.simulator.edit("customers", account_id, {"grade": GRADES[tier]})

    def drop_field(self, entity: str, key: str) -> None:
        raise NotImplementedError

    # ---- what stands

    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.simulator.tables["tickets"].values()]

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        ours, notes = row["caseline"] or {}, [note["text"] for note in self.simulator.notes(row["id"])]
        return StoredCase(
            row["id"], row["external_ref"] or "", ours.get("version", 0), ours.get("score", 0), ours.get("band", ""), ours.get("reasons", ""), notes,
            "closed" if row["state"] in ("done", "cancelled") else "open", row["assignee"] or "", row["urgency"] or "",
        )  # fmt: skip

    def contacts(self) -> int:
        return len(self.simulator.tables["people"])

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return dict(self.simulator.tables["people"][contact_id]["mood"] or {})

    def account_values(self, account_id: str) -> dict[str, Any]:
        return dict(self.simulator.tables["customers"][account_id]["mood"] or {})

    # ---- what is pushed

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        if kind not in TYPES:
            return None
        stamp = {"id": crm_id, "edited_at": self.now.isoformat(), "edited_by": "ann"}
        rows: Mapping[str, dict[str, Any]] = {
            "case": {**stamp, "external_ref": "cx-0123456789abcdef", "state": "working", "urgency": "low", "caseline": {"band": "P1"}},
            "comment": {**stamp, "id": "n-7", "ticket_id": crm_id, "external_ref": "cx-0123456789abcdef", "text": "called back", "public": False},
            "contact": {**stamp, "display": "Ann", "mail": ["ann@example.com"], "tel": [], "handles": ["x:12345"], "customer": None},
            "account": {**stamp, "name": "Globex", "grade": "A"}, "deleted": {**stamp, "id": "r-9", "record_id": crm_id, "kind": "ticket"},
        }  # fmt: skip
        return signed(self.now, {"events": [{"id": f"e-{crm_id}", "type": TYPES[kind], "data": rows[kind]}]})


def signed(now: datetime, body: Any, settings: Mapping[str, Any] | None = None) -> tuple[WebhookRequest, Source]:
    raw, moment = json.dumps(body).encode(), str(int(now.timestamp()))
    proof = hmac.digest(WEBHOOK_SECRET.encode(), moment.encode() + b"." + raw, hashlib.sha256).hex()
    headers = {"Content-Type": "application/json", "X-Backoffice-Time": moment, "X-Backoffice-Signature": f"sha256={proof}"}
    request = WebhookRequest("POST", "https://hooks.example.com/webhooks/crm/rest", headers, raw, now)
    return request, Source("rest", "acme", (), (WEBHOOK_SECRET,), settings or {"mapping": mapping()})


@contextmanager
def world() -> Iterator[RestWorld]:
    found = RestWorld()
    with serving(found.simulator):
        yield found
