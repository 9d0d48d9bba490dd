"""Accounts of the CRM, as a test wants them."""

from __future__ import annotations

from datetime import timedelta

from caseline.crm import Account, Fact

from tests.kit.pipeline import START


def vip(tier: str = "strategic", days: int = 30, contact: str = "c-1", identities: tuple[str, ...] = ("x:100", "email:ann@north.example")) -> Account:
    at = "2026-11-21T09:00:00.000000Z"
    facts = {
        "tier": tier,
        "deal_value": "900000",
        "currency": "EUR",
        "renewal_date": (START + timedelta(days=days)).date().isoformat(),
        "contract_status": "active" if tier != "trial" else "trial",
    }
    return Account(f"a-{contact}", "Northern Tools", contact, "Ann", identities, {k: Fact(v, f"fake Account.{k}", at) for k, v in facts.items()})
