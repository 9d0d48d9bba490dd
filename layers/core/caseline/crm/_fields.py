"""Account value out of fields that an admin added to an organization or company: for CRMs that have neither deals nor contracts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import InvalidOperation
from typing import Any

from caseline.crm import Fact
from caseline.crm._amounts import read_amount, show_amount
from caseline.crm._value import plain_amount
from caseline.errors import PayloadError
from caseline.payloads import read_time
from caseline.signals import isoformat

log = logging.getLogger(__name__)
AMOUNTS, COUNTS = ("deal_value", "annual_revenue"), ("purchases", "open_cases")


def read_fields(
    values: Mapping[str, Any], names: Mapping[str, str], place: str, now: datetime, tier: Callable[[str], str | None], currency: str = "",
) -> dict[str, Fact]:  # fmt: skip
    """`names` are the fields by fact, `place` says whose they are (Zendesk Organization). What is not set or not understood is no fact."""
    at = isoformat(now)
    found = {fact: _read(fact, values.get(name), place, tier) for fact, name in names.items() if name}
    facts = {fact: Fact(value, f"{place}.{names[fact]}", at) for fact, value in found.items() if value is not None}
    if "deal_value" in facts and "currency" not in facts and currency:
        facts["currency"] = Fact(currency, f"{place.partition(' ')[0]} settings crm.currency", at)
    return facts


def read_text(fact: str, text: str, tier: Callable[[str], str | None]) -> str | None:
    """Of a CRM that writes no revenue as 0."""
    if fact == "tier":
        return tier(text)
    if fact != "annual_revenue":
        return text
    amount = read_amount(text)
    return show_amount(amount) if amount else None


def _read(fact: str, value: Any, place: str, tier: Callable[[str], str | None]) -> Any:
    if value in (None, ""):
        return None
    read = tier(str(value)) if fact == "tier" else _READERS.get(fact, str)(value)
    if read is None:
        log.warning("%s: a value for %s is not understood%s", place, fact, "; map it in crm.tiers" if fact == "tier" else "")
    return read


def _amount(value: Any) -> str | None:
    try:
        return plain_amount(value)
    except InvalidOperation:
        return None


def _count(value: Any) -> int | None:
    amount = _amount(value)
    return int(float(amount)) if amount else None


def _date(value: Any) -> str | None:
    text = str(value)
    try:
        return read_time(text if len(text) > 10 else f"{text}T00:00:00Z").date().isoformat()
    except PayloadError:
        return None


_READERS: Mapping[str, Callable[[Any], Any]] = {**dict.fromkeys(AMOUNTS, _amount), **dict.fromkeys(COUNTS, _count), "renewal_date": _date}
