"""Tombstones: what was erased stays erased, whatever is delivered late. They are hashes, and say nothing of anybody but to who asks with the very identity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta

from caseline.signals import CREATED
from caseline.table import Item, Table, key
from caseline.timeline import ERASED, GONE

BEYOND = timedelta(days=90)  # past retention: longer than queues, dead letters and kept objects together
FORGOTTEN = "forgotten"
LAST_WORD = " erased"  # a rank: nothing that comes is newer
LAST = key("TOMBSTONES", "ANY")
_KEPT = "PK SK type schema signal_id brand channel source kind direction public occurred_at received_at deliveries revisions more_duplicates expires".split()


def tombstone_key(mark: str) -> Item:
    """`mark` is the partition of an identity on the timeline, or of a thread."""
    return key("TOMBSTONE#" + hashlib.sha256(f"caseline tombstone|{mark}".encode("utf-8", "surrogatepass")).hexdigest()[:40], "TOMBSTONE")


def last_erasure(table: Table) -> str:
    """When somebody was erased last, and which erasure it was; "" for never."""
    row = table.get(LAST["PK"], LAST["SK"])
    return f"{row.get('at', '')} {row.get('number', 0)}" if row else ""


def bury(table: Table, marks: Iterable[str], at: str, expires: int) -> None:
    """That there is an erasure is written first, and once more when all are buried: whoever sees no newer one since has seen all these tombstones."""
    announce(table, at)
    for mark in sorted(set(marks)):
        table.put(tombstone_key(mark) | {"type": "tombstone", "schema": 1, "erased_at": at, "expires": expires})
    announce(table, at)


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
