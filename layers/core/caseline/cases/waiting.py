"""What waits for the watcher, in the order in which it is taken up: what is urgent has a list of its own."""

from __future__ import annotations

from collections.abc import Iterator

from caseline.table import Item, Table

URGENT = "urgent"  # P1 cases that the CRM did not take: they wait behind nothing else
DUE_SHARDS = (URGENT, "due")


def due_rows(table: Table) -> Iterator[Item]:
    """The keys of all that is due or will be."""
    return (row for shard in DUE_SHARDS for row in table.query(shard, index="due"))
