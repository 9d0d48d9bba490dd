"""What all CRMs' records of money and contracts mean, in one way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from caseline.crm import TIERS

ACTIVE, EXPIRED, NONE = "active", "expired", "none"


def plain_amount(value: Any) -> str:
    """Decimal text without exponent or trailing zeros; CRMs send 1.2E7 and 120000.50."""
    number = Decimal(str(value))
    return f"{number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize():f}"


def read_renewal(ends: Sequence[str], today: date) -> tuple[str | None, str]:
    """Of the ISO end dates of all active contracts ("" for one without end), the renewal and the contract status.

    The renewal is the nearest end still to come, else the last that passed.
    """
    known = sorted(end[:10] for end in ends if end)
    coming = [end for end in known if end >= today.isoformat()]
    running = bool(coming) or len(known) < len(ends)
    renewal = coming[0] if coming else known[-1] if known and not running else None
    return renewal, ACTIVE if running else EXPIRED if known else NONE


def tier_of(label: str, tiers: Mapping[str, str]) -> str | None:
    """The CRM's label as one of TIERS; None where it is neither mapped nor one already."""
    known = {name.casefold(): tier for name, tier in tiers.items()}
    tier = known.get(label.casefold(), label.casefold())
    return tier if tier in TIERS else None
