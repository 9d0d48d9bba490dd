"""Domain events and counts, both from the table's stream: what was written is what happened.

Counts are exact against redelivery: each counts row remembers the stream records it has taken in last.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from caseline.carts import ABANDONED
from caseline.cases.ledger import count_of
from caseline.images import deserialise
from caseline.signals import POINTER
from caseline.table import ConditionFailed, Item, Table

SOURCE = "caseline"
ENTRIES_A_CALL = 10
MARK = 6  # bytes
REMEMBERED = 400  # stream records; a failed batch of at most 100 comes again long before as many others
COUNTS, ALL = "COUNTS", "ALL"
REPLAYED = "replayed"  # the state caseline.quarantine gives a row; naming that module would load the policy's libraries into this function


@dataclass(frozen=True)
class Happening:
    """One stream record with its images as plain values."""

    record_id: str
    old: Item
    new: Item


def read_records(records: Sequence[Mapping[str, Any]]) -> list[Happening]:
    return [Happening(r["eventID"][:12], deserialise(r["dynamodb"].get("OldImage", {})), deserialise(r["dynamodb"].get("NewImage", {}))) for r in records]


# ---- events


def events_of(happening: Happening) -> Iterator[tuple[str, dict[str, Any]]]:
    """(detail-type, detail) of what a record says has happened; no customer text in either."""
    old, new = happening.old, happening.new
    if new.get("type") == "signal" and _is_recorded(old, new):
        yield "Signal Recorded", _signal_detail(new)
        yield from _cart_events(new)
    if new.get("type") == "case":
        yield from _case_events(old, new)


def _cart_events(row: Item) -> Iterator[tuple[str, dict[str, Any]]]:
    """For interventions: which cart rests, and why it likely does."""
    told = json.loads(row["attributes"]) if row.get("kind") == "cart_event" and row.get("attributes") else {}
    if told.get("stage") == ABANDONED:
        facts = {name: told[name] for name in ("cause", "active_at", "value", "currency") if name in told}
        yield "cart.abandoned", {name: row.get(name) for name in ("signal_id", "channel", "source", "brand")} | {"cart": row.get("thread_id")} | facts


def _case_events(old: Item, new: Item) -> Iterator[tuple[str, dict[str, Any]]]:
    detail = _case_detail(new)
    for miss in list(new.get("missed") or ())[len(old.get("missed") or ()) :]:
        yield "Case Deadline Missed", detail | {"deadline": {name: miss[name] for name in ("clock", "since", "due_at", "band")}}
    if not old:
        yield "Case Opened", detail
        return
    if (old["priority"]["score"], old["priority"]["band"]) != (new["priority"]["score"], new["priority"]["band"]):
        yield "Case Priority Changed", detail | {"previous": {"score": old["priority"]["score"], "band": old["priority"]["band"]}}
    if (old["status"], new["status"]) == ("open", "closed"):
        yield "Case Closed", detail
    if old.get("pushed_version") != new.get("pushed_version"):
        yield "Case Saved", detail


def _signal_detail(row: Item) -> dict[str, Any]:
    names = "signal_id channel source brand kind direction public occurred_at need need_reason category".split()
    return {name: row.get(name) for name in names} | {"sentiment": row["assessment"].get("sentiment"), "unscored": row["assessment"].get("unscored")}


def _case_detail(row: Item) -> dict[str, Any]:
    names = "case_key customer_id brand category status queue opened_at version signal_count channels".split()
    counted = {"signal_count": count_of(row)} if row.get("parted") else {}
    priority = {"score": row["priority"]["score"], "band": row["priority"]["band"]}
    return {name: row.get(name) for name in names} | counted | {"priority": priority, "crm": row.get("crm")}


def put_events(happenings: Iterable[Happening], bus: str, send: Callable[[list[dict[str, str]]], None]) -> None:
    """Ten entries a call; `send` raises unless all of them were taken."""
    events = [event for happening in happenings for event in events_of(happening)]
    entries = [{"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail, default=str), "EventBusName": bus} for kind, detail in events]
    for start in range(0, len(entries), ENTRIES_A_CALL):
        send(entries[start : start + ENTRIES_A_CALL])


# ---- counts


def fold_counts(table: Table, happenings: Sequence[Happening]) -> None:
    """Add what the records say to the counts of their sources, each record once. ConditionFailed when others keep writing."""
    for _ in range(20):
        row = table.get(COUNTS, ALL) or {"PK": COUNTS, "SK": ALL, "type": "counts", "schema": 1, "version": 0, "seen": b"", "sources": {}}
        seen = _seen(row)
        fresh = [happening for happening in happenings if _mark(happening.record_id) not in seen]
        changes = _changes(fresh)
        if not changes:
            return None
        try:
            return _write(table, row, fresh, changes)
        except ConditionFailed:
            continue
    raise ConditionFailed()


def _write(table: Table, row: Item, fresh: Sequence[Happening], changes: Mapping[str, Item]) -> None:
    sources = {**row["sources"], **{name: _added(row["sources"].get(name, {}), change) for name, change in changes.items()}}
    seen = [*_seen(row), *(_mark(happening.record_id) for happening in fresh if _count(happening))][-REMEMBERED:]
    wanted = {**row, "sources": sources, "seen": b"".join(seen), "version": row["version"] + 1}
    if row["version"]:
        table.put(wanted, "version = :version", version=row["version"])
    else:
        table.put(wanted, "attribute_not_exists(PK)")


def _seen(row: Item) -> list[bytes]:
    """The marks of what was taken in, the oldest first; rows from before have the ids themselves."""
    if isinstance(row["seen"], list):
        return [_mark(record_id) for record_id in row["seen"]]
    marks = bytes(row["seen"])
    return [marks[start : start + MARK] for start in range(0, len(marks), MARK)]


def _mark(record_id: str) -> bytes:
    """Short, because the row is written with every batch."""
    return blake2b(record_id.encode(), digest_size=MARK).digest()


def _changes(happenings: Sequence[Happening]) -> dict[str, Item]:
    changes: dict[str, Item] = defaultdict(dict)
    for happening in happenings:
        for name, number in _count(happening).items():
            source = f"{happening.new['channel']}/{happening.new['source']}"
            changes[source][name] = changes[source].get(name, 0) + number
            changes[source]["last_event"] = max(str(changes[source].get("last_event", "")), str(happening.new.get("received_at", "")))
    return changes


def _count(happening: Happening) -> dict[str, int]:
    """What one record adds: the difference between what the two images stand for."""
    old, new = happening.old, happening.new
    if new.get("type") not in ("signal", "quarantine") or "channel" not in new:
        return {}
    before, after = _standing(old), _standing(new)
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def _standing(row: Item) -> dict[str, int]:
    if row.get("type") == "quarantine":
        replayed = row["state"] == REPLAYED
        return _tally(quarantined=int(not replayed), replayed=int(row.get("brought", 1)) - 1 if replayed else 0)
    if row.get("type") != "signal" or row["state"] == "expected":
        return _tally()
    deliveries = len(row.get("deliveries", ())) + row.get("more_duplicates", 0)
    return _tally(recorded=1, revised=row["revisions"], duplicates=deliveries - 1 - row["revisions"])


def _tally(**counts: int) -> dict[str, int]:
    """`replayed` is how many more signals than one what was kept as one has brought since: they were never accepted at the door."""
    return {"recorded": 0, "revised": 0, "duplicates": 0, "quarantined": 0, "replayed": 0} | counts


def _added(counts: Mapping[str, Any], change: Mapping[str, Any]) -> Item:
    total: Item = {name: counts.get(name, 0) + change.get(name, 0) for name in _tally()}
    return total | {"last_event": max(str(counts.get("last_event", "")), str(change.get("last_event", "")))}


def _is_recorded(old: Item, new: Item) -> bool:
    first = not old or old["state"] == "expected"
    return bool(new["state"] == "live" and (first or (old.get("kind") == POINTER and new["kind"] != POINTER)))
