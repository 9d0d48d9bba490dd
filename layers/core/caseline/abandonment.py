"""Abandoned carts: no order within a source's `abandoned_after_minutes` of the last activity. At most one signal a cart, with its likely cause.

The row `CART#<channel>/<source>/<cart>` keeps the last activity, and its deadline on the index `due`; an order or a cancellation closes it for good. Some
shops name a cart by another id at each step (`named_by`), or by none in the order, so `BUYER#<channel>/<source>/<identity>` keeps when somebody went on
under each: a cart that they left before then was not abandoned. Events may come twice and in any order: of what each says the latest stands, and what
stood in the way is a set.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.carts import ABANDONED, ACCOUNT_WALL, CANCELLED, COUPON, ORDERED, PAYMENT_ERROR, SHIPPING_COST
from caseline.signals import Signal, isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import expiry

PATIENCE = timedelta(minutes=60)
CAUSES = (PAYMENT_ERROR, COUPON, ACCOUNT_WALL, SHIPPING_COST)  # what stops a buyer most surely stands first
FACTS = ("value", "currency", "items")
CONTINUED, NAMELESS = "continued", "-"


@dataclass(frozen=True)
class CartNotes:
    """`patience_of(channel, source)` is how long a cart may rest."""

    table: Table
    patience_of: Callable[[str, str], timedelta]

    def note(self, signal: Signal, brand: str, retention: timedelta) -> None:
        """Keep what a signal says of its cart. Raises UnavailableError."""
        stage, cart = signal.attributes.get("stage"), signal.thread_id
        if signal.kind != "cart_event" or stage in (None, ABANDONED) or signal.attributes.get("backfill"):
            return
        expires = expiry(signal.received_at, retention)
        self._note_buyer(signal, stage == ORDERED, expires)
        if cart and stage in (ORDERED, CANCELLED):
            self._close(_cart_key(signal), stage, expires)
        elif cart:
            self._note_activity(_cart_key(signal), signal, brand, expires)

    def _note_buyer(self, signal: Signal, ordered: bool, expires: int) -> None:
        """Nothing to note where one name is the cart's all the way."""
        name = signal.attributes.get("named_by") or (NAMELESS if ordered and not signal.thread_id else None)
        mark, moment = ("ordered_at", signal.occurred_at) if ordered else ("active_at", _active_at(signal))
        for identity in signal.identities if name else ():
            self._keep(key(_buyer_key(signal.channel, signal.source, identity), str(name)), mark, moment, {"type": "buyer", "expires": expires})

    def _close(self, place: Item, stage: str, expires: int) -> None:
        expression = "SET #s = :state, #t = :type, expires = :expires REMOVE due_shard, due_at"
        self.table.update(place["PK"], place["SK"], expression, names={"#s": "state", "#t": "type"}, state=stage, type="cart", expires=expires)

    def _note_activity(self, place: Item, signal: Signal, brand: str, expires: int) -> None:
        """Each in its own time: the latest activity may be the one that names nobody, and no goods."""
        active_at = _active_at(signal)
        due_at = isoformat(active_at + self.patience_of(signal.channel, signal.source))
        row = {
            "type": "cart", "brand": brand, "channel": signal.channel, "source": signal.source, "cart": signal.thread_id, "expires": expires,
            "empty": bool(signal.attributes.get("empty")),
        }
        row |= {"named_by": signal.attributes["named_by"]} if "named_by" in signal.attributes else {}
        self._keep(place, "active_at", active_at, {**row, "due_shard": "due", "due_at": due_at})
        if signal.identities:
            self._keep(place, "named_at", active_at, {"identities": list(signal.identities)})
        if facts := {name: signal.attributes[name] for name in FACTS if name in signal.attributes}:
            self._keep(place, "filled_at", active_at, {"facts": facts})
        if found := evidence_of(signal):
            with suppress(ConditionFailed):
                self.table.update(place["PK"], place["SK"], "ADD evidence :found", "attribute_not_exists(#s)", {"#s": "state"}, found=found)

    def _keep(self, place: Item, mark: str, moment: datetime, values: Item) -> None:
        """Set the values, unless later ones are there or the cart is closed."""
        values = {**values, mark: isoformat(moment)}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        condition = f"attribute_not_exists(#state) AND (attribute_not_exists(#{mark}) OR #{mark} < :{mark})"
        with suppress(ConditionFailed):
            self.table.update(place["PK"], place["SK"], expression, condition, {f"#{name}": name for name in (*values, "state")}, **values)


@dataclass(frozen=True)
class CartWatch:
    """`queue(signal, brand)` takes the signal of an abandoned cart in."""

    table: Table
    queue: Callable[[Signal, str], Any]
    clock: Callable[[], datetime]

    def look(self, pk: str) -> bool:
        """Look at the cart once more, then say that it was abandoned; False if it was not. A crash in between says the very same again."""
        row = self.table.get(pk, "CART")
        if row is None or row.get("state", ABANDONED) != ABANDONED:
            return False
        went_on = bool(row.get("empty")) or self._went_on(row)
        try:
            row = self._close(pk, CONTINUED if went_on else ABANDONED)
        except ConditionFailed:
            return False
        if not went_on:
            self.queue(signal_of(row, self.clock()), row["brand"])
        self.table.update(pk, "CART", "REMOVE due_shard, due_at")
        return not went_on

    def _close(self, pk: str, state: str) -> Item:
        """Nothing that comes from now on changes the cart. ConditionFailed if somebody has touched it, or bought, in the last moment."""
        condition = "(attribute_not_exists(#s) OR #s = :abandoned) AND due_at <= :now"
        return self.table.update(pk, "CART", "SET #s = :state", condition, {"#s": "state"}, state=state, abandoned=ABANDONED, now=isoformat(self.clock()))

    def _went_on(self, row: Item) -> bool:
        """Whether somebody known of this cart has bought since, or shops on, under another kind of name."""
        keys = [_buyer_key(row["channel"], row["source"], identity) for identity in row.get("identities", ())]
        name, left_at = row.get("named_by", ""), row["active_at"]
        others = [other for each in keys for other in self.table.query(each) if other["SK"] != name]
        return any(other.get("ordered_at", "") >= left_at or (other.get("active_at", ""), other["SK"]) > (left_at, name) for other in others)


def _cart_key(signal: Signal) -> Item:
    return key(f"CART#{signal.channel}/{signal.source}/{signal.thread_id}", "CART")


def _buyer_key(channel: str, source: str, identity: str) -> str:
    return f"BUYER#{channel}/{source}/{identity}"


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
