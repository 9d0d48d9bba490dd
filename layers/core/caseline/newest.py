"""A customer's rows, newest first: the merge of the index partitions of all their identities, read in parallel, a chunk at a time."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from caseline.cases.ledger import load_cases, marked_case
from caseline.customers import identity_key, nodes_of
from caseline.table import Item, Table
from caseline.timeline import EXPECTED

_PARALLEL = 8


def newest_rows(table: Table, customer: Mapping[str, Any], chunk: int, before: str | None = None) -> Iterator[Item]:
    """Rows of all the customer's identities, newest first; one query for each identity and chunk.

    `at` begins with the time and ends with an id, so no two rows share one and it alone is the cursor.
    """
    keys = [identity_key(identity, customer.get("scope", "")) for identity in customer["identities"]]
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        firsts = list(pool.map(lambda key: _chunk(table, key, before, chunk), keys))
    partitions = [_partition(table, key, first, chunk) for key, first in zip(keys, firsts, strict=True)]
    merged = heapq.merge(*partitions, key=lambda row: str(row["at"]), reverse=True)
    own = nodes_of(customer)
    return (row for row in merged if row.get("state") != EXPECTED and not _is_told_twice(row, own))


def with_cases(table: Table, rows: Sequence[Item]) -> list[Item]:
    """The rows with the cases themselves in the place of what marks them, in one batch read."""
    marked = [case_key for row in rows if (case_key := marked_case(row))]
    cases = load_cases(table, marked) if marked else {}
    placed = ((cases.get(case_key, {}) | {"at": row["at"]} if (case_key := marked_case(row)) else row) for row in rows)
    return [row for row in placed if "type" in row]


def _is_told_twice(row: Item, own: Collection[str]) -> bool:
    """A split is told on both timelines; where the two are one customer again, once."""
    return bool(row.get("what") == "split" and row["PK"] == f"CUSTOMER#{row['split']}" and row["from"] in own)


def _partition(table: Table, key: str, rows: list[Item], chunk: int) -> Iterator[Item]:
    while rows:
        yield from rows
        rows = _chunk(table, key, rows[-1]["at"], chunk) if len(rows) == chunk else []


def _chunk(table: Table, key: str, before: str | None, chunk: int) -> list[Item]:
    return list(table.query(key, index="timeline", before=before, limit=chunk, newest_first=True))
