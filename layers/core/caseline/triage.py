"""Triage: from stream records of rows that need a case to runs of the state machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from caseline.customers import customer_id_of, load_customers
from caseline.images import deserialise
from caseline.runs import Runs, run_key
from caseline.storms.counting import Heard, Storms
from caseline.table import Item, Table
from caseline.timeline import read_text

# `freed`: out of a case, as its customer was split from another, or as it came after people had closed it.
JUDGED = "state need category rank identity reposts freed".split()


def triage(
    records: Sequence[Mapping[str, Any]], table: Table, runs: Runs, scope_of: Callable[[str], str], storms: Storms | None = None
) -> None:
    """Start or feed one run for each customer, brand and category that the records concern. What waits is a signal's id or a case's key.

    Signals that `storms` takes belong to an incident and start no run.
    """
    rows = [row for record in records for row in _concerned(record)]
    for case in (case for record in records if (case := _unpushed(record))):
        runs.add(run_key(case["customer_id"], case["brand"], case["category"]), [case["case_key"]])
    for run_of, signal_ids in sorted(_group(rows, table, scope_of, storms).items()):
        runs.add(run_of, signal_ids)


def _concerned(record: Mapping[str, Any]) -> list[Item]:
    """The signal as it is now and, where an edit or a deletion changed what the case rests on, as it was."""
    images = record["dynamodb"]
    new = deserialise(images.get("NewImage", {}))
    old = deserialise(images.get("OldImage", {}))
    if new.get("type") != "signal" or (old and not _changed(old, new)):
        return []
    return [row for row in _distinct(new, old) if row.get("need") == "due" and row.get("identity")]


def _unpushed(record: Mapping[str, Any]) -> Item | None:
    """A case that changed outside a run, and that the CRM should know of."""
    row = deserialise(record["dynamodb"].get("NewImage", {}))
    return row if row.get("type") == "case" and row.get("push") == "wanted" else None


def _changed(old: Item, new: Item) -> bool:
    """Our own bookkeeping on a row is no change."""
    return any(old.get(name) != new.get(name) for name in JUDGED) or read_text(old) != read_text(new)


def _distinct(new: Item, old: Item) -> Iterable[Item]:
    yield new
    if (old.get("need"), old.get("category")) != (new.get("need"), new.get("category")):
        yield old


def _group(rows: Sequence[Item], table: Table, scope_of: Callable[[str], str], storms: Storms | None) -> dict[str, set[str]]:
    heard = _heard(rows, table, scope_of)
    taken = storms.take(_newest(heard)) if storms and heard else set()
    groups: dict[str, set[str]] = defaultdict(set)
    for each in heard:
        if each.signal_id not in taken:
            groups[run_key(each.customer_id, each.row["brand"], each.row["category"])].add(each.signal_id)
    return groups


def _newest(heard: Sequence[Heard]) -> list[Heard]:
    """Each signal once, as it is now."""
    newest: dict[str, Heard] = {}
    for each in heard:
        if each.signal_id not in newest or each.row["rank"] > newest[each.signal_id].row["rank"]:
            newest[each.signal_id] = each
    return list(newest.values())


def _heard(rows: Sequence[Item], table: Table, scope_of: Callable[[str], str]) -> list[Heard]:
    nodes = [customer_id_of(row["identities"][0], scope_of(row["brand"])) for row in rows]
    customers = load_customers(table, nodes) if nodes else {}
    return [
        Heard(row, customers[node]["customer_id"] if node in customers else node, customers.get(node), scope_of(row["brand"]))
        for row, node in zip(rows, nodes, strict=True)
    ]
