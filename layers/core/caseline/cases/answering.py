"""Who answered whom: what people of the brand said, on the platform itself or in the CRM, and which of a customer's asks it was said to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from caseline.signals import AUTO_REPLY, INBOUND, OUTBOUND
from caseline.table import Item
from caseline.timeline import LIVE, read_attributes

Row = Mapping[str, Any]


def is_reply(row: Row) -> bool:
    """What the brand says answers, but for what its machines say by themselves, and for what it took back."""
    if row.get("type") == "note":
        return bool(row.get("answers"))
    return bool(row["direction"] == OUTBOUND and row.get("state", LIVE) == LIVE and not read_attributes(row).get(AUTO_REPLY))


def is_in_thread(reply: Row, ask: Row) -> bool:
    if (reply["channel"], reply["source"]) != (ask["channel"], ask["source"]):
        return False
    return bool((reply.get("parent_id") or "") == ask["native_id"] or (reply.get("thread_id") and reply["thread_id"] == ask.get("thread_id")))


def replies_to(asks: Sequence[Item], seen: Iterable[Item], others: Collection[str] = ()) -> list[str]:
    """When these asks of a customer, of all that is `seen`, were answered, the first first. `others`: keys of the customer's other cases.

    A reply in the thread of something else that was asked is none, nor is what was told on another case: who answers the mail about the invoice has not
    seen the post about the outage. One that stands nowhere in particular answers all.
    """
    rows, own = list(seen), {row["signal_id"] for row in asks}
    beside = [row for row in rows if row.get("type") != "note" and row["direction"] == INBOUND and row.get("need") == "due" and row["signal_id"] not in own]
    return sorted({str(row["occurred_at"]) for row in rows if is_reply(row) and _is_said_to(row, asks, beside, others)})


def _is_said_to(reply: Item, asks: Sequence[Item], beside: Sequence[Item], others: Collection[str]) -> bool:
    if reply.get("type") == "note":
        return str(reply.get("PK")).removeprefix("CASE#") not in others
    return any(is_in_thread(reply, row) for row in asks) or not any(is_in_thread(reply, row) for row in beside)
