"""What moto holds in memory, in SQLite as well: items with their stream records, and objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from caseline_local.cloud.database import Database
from caseline_local.cloud.hooks import Change
from caseline_local.cloud.items import load_item
from caseline_local.cloud.streams import Streams

_PUT_ITEM = "INSERT INTO items VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET image = excluded.image"
_DELETE_ITEM = "DELETE FROM items WHERE table_name = ? AND pk = ? AND sk = ?"
_PUT_OBJECT = "INSERT INTO objects (bucket, name, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"


class Journal:
    def __init__(self, database: Database, streams: Streams) -> None:
        self._database, self._streams = database, streams

    def commit_changes(self, changes: Sequence[Change]) -> None:
        """Items and their stream records in one transaction; then consumers see the records."""
        if not changes:
            return
        with self._database.write() as write:
            for change in changes:
                place = (change.table.name, *map(json.dumps, _key_values(change)))
                if change.new is None:
                    write.execute(_DELETE_ITEM, place)
                else:
                    write.execute(_PUT_ITEM, (*place, change.text))
            records = self._streams.append(write, [change for change in changes if change.table.stream_specification["StreamEnabled"]])
        self._streams.show(records)

    def restore_items(self, tables: dict[str, Any]) -> None:
        for name, text in self._database.read("SELECT table_name, image FROM items"):
            if name in tables:
                load_item(tables[name], text)

    def put_object(self, bucket: str, name: str, body: bytes) -> None:
        with self._database.write() as write:
            write.execute(_PUT_OBJECT, (bucket, name, body))

    def delete_object(self, bucket: str, name: str) -> None:
        with self._database.write() as write:
            write.execute("DELETE FROM objects WHERE bucket = ? AND name = ?", (bucket, name))

    def restore_objects(self, backend: Any) -> None:
        for bucket, name, body in self._database.read("SELECT bucket, name, body FROM objects"):
            if bucket in backend.buckets:
                backend.put_object(bucket, name, body)


def _key_values(change: Change) -> tuple[Any, Any]:
    keys = [change.keys[name] for name in (change.table.hash_key_attr, change.table.range_key_attr) if name]
    return (keys[0], keys[1]) if len(keys) == 2 else (keys[0], None)
