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


def add_deals(deals: Iterable[tuple[Any, str]]) -> tuple[str | None, str | None]:
    """The sum of amounts, each with its currency, and theirs. Amounts of several currencies are no sum: unknown."""
    found = [(amount, currency) for value, currency in deals if (amount := read_amount(value))]
    currencies = {currency for _, currency in found}
    if len(currencies) > 1:
        return None, None
    return add_amounts(amount for amount, _ in found), next(iter(currencies), None) or None
