"""Abandoned carts: no order within a source's `abandoned_after_minutes` of the last activity. At most one signal a cart, with its likely cause.

The row `CART#<channel>/<source>/<cart>` keeps the last activity, and its deadline on the index `due`; an order or a cancellation closes it for good. Events
may come twice and in any order: only a later activity moves the deadline, and what stood in the way is a set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.carts import ABANDONED, ACCOUNT_WALL, CANCELLED, COUPON, ORDERED, PAYMENT_ERROR, SHIPPING_COST
from caseline.signals import Signal, isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import expiry

PATIENCE = timedelta(minutes=60)
CAUSES = (PAYMENT_ERROR, COUPON, ACCOUNT_WALL, SHIPPING_COST)  # what stops a buyer most surely stands first
FACTS = ("value", "currency", "items")


@dataclass(frozen=True)
class CartNotes:
    """`patience_of(channel, source)` is how long a cart may rest."""

    table: Table
    patience_of: Callable[[str, str], timedelta]

    def note(self, signal: Signal, brand: str, retention: timedelta) -> None:
        """Keep what a signal says of its cart. Raises UnavailableError."""
        stage, cart = signal.attributes.get("stage"), signal.thread_id
        if signal.kind != "cart_event" or not cart or stage in (None, ABANDONED) or signal.attributes.get("backfill"):
            return
        place = (f"CART#{signal.channel}/{signal.source}/{cart}", "CART")
        if stage in (ORDERED, CANCELLED):
            self.table.update(
                *place, "SET #s = :state, #t = :type, expires = :expires REMOVE due_shard, due_at", names={"#s": "state", "#t": "type"},
                state=stage, type="cart", expires=expiry(signal.received_at, retention),
            )
            return
        self._move(place, signal, brand, retention)
        if found := evidence_of(signal):
            self.table.update(*place, "ADD evidence :found", found=found)

    def _move(self, place: tuple[str, str], signal: Signal, brand: str, retention: timedelta) -> None:
        """Only a later activity of an open cart moves its deadline."""
        active_at = _active_at(signal)
        values: Item = {
            "type": "cart", "brand": brand, "channel": signal.channel, "source": signal.source, "cart": signal.thread_id, "active_at": isoformat(active_at),
            "due_shard": "due", "due_at": isoformat(active_at + self.patience_of(signal.channel, signal.source)),
            "expires": expiry(signal.received_at, retention), "facts": {name: signal.attributes[name] for name in FACTS if name in signal.attributes},
        }
        if signal.identities:
            values["identities"] = list(signal.identities)
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        condition = "attribute_not_exists(#state) AND (attribute_not_exists(#active_at) OR #active_at < :active_at)"
        try:
            self.table.update(*place, expression, condition, {f"#{name}": name for name in (*values, "state")}, **values)
        except ConditionFailed:
            return


@dataclass(frozen=True)
class CartWatch:
    """`queue(signal, brand)` takes the signal of an abandoned cart in."""

    table: Table
    queue: Callable[[Signal, str], Any]
    clock: Callable[[], datetime]

    def look(self, pk: str) -> bool:
        """Look at the cart once more, then say that it was abandoned; False if it was not. A crash in between says the same again."""
        row, now = self.table.get(pk, "CART"), self.clock()
        if row is None or row.get("state") or row.get("due_at", "") > isoformat(now):
            return False
        self.queue(signal_of(row, now), row["brand"])
        try:
            self.table.update(
                pk, "CART", "SET #s = :state REMOVE due_shard, due_at", "attribute_not_exists(#s)", {"#s": "state"}, state=ABANDONED
            )
        except ConditionFailed:
            return True
        return True


def signal_of(row: Item, now: datetime) -> Signal:
    found = sorted(row.get("evidence", ()))
    cause = next((cause for cause in CAUSES if any(each.startswith(cause) for each in found)), "unknown")
    return Signal(
        channel=row["channel"], source=row["source"], native_id=f"{row['cart']}/abandoned", kind="cart_event", occurred_at=parse_time(row["due_at"]),
        received_at=now, identities=tuple(row.get("identities", ())), thread_id=row["cart"],
        attributes={"stage": ABANDONED, "cause": cause, "evidence": found, "active_at": row["active_at"], **row.get("facts", {})},
    )


def evidence_of(signal: Signal) -> set[str]:
    """`<problem>` or `<problem>: <what was shown>`, of what may stand in a buyer's way."""
    told = signal.attributes
    found = {f"{told['problem']}: {told['reason']}" if told.get("reason") else str(told["problem"])} if told.get("problem") in CAUSES else set()
    if told.get("shipping") and told.get("problem") != SHIPPING_COST:
        found.add(f"{SHIPPING_COST}: {told['shipping']}")
    return found


def _active_at(signal: Signal) -> datetime:
    try:
        return min(parse_time(str(signal.attributes["active_at"])), signal.received_at)
    except (KeyError, ValueError):
        return signal.occurred_at
