"""Tombstones: what was erased stays erased, whatever is delivered late. They are hashes, and say nothing of anybody but to who asks with the very identity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from caseline.signals import CREATED
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import ERASED, GONE

BEYOND = timedelta(days=90)  # past retention: longer than queues, dead letters and kept objects together
FORGOTTEN = "forgotten"
LAST_WORD = " erased"  # a rank: nothing that comes is newer
LAST = key("TOMBSTONES", "ANY")
_SIEVE = ("TOMBSTONES", "SIEVE")
SIEVE_HOLDS = 10_000  # grains; a row takes three times as many
_KEPT = "PK SK type schema signal_id brand channel source kind direction public occurred_at received_at deliveries revisions more_duplicates expires".split()


def tombstone_key(mark: str) -> Item:
    """`mark` is the partition of an identity on the timeline, or of a thread."""
    return key("TOMBSTONE#" + hashlib.sha256(f"caseline tombstone|{mark}".encode("utf-8", "surrogatepass")).hexdigest()[:40], "TOMBSTONE")


def last_erasure(table: Table) -> str:
    """When somebody was erased last, and which erasure it was; "" for never."""
    row = table.get(LAST["PK"], LAST["SK"])
    return f"{row.get('at', '')} {row.get('number', 0)}" if row else ""


@dataclass(frozen=True)
class Sieve:
    """Through which those fall that have no tombstone, so that none is looked for: the ends of all their hashes. None: it does not know them all."""

    grains: frozenset[str] | None = None

    @classmethod
    def load(cls, table: Table) -> Sieve:
        row = table.get(*_SIEVE) or {}
        return cls(frozenset(row["grains"]) if row.get("complete") else None)

    def holds(self, mark: str) -> bool:
        return self.grains is None or _grain(mark) in self.grains


def _grain(mark: str) -> str:
    return str(tombstone_key(mark)["PK"])[-6:]


def bury(table: Table, marks: Iterable[str], at: str, expires: int) -> None:
    """That there is an erasure is written first, and once more when all are buried: whoever sees no newer one since has seen all these tombstones."""
    buried = sorted(set(marks))
    _sift(table, buried, expires)
    announce(table, at)
    for mark in buried:
        table.put(tombstone_key(mark) | {"type": "tombstone", "schema": 1, "erased_at": at, "expires": expires})
    announce(table, at)


def _sift(table: Table, marks: Sequence[str], expires: int) -> None:
    """Before anybody hears of the erasure. Complete is a sieve that began with the first of all; one that is full, or began later, is used no more."""
    expression = "SET complete = if_not_exists(complete, :first), expires = :expires, #t = :type ADD grains :grains"
    values: dict[str, Any] = {"first": not last_erasure(table), "expires": expires, "type": "tombstones", "grains": set(map(_grain, marks)), "yes": True}
    with suppress(ConditionFailed):
        row = table.update(*_SIEVE, expression, "attribute_not_exists(complete) OR complete = :yes", names={"#t": "type"}, **values)
        if len(row["grains"]) > SIEVE_HOLDS:
            table.update(*_SIEVE, "SET complete = :no REMOVE grains", no=False)


def announce(table: Table, at: str) -> None:
    """Whoever remembers whom it has seen looks again."""
    names = {"#at": "at", "#t": "type", "#n": "number"}
    table.update(LAST["PK"], LAST["SK"], "SET #at = :at, #t = :type ADD #n :one", names=names, at=at, type="tombstones", one=1)


def find_buried(table: Table, marks: Iterable[str]) -> Mapping[str, str]:
    """When each of the marks was erased, of those that were; one read for all."""
    names = {str(tombstone_key(mark)["PK"]): mark for mark in set(marks)}
    rows = table.get_many([key(pk, "TOMBSTONE") for pk in sorted(names)]) if names else []
    return {names[row["PK"]]: str(row["erased_at"]) for row in rows}


def stub_of(row: Mapping[str, object]) -> Item:
    """What is left of a signal: that there was one, so that counts stand and no late copy is taken for new. No words, no name, no identity."""
    kept = {name: row[name] for name in _KEPT if name in row}
    return kept | ERASED | {"state": GONE, "rank": LAST_WORD, "born": CREATED, "identities": [], FORGOTTEN: True}
