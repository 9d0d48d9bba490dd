"""Account value out of a company's properties, or out of the copies of them that its contacts carry."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from caseline.crm import Fact
from caseline.crm._value import plain_amount
from caseline.crm.hubspot._api import Record, text_of
from caseline.crm.hubspot._settings import Settings
from caseline.signals import isoformat

log = logging.getLogger(__name__)
AMOUNTS, COUNTS = ("deal_value", "annual_revenue"), ("open_cases", "purchases")


def read_facts(record: Record, entity: str, names: Mapping[str, str], settings: Settings, now: datetime) -> dict[str, Fact]:
    """`names` are the properties by fact. What is not set is no fact, nor is what cannot be read as what it should be."""
    found = {fact: _value(fact, text_of(record, name), settings) for fact, name in names.items() if name and fact != "name"}
    facts = {fact: Fact(value, f"HubSpot {entity}.{names[fact]}", isoformat(now)) for fact, value in found.items() if value is not None}
    if "deal_value" in facts and settings.currency:
        facts["currency"] = Fact(settings.currency, "HubSpot settings crm.currency", isoformat(now))
    return facts


def _value(fact: str, text: str, settings: Settings) -> Any:
    if not text:
        return None
    value = _READERS.get(fact, lambda text, settings: text)(text, settings)
    if value is None:
        log.warning("HubSpot: a value for %s is not understood%s", fact, "; map it in crm.tiers" if fact == "tier" else "")
    return value


def _amount(text: str, settings: Settings) -> str | None:
    try:
        return plain_amount(text)
    except InvalidOperation:
        return None


def _count(text: str, settings: Settings) -> int | None:
    amount = _amount(text, settings)
    return int(Decimal(amount)) if amount else None


def _date(text: str, settings: Settings) -> str | None:
    """2026-12-15, a time of that day, or its midnight in epoch milliseconds."""
    try:
        moment = datetime.fromtimestamp(int(text) / 1_000, UTC) if text.lstrip("-").isdecimal() else datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    return moment.date().isoformat()


_READERS: Mapping[str, Any] = {
    **dict.fromkeys(AMOUNTS, _amount), **dict.fromkeys(COUNTS, _count), "renewal_date": _date,
    "owner": lambda text, settings: settings.owner(text), "tier": lambda text, settings: settings.tier(text),
}  # fmt: skip
