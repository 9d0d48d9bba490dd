"""A cloud in memory for thousands of signals: the table with its indexes and its stream. `Pipeline(MemoryCloud())` works as with moto, and far faster."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from threading import RLock
from types import SimpleNamespace
from typing import Any

from caseline.expressions import INDEX_KEYS
from caseline_local.cloud.hooks import Change
from caseline_local.cloud.records import as_record

from tests.kit.aws import KEYS_ALONE
from tests.kit.memory import MemoryClient, Row, _from_dynamo, _key, _to_dynamo, _write

_TABLE = SimpleNamespace(region_name="local", table_arn="arn:aws:dynamodb:local:1:table/Caseline", latest_stream_label="1")
_INDEXES = {name: keys for name, keys in INDEX_KEYS.items() if name}


def _image(row: Row) -> Row:
    """As a stream record has it, which is JSON."""
    return {name: {"B": base64.b64encode(bytes(value["B"])).decode()} if "B" in value else value for name, value in _write(row).items()}


class IndexedClient(MemoryClient):
    """Knows which rows an index holds under a value, inserts by statement, and remembers what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []
        self._lock = RLock()
        self._held: dict[tuple[str, Any], dict[tuple[str, str], None]] = defaultdict(dict)

    def _apply(self, kind: str, request: Mapping[str, Any]) -> None:
        key = _key(request)
        old = self._find(key)
        super()._apply(kind, request)
        new = self._find(key)
        for name, (hash_name, _) in _INDEXES.items():
            place = (key["PK"], key["SK"])
            if old and hash_name in old:
                self._held[(name, old[hash_name])].pop(place, None)
            if new and hash_name in new:
                self._held[(name, new[hash_name])][place] = None
        if old != new:
            self.changes.append(Change(_TABLE, _write(key), _image(old) if old else None, _image(new) if new else None, None))

    def query(self, KeyConditionExpression: str, ExpressionAttributeNames: Any, ExpressionAttributeValues: Any, **more: Any) -> Any:  # noqa: N803
        with self._lock:  # customers' partitions are read in parallel
            return self._query(KeyConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues, **more)

    def _query(self, KeyConditionExpression: str, ExpressionAttributeNames: Any, ExpressionAttributeValues: Any, **more: Any) -> Any:  # noqa: N803
        every, index = self.rows, more.get("IndexName")
        if index:
            held = self._held[(index, _from_dynamo(ExpressionAttributeValues[":h"]))]
            self.rows = {f"{pk} {sk}": {sk: every[pk][sk]} for pk, sk in held}
        try:
            found = super().query(KeyConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues, **more)
            return {"Items": [{name: row[name] for name in ("PK", "SK", *_INDEXES[index])} for row in found["Items"]]} if index in KEYS_ALONE else found
        finally:
            self.rows = every

    def batch_execute_statement(self, Statements: Sequence[Any]) -> Any:  # noqa: N803
        return {"Responses": [self._insert(statement["Statement"], statement["Parameters"]) for statement in Statements]}

    def _insert(self, statement: str, parameters: Sequence[Any]) -> Any:
        names = [part.split(":")[0].strip().strip("'") for part in statement[statement.index("{") + 1 : statement.rindex("}")].split(",")]
        row = dict(zip(names, map(_from_dynamo, parameters), strict=True))
        if self._find(row):
            return {"Error": {"Code": "DuplicateItem"}}
        self._apply("Put", {"Item": {name: _to_dynamo(value) for name, value in row.items()}})
        return {}

    def get_paginator(self, _operation: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Iterator[Any]:
        yield {"Items": [_write(row) for part in self.rows.values() for row in part.values()]}


class MemoryCloud:
    table = "Caseline"

    def __init__(self) -> None:
        self._client, self._number = IndexedClient(), 0

    def client(self, _service: str) -> IndexedClient:
        return self._client

    def stream_records(self) -> list[dict[str, Any]]:
        """The records written since the last call, oldest first."""
        changes, self._client.changes = self._client.changes, []
        start, self._number = self._number + 1, self._number + len(changes)
        return [as_record(change, number) for number, change in enumerate(changes, start)]


__all__ = ["IndexedClient", "MemoryCloud", "Row"]
