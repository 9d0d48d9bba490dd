"""SAP Sales and Service Cloud V2, over HTTP to the simulator; what both products have in common is here too."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import escape
from typing import Any, ClassVar
from uuid import uuid4

from caseline.crm import sap as adapter
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import IMPATIENT, NOW, StoredCase
from tests.kit.sap import APP, CLIENT_ID, CLIENT_SECRET, V2, C4c
from tests.kit.sap.v2 import ACCOUNTS, CASES, CONTACTS, LEADS, NOTES, PROFILE, named, words_of
from tests.kit.simulated import serving

WEBHOOK_SECRET = "a-secret-for-the-events-of-sap"
ENTITIES = {"case": CASES, "contact": CONTACTS, "account": ACCOUNTS}
TYPES = {"case": "caseUpdate", "comment": "caseUpdate", "contact": "contactPersonUpdate", "account": "accountUpdate", "deleted": "caseDelete"}


class SapWire:
    def __init__(self, simulator: V2 | C4c, reading: str, writing: str, noting: str) -> None:
        self._faults, self.reading, self.writing, self.noting = simulator.faults, reading, writing, noting

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None:
        body = {"error": {"code": "X", "message": "ann@example.com is not what it should be", "target": "", "details": []}}
        self._faults.add("answer", match, status=status, headers=dict(headers or {}), times=times, body=body)

    def break_off(self, match: str, kind: str, **values: Any) -> None:
        if kind == "redirect":
            self.answer(match, 302, {"Location": "http://localhost:9/elsewhere"})
        else:
            self._faults.add(kind, match, **values)


LACKS = {"parts": "it has no batch for cases", "merge": "cases are not merged", "apply": "SAP makes fields by hand only"}


SHIPPED = {"count_cases": False}


class SapWorld:
    """Of either product; the subclasses know its columns."""

    settings: ClassVar[Mapping[str, Any]] = {"count_cases": True}
    secret: ClassVar[Mapping[str, str]] = {}
    simulator: V2 | C4c
    wire: SapWire
    priorities: ClassVar[Mapping[str, str]] = {"P1": "01", "P2": "02", "P3": "03", "P4": "07"}

    def __init__(self) -> None:
        self.now = NOW

    def clock(self) -> datetime:
        return self.now

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        ours = {"instance_url": self.simulator.url or "http://127.0.0.1", "own_user": APP, "phone_region": "GB", **self.settings}
        return adapter.create({**ours, **settings}, self.secret, session=session, clock=self.clock, limits=IMPATIENT if impatient else Limits())

    def calls(self) -> int:
        """A fetch of a CSRF token is part of logging in."""
        return len(self.simulator.calls) - self.simulator.logins

    def expire_login(self) -> None:
        self.simulator.sessions.tokens.clear()
        self.simulator.sessions.csrf.clear()

    def refuse_login(self) -> None:
        self.simulator.sessions.secrets.clear()
        self.simulator.sessions.passwords.clear()

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def merge_case(self, crm_id: str, into: str) -> None:
        raise NotImplementedError

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.simulator.tenant.locks[crm_id] = times

    def basic(self, body: Mapping[str, Any]) -> tuple[WebhookRequest, Source]:
        proof = base64.b64encode(f"sap:{WEBHOOK_SECRET}".encode()).decode()
        headers = {"content-type": "application/json", "authorization": f"Basic {proof}"}
        request = WebhookRequest("POST", "https://hooks.example.com/webhooks/crm/sap", headers, json.dumps(body).encode(), self.now)
        return request, Source("sap", "acme", (), (WEBHOOK_SECRET,))


class V2World(SapWorld):
    secret: ClassVar[Mapping[str, str]] = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def __init__(self) -> None:
        super().__init__()
        self.simulator: V2 = V2(self.clock)
        self.tenant = self.simulator.tenant
        self.wire = SapWire(self.simulator, "GET .*/contactPersons", "POST .*/cases", "POST .*/notes")

    # ---- what people do

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        values = {"CXTier": tier, "CXDealValue": float(deal_value) if deal_value else None, "CXRenewalDate": renewal_date}
        extensions = {f"extensions.{key}": value for key, value in values.items() if value}
        return str(self.tenant.add(ACCOUNTS, {"formattedName": name, **extensions})["id"])

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        values = {
            "accountId": account_id, "formattedName": name, "familyName": name, "givenName": "-", "eMail": email, "phone": phone,
            "normalizedPhone": phone.replace(" ", ""), "extensions.CXHandles": handles,
        }  # fmt: skip
        return str(self.tenant.add(CONTACTS, values)["id"])

    def lose_case(self, crm_id: str) -> None:
        self.tenant.delete(CASES, crm_id)

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self.tenant.edit(CASES, crm_id, {"status": "05", **({"extensions.CXOutcome": outcome} if outcome else {})})

    def reopen_case(self, crm_id: str) -> None:
        self.tenant.edit(CASES, crm_id, {"status": "02"})

    def set_band(self, crm_id: str, band: str) -> None:
        self.tenant.edit(CASES, crm_id, {"priority": self.priorities[band]})

    def set_owner(self, crm_id: str, owner: str) -> None:
        self.tenant.edit(CASES, crm_id, {"processor.id": str(uuid4()), "processor.name": owner})

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        """People write in an editor: a note is HTML. An answer is a note of another type."""
        note = self.tenant.add(NOTES, {"noteTypeCode": "S002" if public else "S001", "content": f"<p>{escape(text)}</p>"})
        notes = self.tenant.tables[CASES].rows[crm_id]["notes"]
        self.tenant.edit(CASES, crm_id, {"notes": [*notes, {"noteId": note["id"], "id": str(uuid4())}]})

    def set_tier(self, account_id: str, tier: str) -> None:
        self.tenant.edit(ACCOUNTS, account_id, {"extensions.CXTier": tier})

    def drop_field(self, entity: str, key: str) -> None:
        del self.tenant.tables[ENTITIES[entity]].columns[f"extensions.{named(key)}"]

    # ---- what stands

    def cases(self) -> list[StoredCase]:
        return [self._stored(row) for row in self.tenant.tables[CASES].rows.values()]

    def _stored(self, row: Mapping[str, Any]) -> StoredCase:
        ours = {key: row.get(f"extensions.{named(key)}") for key in ("case_key", "version", "score", "band", "reasons")}
        first = [row["extensions.CXNotes"]] if row.get("extensions.CXNotes") else []
        notes = [*first, *(words_of(self.tenant.tables[NOTES].rows[each["noteId"]]) for each in row["notes"])]
        return StoredCase(
            row["id"], ours["case_key"] or "", int(ours["version"] or 0), int(ours["score"] or 0), ours["band"] or "", ours["reasons"] or "", notes,
            "closed" if row["status"] in ("05", "06") else "open", row.get("processor.id") or "", row["priority"],
        )  # fmt: skip

    def contacts(self) -> int:
        return len(self.tenant.tables[CONTACTS].rows) + len(self.tenant.tables[LEADS].rows)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return self._values(CONTACTS, contact_id)

    def account_values(self, account_id: str) -> dict[str, Any]:
        return self._values(ACCOUNTS, account_id)

    def _values(self, table: str, record_id: str) -> dict[str, Any]:
        row = self.tenant.tables[table].rows[record_id]
        return {key: row.get(f"extensions.{named(key)}") for key in PROFILE}

    # ---- what is pushed

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        admin = {"updatedOn": self.now.isoformat(), "updatedByName": "Ann Marsh"}
        now: dict[str, Any] = {"id": crm_id, "displayId": "1001", "adminData": admin}
        before = dict(now)
        if kind == "case":
            now, before = {**now, "status": "05"}, {**before, "status": "02"}
        if kind == "comment":
            now |= {"notes": [{"noteId": str(uuid4()), "id": str(uuid4()), "content": "<p>called back</p>"}]}
        images = {"beforeImage": before} if kind == "deleted" else {"beforeImage": before, "currentImage": now}
        return self.basic({
            "id": str(uuid4()), "type": f"sap.crm.service.event.{TYPES[kind]}", "specversion": "0.2", "source": "614cd785fe86ec5c905b4a00",
            "time": self.now.isoformat(), "datacontenttype": "application/json", "data": images,
        })  # fmt: skip


@contextmanager
def world() -> Iterator[V2World]:
    found = V2World()
    with serving(found.simulator):
        yield found
