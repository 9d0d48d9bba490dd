"""Values of facts as CRMs write them, in the one way Caseline keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from caseline.crm._value import plain_amount


def read_amount(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value).replace(",", "").strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def show_amount(number: Decimal) -> str:
    """Plain decimal text."""
    return plain_amount(number)


def add_amounts(values: Iterable[Any]) -> str | None:
    """Their sum; None where there is none, or nothing in it."""
    total = sum((number for number in map(read_amount, values) if number), Decimal(0))
    return show_amount(total) if total else None
