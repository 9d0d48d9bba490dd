"""Carts: the words in which every shop says what happened to one, so that an abandoned cart looks the same whatever the channel.

The signal's `thread_id` is the cart; its attributes are `stage` (one of STAGES), `value` and `currency`, `items` (names; `empty` where none are left),
`active_at` (when somebody last touched it), `named_by` (what kind of id the cart is known by, where a shop has several) and what may have stood in the
way: `shipping` (the price shown), `coupons`, `problem` (one of PROBLEMS) and `reason` (in the shop's words).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from caseline.payloads import Field

CART, CHECKOUT, PAYMENT, ORDERED, CANCELLED = STAGES = ("cart", "checkout", "payment", "ordered", "cancelled")
ABANDONED = "abandoned"  # what caseline.abandonment says of a cart that rests
SHIPPING_COST, COUPON, PAYMENT_ERROR, ACCOUNT_WALL = PROBLEMS = ("shipping_cost", "coupon", "payment", "account_wall")
_MONEY = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?\Z")


def cart_facts(stage: str, **facts: Any) -> dict[str, Any]:
    """The attributes of a cart's signal, without those that are not known."""
    return {"stage": stage} | {name: value for name, value in facts.items() if value not in (None, "", [])}


def read_money(field: Field) -> float | None:
    """An amount, as a number or as its digits; None where there is none."""
    value = field.value
    if value is None or value == "":
        return None
    if isinstance(value, str) and _MONEY.match(value):
        return float(value)
    number = field.number()
    return number if math.isfinite(number) else field.refuse("must be an amount")


def add_up(amounts: Iterable[float | None]) -> float | None:
    """The sum of what is known, in whole cents; None where nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return round(sum(known), 2) if known else None
