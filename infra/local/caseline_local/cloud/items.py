"""The items of a table beside moto's own store: sorted partitions for queries, and the changes of the API call in progress."""

from __future__ import annotations

import base64
import copy
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from caseline_local.cloud.hooks import Change
from caseline_local.cloud.limits import item_fault

SortKey = tuple[Any, ...]


def wire_value(value: DynamoType) -> dict[str, Any]:
    """A value as DynamoDB JSON, binary in base64, sets sorted so that equal ones look equal."""
    encode = _ENCODERS.get(value.type)
    return {value.type: encode(value.value) if encode else value.value}


def wire_image(item: Item) -> dict[str, Any]:
    """The item as DynamoDB JSON; kept with the item, because stored items never change."""
    image: dict[str, Any] | None = item.__dict__.get("wire")
    if image is None:
        image = item.wire = {name: wire_value(value) for name, value in item.attrs.items()}
    return image


def copy_item(item: Item) -> Item:
    """A copy that may be changed: only stored items are frozen."""
    return build_item(item.hash_key, item.range_key, {name: copy.deepcopy(value) for name, value in item.attrs.items()})


def build_item(hash_key: DynamoType, range_key: DynamoType | None, attributes: dict[str, DynamoType]) -> Item:
    """An item of ready-made values, without moto's quadratic size check."""
    item = Item(hash_key, range_key, {})
    dict.update(item.attrs, attributes)
    return item


def _encode_binary(value: str | bytes) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


_ENCODERS: dict[str, Any] = {
    "M": lambda fields: {name: wire_value(value) for name, value in fields.items()},
    "L": lambda values: [wire_value(value) for value in values],
    "B": _encode_binary,
    "BS": lambda blobs: sorted(map(_encode_binary, blobs)),
    "SS": sorted,
    "NS": sorted,
}


class Partition:
    """One hash key's items by sort key."""

    __slots__ = ("items", "keys")

    def __init__(self) -> None:
        self.keys: list[SortKey] = []
        self.items: dict[SortKey, Item] = {}

    def put(self, key: SortKey, item: Item) -> None:
        if key not in self.items:
            insort(self.keys, key)
        self.items[key] = item

    def drop(self, key: SortKey) -> None:
        if self.items.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def select(self, comparison: str | None, values: Sequence[Any], start: SortKey | None, forward: bool) -> Iterable[Item]:
        low, high = _bounds(self.keys, comparison, values)
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


def _bounds(keys: list[SortKey], comparison: str | None, values: Sequence[Any]) -> tuple[int, int]:
    if comparison is None:
        return 0, len(keys)
    bounds: tuple[int, int] = _BOUNDS[comparison.upper()](keys, values)
    return bounds


class Index:
    """All partitions of a table and of its secondary indexes."""

    def __init__(self, table: Any) -> None:
        self._base = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
        self._schemas = {None: self._base} | {index.name: [*index.schema_key_attrs, *self._base] for index in table.all_indexes()}
        self._partitions: dict[tuple[str | None, Any], Partition] = {}

    def partition(self, index: str | None, hash_value: Any) -> Partition:
        return self._partitions.get((index, hash_value)) or Partition()

    def sort_key(self, index: str | None, values: dict[str, Any]) -> SortKey:
        """Of an item's attributes or an exclusive start key: everything after the hash key."""
        return tuple(DynamoType(values[name]).cast_value for name in self._schemas[index][1:])

    def replace(self, old: Item | None, new: Item | None) -> None:
        for index, names in self._schemas.items():
            for item, act in ((old, self._drop), (new, self._put)):
                if item is not None and all(name in item.attrs for name in names):
                    act(index, [item.attrs[name].cast_value for name in names], item)

    def _drop(self, index: str | None, values: list[Any], item: Item) -> None:
        if partition := self._partitions.get((index, values[0])):
            partition.drop(tuple(values[1:]))

    def _put(self, index: str | None, values: list[Any], item: Item) -> None:
        self._partitions.setdefault((index, values[0]), Partition()).put(tuple(values[1:]), item)


class Changes:
    """What one API call wrote. Several writes of one item are one change; a call that failed is undone whole."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, Any, Any], tuple[Any, Item | None, Item | None]] = {}

    def note(self, table: Any, old: Item | None, new: Item | None) -> None:
        item: Any = new or old
        place = (table.name, item.hash_key, item.range_key)
        before = self._written[place][1] if place in self._written else old
        self._written[place] = (table, before, new)
        index_of(table).replace(old, new)
        if new is not None and (fault := item_fault(wire_image(new))):
            raise MockValidationException(fault)

    def undo(self) -> None:
        for (_, hash_key, range_key), (table, old, new) in self._written.items():
            index_of(table).replace(new, old)
            store_item(table, hash_key, range_key, old)
        self._written.clear()

    def take(self) -> list[Change]:
        """The changes that changed something; starts afresh."""
        changes = [Change(table, _keys(table, old or new), old and wire_image(old), new and wire_image(new)) for table, old, new in self._written.values()]
        self._written.clear()
        return [change for change in changes if change.old != change.new]


def _keys(table: Any, item: Any) -> dict[str, Any]:
    return {name: wire_value(item.attrs[name]) for name in (table.hash_key_attr, table.range_key_attr) if name}


def index_of(table: Any) -> Index:
    index: Index | None = table.__dict__.get("caseline_index")
    if index is None:
        index = table.caseline_index = Index(table)
    return index


def store_item(table: Any, hash_key: DynamoType, range_key: DynamoType | None, item: Item | None) -> None:
    """Put into moto's store, or take out of it, without a record."""
    shelf, place = (table.items[hash_key], range_key) if table.range_key_attr else (table.items, hash_key)
    if item is None:
        shelf.pop(place, None)
    else:
        shelf[place] = item


def load_item(table: Any, image: dict[str, Any]) -> None:
    hash_key = DynamoType(image[table.hash_key_attr])
    range_key = DynamoType(image[table.range_key_attr]) if table.range_key_attr else None
    item = build_item(hash_key, range_key, {name: DynamoType(value) for name, value in image.items()})
    item.wire = image
    store_item(table, hash_key, range_key, item)
    index_of(table).replace(None, item)
