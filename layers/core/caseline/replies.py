"""Whom a reply of the brand answers, where it names only its parent or its thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from caseline.signals import AUTO_REPLY, INBOUND, OUTBOUND, PRIVATE_KINDS, Signal, signal_id
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import EXPECTED, placement, read_attributes, signal_key

OPENS_THREAD = "opens_thread"  # an attribute


@dataclass(frozen=True)
class Replies:
    """The rows a batch's replies may point to, by partition key, with the identities each stands for."""

    addressees: Mapping[str, Sequence[str]]
    forgotten: frozenset[str] = frozenset()

    @classmethod
    def load(cls, table: Table, signals: Sequence[Signal]) -> Replies:
        """One batch read, and none for a batch without such replies."""
        known = {signal_key(signal.signal_id)["PK"]: signal.identities for signal in signals if signal.identities}
        wanted = [target for signal in signals if _is_unaddressed(signal) for target in _targets(signal) if target["PK"] not in known]
        rows = table.get_many(wanted) if wanted else []
        found = {row["PK"]: row["identities"] for row in rows if row.get("identities")}
        return cls(found | known, frozenset(row["PK"] for row in rows if row.get("forgotten")))

    def answers_forgotten(self, signal: Signal) -> bool:
        """Whether it replies to somebody who was erased."""
        return _is_unaddressed(signal) and any(target["PK"] in self.forgotten for target in _targets(signal))

    def addressed(self, signal: Signal) -> Signal:
        if not _is_unaddressed(signal):
            return signal
        identities = next((self.addressees[target["PK"]] for target in _targets(signal) if target["PK"] in self.addressees), ())
        return signal.with_(identities=tuple(identities))

    @staticmethod
    def thread_row(row: Item) -> Item | None:
        """What lets a reply find its customer by the thread alone: the row of a private thread, or of who opened a public one (it has many customers).

        Of a machine's mail none: a bounce in a thread is not from whom the thread is with. Of the post that the thread is named after none: a reply
        looks at that post itself.
        """
        if row.get("thread_id") in (None, "", row.get("native_id")) or row["direction"] != INBOUND or not row["identities"] or not _speaks_for_thread(row):
            return None
        thread = _thread_key(row["channel"], row["source"], row["thread_id"])
        return thread | {"type": "thread", "schema": 1, "identities": row["identities"], "expires": row["expires"]}

    @staticmethod
    def find_customer(table: Table, row: Item, scope: str) -> None:
        """Of a reply that is there already: who inserted it may have died before it was put on anybody's timeline, or left word."""
        if row.get("identities"):
            _place(table, row["signal_id"], row["identities"], scope)
        else:
            Replies.wait_for_parent(table, row, scope)

    @staticmethod
    def wait_for_parent(table: Table, row: Item, scope: str) -> None:
        """Leave word where the customer will become known: at the parent, else at the thread and its first post."""
        targets = _row_targets(row)
        for target in targets[:1] if row.get("parent_id") else targets:
            _leave_word(table, target, row, scope)


def _leave_word(table: Table, target: Item, row: Item, scope: str) -> None:
    kind = "signal" if target["SK"] == "SIGNAL" else "thread"
    firsts = {"state": "expected", "type": "kind", "signal_id": "id", "expires": "expires"}
    expression = "SET " + ", ".join(f"{name} = if_not_exists({name}, :{value})" for name, value in firsts.items()) + " ADD awaited_by :reply"
    there = table.update(
        target["PK"], target["SK"], expression,
        expected=EXPECTED, kind=kind, id=target["PK"].partition("#")[2], expires=row["expires"], reply={row["signal_id"]},
    )
    if there.get("identities"):
        release(table, target["PK"], target["SK"], there["awaited_by"], there["identities"], scope)


def claim_thread(table: Table, thread: Item, scope: str) -> str:
    """A thread row that was there before: if a reply made it and waits, the reply learns its customer, whose identity is returned; "" where none waits."""
    there = table.update(thread["PK"], thread["SK"], "SET identities = if_not_exists(identities, :identities)", identities=thread["identities"])
    if there.get("awaited_by"):
        release(table, thread["PK"], thread["SK"], there["awaited_by"], there["identities"], scope)
    return str(there["identities"][0]) if there.get("awaited_by") else ""


def release(table: Table, pk: str, sk: str, reply_ids: Iterable[str], identities: Sequence[str], scope: str) -> None:
    """Put waiting replies on the customer's timeline, then forget that they waited."""
    for reply_id in sorted(reply_ids):
        if identities:
            _place(table, reply_id, identities, scope)
    if identities:
        table.update(pk, sk, "DELETE awaited_by :replies", replies=set(reply_ids))


def _place(table: Table, reply_id: str, identities: Sequence[str], scope: str) -> None:
    address = signal_key(reply_id)
    reply = table.get(address["PK"], address["SK"])
    if not reply or "identity" in reply or "occurred_at" not in reply:
        return
    place = placement(identities, reply["occurred_at"], reply_id, scope)
    try:
        table.update(
            address["PK"], address["SK"], "SET #identity = :identity, #at = :at, identities = :identities", "attribute_not_exists(#identity)",
            names={"#identity": "identity", "#at": "at"}, identities=list(identities), **place,
        )
    except ConditionFailed:
        return


def _is_unaddressed(signal: Signal) -> bool:
    return signal.direction == OUTBOUND and not signal.identities


def _speaks_for_thread(row: Item) -> bool:
    """A person in a private thread; or who opened a public one, where the channel says that its id is not the post's own."""
    attributes = read_attributes(row)
    return bool(attributes.get(OPENS_THREAD)) or (row["kind"] in PRIVATE_KINDS and not attributes.get(AUTO_REPLY))


def _targets(signal: Signal) -> list[Item]:
    return _where(signal.channel, signal.source, signal.parent_id, signal.thread_id)


def _row_targets(row: Item) -> list[Item]:
    return _where(row["channel"], row["source"], row.get("parent_id"), row.get("thread_id"))


def _where(channel: str, source: str, parent_id: str | None, thread_id: str | None) -> list[Item]:
    """The parent's row, the thread's first post, the thread's own row: in this order."""
    posts = [signal_key(signal_id(channel, source, native_id)) for native_id in (parent_id, thread_id) if native_id]
    return [*posts, _thread_key(channel, source, thread_id)] if thread_id else posts


def private_thread(row: Mapping[str, object]) -> str:
    """The partition of the thread of a private row: the thread with one person; "" for none."""
    if not row.get("thread_id") or row.get("kind") not in PRIVATE_KINDS:
        return ""
    return str(_thread_key(str(row["channel"]), str(row["source"]), str(row["thread_id"]))["PK"])


def _thread_key(channel: str, source: str, thread_id: str) -> Item:
    return key(f"THREAD#{channel}/{source}/{thread_id}", "THREAD")
