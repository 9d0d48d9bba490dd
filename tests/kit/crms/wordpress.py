"""WP-CRM System in WordPress with our plugin, over HTTP to the simulator."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import wordpress as adapter
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import IMPATIENT, NOW, StoredCase
from tests.kit.simulated import FaultyWire, serving
from tests.kit.wordpress import ME, PASSWORD, Site, by_status
from tests.kit.wordpress.server import MOOD

SECRET = {"username": ME, "password": PASSWORD}
WEBHOOK_SECRET = "a-secret-for-the-news-of-wordpress"
PRIORITIES = {"P1": "high", "P2": "high", "P3": "medium", "P4": "low"}
KINDS = {"case": "cases", "contact": "people", "account": "accounts", "comment": "comments", "deleted": "deleted"}
LACKS = {
    "parts": "each request is one thing",
    "merge": "tasks are not merged",
    "drop": "a post takes any meta",
    "apply": "a post takes any meta",
    "plan": "the plugin has all of it",
}


class WordPressWorld:
    def __init__(self) -> None:
        self.now = NOW
        self.simulator = self.site = Site(self.clock)
        self.wire = FaultyWire(self.site.faults, "GET .*/people", "POST .*/cases", "POST .*/cases/", by_status)

    def clock(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        given = {"instance_url": self.site.url, "currency": "EUR", **settings}
        return adapter.create(given, SECRET, session=session, clock=self.clock, limits=IMPATIENT if impatient else Limits())

    def calls(self) -> int:
        return len(self.site.calls)

    def expire_login(self) -> None:
        """An application password does not run out."""

    def refuse_login(self) -> None:
        self.site.passwords.clear()

    # ---- what people do

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        post = self.site.insert("wpcrm-organization", name, {"_cx_tier": tier, "_cx_renewal_date": renewal_date}, status="publish")
        if deal_value:
            won = {"value": deal_value, "wonlost": "won", "attach-to-organization": post["id"]}
            self.site.insert("wpcrm-opportunity", name, {f"_wpcrm_opportunity-{key}": value for key, value in won.items()})
        return str(post["id"])

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        meta = {"email": email, "phone": phone, "attach-to-organization": account_id}
        values = {f"_wpcrm_contact-{key}": value for key, value in meta.items()} | {"_cx_handles": handles}
        return str(self.site.insert("wpcrm-contact", name, values, status="publish")["id"])

    def lose_case(self, crm_id: str) -> None:
        self.site.trash(int(crm_id))

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self.site.set_meta(int(crm_id), {"_wpcrm_task-status": "complete", **({"_cx_outcome": outcome} if outcome else {})})

    def reopen_case(self, crm_id: str) -> None:
        self.site.set_meta(int(crm_id), {"_wpcrm_task-status": "in-progress"})

    def set_band(self, crm_id: str, band: str) -> None:
        self.site.set_meta(int(crm_id), {"_wpcrm_task-priority": PRIORITIES[band]})

    def set_owner(self, crm_id: str, owner: str) -> None:
        self.site.set_meta(int(crm_id), {"_wpcrm_task-assignment": owner})

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self.site.comment(int(crm_id), text, public=public)

    def merge_case(self, crm_id: str, into: str) -> None:
        raise NotImplementedError

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        self.site.locks[int(crm_id)] = times

    def set_tier(self, account_id: str, tier: str) -> None:
        self.site.set_meta(int(account_id), {"_cx_tier": tier})

    def drop_field(self, entity: str, key: str) -> None:
        raise NotImplementedError

    # ---- what stands

    def cases(self) -> list[StoredCase]:
        return [self._stored(post) for post in self.site.of("cases")]

    def _stored(self, post: Mapping[str, Any]) -> StoredCase:
        meta, notes = post["meta"], [each["content"] for each in self.site.comments.values() if each["post"] == post["id"]]
        return StoredCase(
            str(post["id"]), meta.get("_cx_case_key", ""), int(meta.get("_cx_version") or 0), int(meta.get("_cx_score") or 0), meta.get("_cx_band", ""),
            meta.get("_cx_reasons", ""), notes, "closed" if meta.get("_wpcrm_task-status") == "complete" else "open",
            meta.get("_wpcrm_task-assignment", ""), meta.get("_wpcrm_task-priority", ""),
        )  # fmt: skip

    def contacts(self) -> int:
        return len(self.site.of("people"))

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        meta = self.site.posts[int(contact_id)]["meta"]
        return {name: meta[f"_cx_{name}"] for name in MOOD if f"_cx_{name}" in meta}

    def account_values(self, account_id: str) -> dict[str, Any]:
        return self.contact_values(account_id)

    # ---- what is pushed

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        if kind not in KINDS:
            return None
        if kind == "comment":
            self.site.comment(int(crm_id), "called back")
        record = max(self.site.comments) if kind == "comment" else int(crm_id)
        stamp = {"kind": KINDS[kind], "record": record, "at": self.now.isoformat(), "by": "mara", "entity": "case"}
        return signed(self.now, {"events": [{"kind": KINDS[kind], "row": self.site.row(stamp)}]})


def signed(now: datetime, body: Any, **settings: Any) -> tuple[WebhookRequest, Source]:
    raw, moment = json.dumps(body).encode(), str(int(now.timestamp()))
    proof = hmac.digest(WEBHOOK_SECRET.encode(), moment.encode() + b"." + raw, hashlib.sha256).hex()
    headers = {"Content-Type": "application/json", "X-Caseline-Time": moment, "X-Caseline-Signature": f"sha256={proof}"}
    request = WebhookRequest("POST", "https://hooks.example.com/webhooks/crm/wordpress", headers, raw, now)
    return request, Source("wordpress", "acme", (), (WEBHOOK_SECRET,), settings)


@contextmanager
def world() -> Iterator[WordPressWorld]:
    found = WordPressWorld()
    with serving(found.site):
        yield found
