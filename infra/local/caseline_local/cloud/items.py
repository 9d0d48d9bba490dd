"""The changes of the API call in progress, which are undone whole or kept whole, and moto's store behind them."""

from __future__ import annotations

import json
from typing import Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from caseline_local.cloud.hooks import Change
from caseline_local.cloud.index import index_of
from caseline_local.cloud.limits import item_fault
from caseline_local.cloud.stored import StoredItem, freeze


class Changes:
    """What one API call wrote. Several writes of one item are one change; a call that failed is undone whole."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, Any, Any], tuple[Any, StoredItem | None, StoredItem | None]] = {}

    def note(self, table: Any, old: Item | None, new: Item | None) -> None:
        """Called after moto wrote: the item is stored in our form, unless it breaks a limit."""
        item: Any = new or old
        place = (table.name, item.hash_key, item.range_key)
        stored = freeze(new) if new is not None else None
        before: Any = self._written[place][1] if place in self._written else old
        self._written[place] = (table, before, stored)
        store_item(table, item.hash_key, item.range_key, stored)
        index_of(table).replace(old, stored)
        if stored is not None and (fault := item_fault(stored.image())):
            raise MockValidationException(fault)

    def undo(self) -> None:
        for (_, hash_key, range_key), (table, old, new) in self._written.items():
            index_of(table).replace(new, old)
            store_item(table, hash_key, range_key, old)
        self._written.clear()

    def list(self) -> list[Change]:
        """The changes that changed something."""
        return [_change(*written) for written in self._written.values() if _text(written[1]) != _text(written[2])]

    def forget(self) -> None:
        """They are kept elsewhere: nothing is left to undo."""
        self._written.clear()


def _text(item: StoredItem | None) -> str | None:
    return item.text if item is not None else None


def _change(table: Any, old: StoredItem | None, new: StoredItem | None) -> Change:
    before, after = old.image() if old else None, new.image() if new else None
    image: Any = after or before
    keys = {name: image[name] for name in (table.hash_key_attr, table.range_key_attr) if name}
    return Change(table, keys, before, after, _text(new))


def store_item(table: Any, hash_key: DynamoType, range_key: DynamoType | None, item: StoredItem | None) -> None:
    """Put into moto's store, or take out of it, without a record."""
    shelf, place = (table.items[hash_key], range_key) if table.range_key_attr else (table.items, hash_key)
    if item is None:
        shelf.pop(place, None)
    else:
        shelf[place] = item


def load_item(table: Any, text: str) -> None:
    image = json.loads(text)
    hash_key = DynamoType(image[table.hash_key_attr])
    range_key = DynamoType(image[table.range_key_attr]) if table.range_key_attr else None
    item = StoredItem(hash_key, range_key, text)
    store_item(table, hash_key, range_key, item)
    index_of(table).replace(None, item, image)
