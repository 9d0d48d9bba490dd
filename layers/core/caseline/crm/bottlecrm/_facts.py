"""Account value: BottleCRM's own sums of deals and tickets, and custom fields."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from caseline.crm import Fact
from caseline.crm._amounts import read_amount, show_amount
from caseline.crm.bottlecrm._api import Row, custom_of, object_in, text_of
from caseline.crm.bottlecrm._settings import Settings
from caseline.signals import isoformat

log = logging.getLogger(__name__)


def read_facts(account: Row, settings: Settings, now: datetime) -> dict[str, Fact]:
    """What is not set is no fact; nor is the sum of deals in several currencies, which BottleCRM does not add up."""
    found = {**_custom(account, settings), **_deals(object_in(account, "rollups")), **_own(account)}
    return {name: Fact(value, f"BottleCRM {source}", isoformat(now)) for name, (value, source) in found.items() if value not in (None, "")}


def _custom(account: Row, settings: Settings) -> dict[str, tuple[Any, str]]:
    found = {name: (text_of(custom_of(account), key), f"Account.{key}") for name, key in settings.account_fields.items() if key}
    if "tier" in found:
        value, source = found["tier"]
        tier = settings.tier(value) if value else None
        if value and not tier:
            log.warning("BottleCRM: a value of %s is no tier; map it in crm.tiers", source)
        found["tier"] = (tier or "", source)
    return dict(found)


def _deals(rollups: Row) -> dict[str, tuple[Any, str]]:
    """No won deal says nothing of the deal: deals may be kept elsewhere."""
    tickets = {"open_cases": (rollups.get("open_tickets"), "Account.rollups.open_tickets")}
    if not rollups.get("won_count"):
        return tickets
    won = {"purchases": (rollups["won_count"], "Account.rollups.won_count"), "deal_value": (_amount(rollups.get("won_amount")), "Account.rollups.won_amount")}
    currencies = [row for row in rollups.get("by_currency") or () if isinstance(row, Mapping) and read_amount(row.get("won_amount"))]
    currency = text_of(currencies[0], "currency") if len(currencies) == 1 else ""
    return {**tickets, **won, "currency": (currency, "Account.rollups.by_currency")}


def _own(account: Row) -> dict[str, tuple[Any, str]]:
    assigned = [each for each in account.get("assigned_to") or () if isinstance(each, Mapping)]
    person = object_in(assigned[0], "user_details") if assigned else {}
    return {
        "annual_revenue": (_amount(account.get("annual_revenue")), "Account.annual_revenue"),
        "owner": (text_of(person, "name") or text_of(person, "email"), "Account.assigned_to"),
    }  # fmt: skip


def _amount(value: Any) -> str:
    amount = None if value is None else read_amount(value)
    return "" if amount is None else show_amount(amount)
