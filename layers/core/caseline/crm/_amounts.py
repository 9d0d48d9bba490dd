"""Values of facts as CRMs write them, in the one way Caseline keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any


def read_amount(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value).replace(",", "").strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def show_amount(number: Decimal) -> str:
    """Plain decimal text."""
    return f"{number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize():f}"


def add_amounts(values: Iterable[Any]) -> str | None:
    """Their sum; None where there is none, or nothing in it."""
    total = sum((number for number in map(read_amount, values) if number), Decimal(0))
    return show_amount(total) if total else None


def nearest_date(values: Iterable[str], today: date) -> str | None:
    """The first of these days, or times, that is not over."""
    days = sorted(value[:10] for value in values if value[:10] >= today.isoformat())
    return days[0] if days else None
