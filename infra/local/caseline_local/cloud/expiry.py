"""DynamoDB's time to live: what has expired is deleted, with a record in the stream. AWS takes up to some days, this a quarter of an hour."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from caseline_local.cloud.database import Database

_EVERY_SECONDS = 900.0
_FIND = "SELECT pk, sk FROM items WHERE table_name = ? AND CAST(json_extract(image, ?) AS REAL) < ?"


class Expiry:
    """`tables` gives moto's tables by name, `delete` makes a DeleteItem request."""

    def __init__(self, database: Database, tables: Callable[[], Mapping[str, Any]], delete: Callable[[bytes], Any]) -> None:
        self._database, self._tables, self._delete = database, tables, delete
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def sweep(self, now: float) -> None:
        """Delete what expired before `now`, in epoch seconds."""
        for name, table in list(self._tables().items()):
            if table.ttl.get("TimeToLiveStatus") == "ENABLED":
                self._sweep_table(table, name, table.ttl["AttributeName"], now)

    def _sweep_table(self, table: Any, name: str, attribute: str, now: float) -> None:
        for values in self._database.read(_FIND, name, f'$."{attribute}".N', now):
            if self._stopping.is_set():
                return
            self._delete(json.dumps(_request(table, values, attribute, now)).encode())

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_SECONDS):
            self.sweep(time.time())


def _request(table: Any, values: tuple[str, str], attribute: str, now: float) -> dict[str, Any]:
    """On condition that it is still expired: it may have been written again since."""
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    return {
        "TableName": table.name,
        "Key": {name: json.loads(value) for name, value in zip(names, values, strict=False)},
        "ConditionExpression": "#e < :now",
        "ExpressionAttributeNames": {"#e": attribute},
        "ExpressionAttributeValues": {":now": {"N": str(int(now))}},
    }
