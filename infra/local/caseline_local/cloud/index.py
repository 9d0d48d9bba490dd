"""Sorted partitions of a table and of its secondary indexes, and DynamoDB's Query over them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

from caseline_local.cloud.stored import StoredItem

SortKey = tuple[Any, ...]
_PAGE_BYTES = 1_000_000


class Partition:
    """One hash key's items by sort key."""

    __slots__ = ("items", "keys")

    def __init__(self) -> None:
        self.keys: list[SortKey] = []
        self.items: dict[SortKey, StoredItem] = {}

    def put(self, key: SortKey, item: StoredItem) -> None:
        if key not in self.items:
            insort(self.keys, key)
        self.items[key] = item

    def drop(self, key: SortKey) -> None:
        if self.items.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def select(self, comparison: str | None, values: Sequence[Any], start: SortKey | None, forward: bool) -> Iterable[StoredItem]:
        low, high = _BOUNDS[comparison.upper()](self.keys, values) if comparison else (0, len(self.keys))
        if start is not None:
            low, high = (max(low, bisect_right(self.keys, start)), high) if forward else (low, min(high, bisect_left(self.keys, start)))
        places = range(low, high) if forward else range(high - 1, low - 1, -1)
        return (self.items[self.keys[place]] for place in places)


def _first(key: SortKey) -> Any:
    return key[0]


_BOUNDS: dict[str, Any] = {
    "=": lambda keys, v: (bisect_left(keys, v[0], key=_first), bisect_right(keys, v[0], key=_first)),
    "<": lambda keys, v: (0, bisect_left(keys, v[0], key=_first)),
    "<=": lambda keys, v: (0, bisect_right(keys, v[0], key=_first)),
    ">": lambda keys, v: (bisect_right(keys, v[0], key=_first), len(keys)),
    ">=": lambda keys, v: (bisect_left(keys, v[0], key=_first), len(keys)),
    "BETWEEN": lambda keys, v: (bisect_left(keys, v[0], key=_first), bisect_right(keys, v[1], key=_first)),
    "BEGINS_WITH": lambda keys, v: (bisect_left(keys, v[0], key=_first), bisect_right(keys, v[0] + "\U0010ffff", key=_first)),
}


class Index:
    """All partitions of a table: its own under None, those of a secondary index under its name."""

    def __init__(self, table: Any) -> None:
        self._base = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
        self._schemas: dict[str | None, list[str]] = {None: self._base}
        self._schemas |= {index.name: [*index.schema_key_attrs, *self._base] for index in table.all_indexes()}
        self._partitions: dict[tuple[str | None, Any], Partition] = {}

    def partition(self, index: str | None, hash_value: Any) -> Partition:
        return self._partitions.get((index, hash_value)) or Partition()

    def sort_key(self, index: str | None, values: dict[str, Any]) -> SortKey:
        """Of an exclusive start key: everything after the hash key."""
        return tuple(DynamoType(values[name]).cast_value for name in self._schemas[index][1:])

    def replace(self, old: Item | None, new: StoredItem | None, image: dict[str, Any] | None = None) -> None:
        """`image` is the new item's, if the caller has it."""
        if isinstance(old, StoredItem):
            for index, key in self._keys(old.image()):
                if partition := self._partitions.get((index, key[0])):
                    partition.drop(key[1:])
        if new is not None:
            for index, key in self._keys(image or new.image()):
                self._partitions.setdefault((index, key[0]), Partition()).put(key[1:], new)

    def _keys(self, image: dict[str, Any]) -> Iterable[tuple[str | None, SortKey]]:
        for index, names in self._schemas.items():
            if all(name in image for name in names):
                yield index, tuple(_cast(image[name]) for name in names)


def _cast(value: dict[str, Any]) -> Any:
    return value["S"] if "S" in value else DynamoType(value).cast_value


def index_of(table: Any) -> Index:
    index: Index | None = table.__dict__.get("caseline_index")
    if index is None:
        index = table.caseline_index = Index(table)
    return index


def query_table(
    table: Any,
    hash_key: DynamoType,
    comparison: str | None,
    values: Sequence[DynamoType],
    limit: int | None,
    start: dict[str, Any] | None,
    forward: bool | None,
    projections: Any,
    index_name: str | None = None,
    consistent_read: bool = False,
    filter_expression: Any = None,
    **_: Any,
) -> tuple[list[Item], int, Any]:
    """The arguments and the answer of moto's Table.query: items, how many were read, and the last key if there may be more."""
    index = index_of(table)
    after = index.sort_key(index_name, start) if start is not None else None
    found = index.partition(index_name, hash_key.cast_value).select(comparison, [value.cast_value for value in values], after, forward is not False)
    page, last = _take_page(found, limit)
    answer: list[Item] = [item for item in page if filter_expression is None or filter_expression.expr(item)]
    answer = [table.get_index(index_name).project(item) for item in answer] if index_name else answer
    answer = [item.project(projections) for item in answer] if projections else answer
    return answer, len(page), last and table._get_last_evaluated_key(last, index_name)


def _take_page(found: Iterable[StoredItem], limit: int | None) -> tuple[list[StoredItem], StoredItem | None]:
    """Up to `limit` items or 1 MB, and the last of them if there may be more."""
    page: list[StoredItem] = []
    size = 0
    for item in found:
        page.append(item)
        size += item.size()
        if len(page) == limit or size > _PAGE_BYTES:
            return page, item
    return page, None
