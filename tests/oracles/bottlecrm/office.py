"""People at work in the real BottleCRM, by its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from caseline.crm import bottlecrm

from tests.kit.scenes import SCHEMA


class Office:
    """`org` as `Site.new_org` gives it; `token` is Caseline's."""

    def __init__(self, url: str, org: Mapping[str, Any]) -> None:
        self._url, self.token, self._headers = url, org["caseline"]["token"], {"Authorization": f"Bearer {org['person']['token']}"}

    def set_up(self) -> None:
        """As `caseline crm apply` does."""
        crm = bottlecrm.create({"instance_url": self._url}, {"token": self.token})
        for step in crm.plan(SCHEMA):
            crm.apply(step)
        assert crm.check(SCHEMA) == []

    def add_account(self, name: str, tier: str, deal_value: str, renewal: str) -> str:
        custom = {"cx_tier": tier, "cx_renewal_date": renewal, "cx_contract_status": "active"}
        account = str(self._do("POST", "accounts", {"name": name, "custom_fields": custom})["id"])
        self._do("POST", "opportunities", {"name": f"{name} 2026", "account": account, "amount": deal_value, "stage": "CLOSED_WON", "closed_on": "2026-01-15"})
        return account

    def add_contact(self, account: str, name: str, email: str) -> str:
        return str(self._do("POST", "contacts", {"first_name": name, "last_name": "Berg", "email": email, "account": account})["id"])

    def contacts(self, email: str) -> list[dict[str, Any]]:
        return list(self._do("GET", "contacts", email=email)["results"])

    def ticket(self, crm_id: str) -> dict[str, Any]:
        return dict(self._do("GET", f"cases/{crm_id}"))

    def tickets(self, status: str = "") -> list[dict[str, Any]]:
        return list(self._do("GET", "cases", slim="true", limit=500, **({"status": status} if status else {}))["cases"])

    def change(self, crm_id: str, **values: Any) -> None:
        self._do("PATCH", f"cases/{crm_id}", values)

    def comment(self, crm_id: str, text: str, public: bool) -> None:
        self._do("POST", f"cases/{crm_id}", {"comment": text, "is_internal": not public})

    def delete(self, crm_id: str) -> None:
        self._do("DELETE", f"cases/{crm_id}")

    def _do(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = requests.request(method, f"{self._url}/api/{path}/", headers=self._headers, json=body, params=query, timeout=60)
        assert answer.status_code in (200, 201), (method, path, answer.status_code, answer.text[:300])
        return answer.json()
