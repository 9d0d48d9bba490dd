"""The one DynamoDB table, behind plain dicts. Keys are `PK` and `SK`; indexes are `timeline`, `lists` and `due`, of which the last two hold keys alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caseline.errors import UnavailableError
from caseline.expressions import conditioned, expressions, insert_statement, query_request
from caseline.images import Item as Item
from caseline.images import deserialise, image_of

_CHUNK = {"get": 100, "statement": 25}
NEVER = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied", "ResourceNotFound"})
# Two Lambdas at the same item: DynamoDB refuses one of them at once, where an emulator lets it wait. No client retries these by itself.
_CONTENDED = frozenset({"TransactionConflictException", "TransactionInProgressException"})
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_RETRIES = 5
_INVALID = frozenset({"ValidationException", "SerializationException"})


class ConditionFailed(Exception):  # noqa: N818 - the outcome of a condition, which callers expect
    """A conditional write lost; `item` is what stands, where DynamoDB returned it."""

    def __init__(self, item: Item | None = None) -> None:
        super().__init__("condition failed")
        self.item = item


class InvalidError(UnavailableError):
    """DynamoDB will never take this request, however often it is sent."""


def key(pk: str, sk: str) -> Item:
    return {"PK": pk, "SK": sk}


@dataclass(frozen=True)
class Inserted:
    """What an insert of many found: items whose key existed, and items that break a rule of DynamoDB (size, nesting)."""

    existing: list[Item]
    refused: list[Item]


class Table:
    """`client` is a low-level DynamoDB client; `sleep` waits between retries of unprocessed keys."""

    def __init__(self, client: Any, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.client, self.name, self._sleep = client, name, sleep

    def get(self, pk: str, sk: str, consistent: bool = True) -> Item | None:
        found = self._call("get_item", Key=image_of(key(pk, sk)), ConsistentRead=consistent).get("Item")
        return deserialise(found) if found else None

    def get_many(self, keys: Sequence[Item], consistent: bool = True) -> list[Item]:
        """The items that exist, in no order; 100 keys a call."""
        unique = list({(k["PK"], k["SK"]): k for k in keys}.values())
        found: list[Item] = []
        for start in range(0, len(unique), _CHUNK["get"]):
            found += self._get_chunk(unique[start : start + _CHUNK["get"]], consistent)
        return found

    def _get_chunk(self, keys: Sequence[Item], consistent: bool) -> list[Item]:
        wanted: Any = {self.name: {"Keys": [image_of(k) for k in keys], "ConsistentRead": consistent}}
        found: list[Item] = []
        for attempt in range(8):
            answer = self._raw("batch_get_item", RequestItems=wanted)
            found += [deserialise(image) for image in answer["Responses"].get(self.name, [])]
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return found
            self._sleep(0.05 * 2**attempt)
        raise UnavailableError("the table left keys unprocessed")

    def put(self, item: Item, condition: str | None = None, **values: Any) -> None:
        self._call("put_item", Item=image_of(item), **conditioned(condition, values))

    def delete(self, pk: str, sk: str, condition: str | None = None, **values: Any) -> None:
        self._call("delete_item", Key=image_of(key(pk, sk)), **conditioned(condition, values))

    def update(self, pk: str, sk: str, expression: str, condition: str | None = None, names: Mapping[str, str] | None = None, **values: Any) -> Item:
        """Apply an update expression (`:name` for each keyword value, `names` for `#name`) and return the new item."""
        request = conditioned(condition, values, names, expression)
        answer = self._call("update_item", Key=image_of(key(pk, sk)), ReturnValues="ALL_NEW", **request)
        return deserialise(answer["Attributes"])

    def insert_many(self, items: Sequence[Item]) -> Inserted:
        """Insert what is not there yet, 25 a call; says which keys existed and which items DynamoDB will never take."""
        outcome = Inserted([], [])
        for start in range(0, len(items), _CHUNK["statement"]):
            self._insert_chunk(items[start : start + _CHUNK["statement"]], outcome)
        return outcome

    def _insert_chunk(self, items: Sequence[Item], outcome: Inserted) -> None:
        waiting = list(items)
        for attempt in range(8):
            statements = [insert_statement(self.name, item) for item in waiting]
            try:
                answers = self._raw("batch_execute_statement", Statements=statements)["Responses"]
            except InvalidError:
                self._insert_singly(waiting, outcome)
                return
            codes = [answer.get("Error", {}).get("Code") for answer in answers]
            outcome.existing.extend(item for item, code in zip(waiting, codes, strict=True) if code == "DuplicateItem")
            outcome.refused.extend(item for item, code in zip(waiting, codes, strict=True) if code in NEVER)
            waiting = [item for item, code in zip(waiting, codes, strict=True) if code and code not in {"DuplicateItem", *NEVER}]
            if not waiting:
                return
            self._sleep(0.05 * 2**attempt)
        raise UnavailableError("the table refused inserts")

    def _insert_singly(self, items: Sequence[Item], outcome: Inserted) -> None:
        """One statement can make DynamoDB refuse the whole request: it must not take its neighbours with it."""
        if len(items) == 1:
            outcome.refused.extend(items)
            return
        for item in items:
            self._insert_chunk([item], outcome)

    def transact(self, *writes: Mapping[str, Any]) -> None:
        """Writes made by `put_write`, `update_write` and `delete_write`, all or none; ConditionFailed if a condition lost."""
        self._raw("transact_write_items", TransactItems=list(writes))

    def put_write(self, item: Item, condition: str | None = None, **values: Any) -> Mapping[str, Any]:
        return {"Put": {"TableName": self.name, "Item": image_of(item), **expressions(condition, values)}}

    def update_write(
        self, pk: str, sk: str, expression: str, condition: str | None = None, names: Mapping[str, str] | None = None, **values: Any
    ) -> Mapping[str, Any]:
        return {"Update": {"TableName": self.name, "Key": image_of(key(pk, sk)), **expressions(condition, values, names, expression)}}

    def delete_write(self, pk: str, sk: str, condition: str | None = None, **values: Any) -> Mapping[str, Any]:
        return {"Delete": {"TableName": self.name, "Key": image_of(key(pk, sk)), **expressions(condition, values)}}

    def query(
        self, pk: str, index: str | None = None, before: str | None = None, prefix: str | None = None, limit: int | None = None, newest_first: bool = False,
        since: str | None = None,
    ) -> Iterator[Item]:  # fmt: skip
        """The partition's items by sort key. One of `before`, `prefix` and `since` bounds the sort key; pages are read as they are used."""
        request = query_request(pk, index, before, prefix, limit, newest_first, since)
        seen = 0
        while True:
            answer = self._call("query", **request)
            for image in answer["Items"]:
                yield deserialise(image)
            seen += len(answer["Items"])
            if "LastEvaluatedKey" not in answer or (limit and seen >= limit):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def list_rows(self, list_name: str, before: str | None = None, limit: int | None = None) -> Iterator[Item]:
        """The rows of a list, from the end of its ranks. Its index holds keys alone: each 100 rows are one query and one batch read.

        A row that has left the list since the index was written is left out; fewer than `limit` come only at the list's end.
        """
        seen = 0
        while True:
            size = min(_CHUNK["get"], limit - seen if limit else _CHUNK["get"])
            entries = list(islice(self.query(list_name, index="lists", before=before, limit=size, newest_first=True), size))
            for row in self._rows_of(entries, list_name):
                seen += 1
                yield row
            if len(entries) < size or (limit and seen >= limit):
                return
            before = entries[-1]["list_rank"]

    def _rows_of(self, entries: Sequence[Item], list_name: str) -> Iterator[Item]:
        """In the entries' order and at their ranks, from which the next page goes on, wherever a row stands by now."""
        rows = {(row["PK"], row["SK"]): row for row in self.get_many([key(entry["PK"], entry["SK"]) for entry in entries], consistent=False)} if entries else {}
        for entry in entries:
            row = rows.get((entry["PK"], entry["SK"]))
            if row and row.get("list_name") == list_name:
                yield row | {"list_rank": entry["list_rank"]}

    def _call(self, operation: str, **request: Any) -> Any:
        return self._raw(operation, TableName=self.name, **request)

    def _raw(self, operation: str, **request: Any) -> Any:
        for attempt in count():
            try:
                return getattr(self.client, operation)(**request)
            except ClientError as error:
                if attempt == _RETRIES or not _is_contended(error):
                    raise _translate(error) from error
            except BotoCoreError as error:
                raise UnavailableError(f"the table did not answer {operation}") from error
            self._sleep(0.02 * 2**attempt)
        raise AssertionError("not reached")


def _is_contended(error: ClientError) -> bool:
    """Somebody else is writing the same item, or the table is catching up: nothing was written, so the same may be tried again."""
    reasons = _reasons(error) - {None, "None"}
    return error.response["Error"]["Code"] in _CONTENDED or (bool(reasons) and reasons <= _PASSING)


def _reasons(error: ClientError) -> set[str | None]:
    return {reason.get("Code") for reason in error.response.get("CancellationReasons", ())}


def _translate(error: ClientError) -> Exception:
    code, reasons = error.response["Error"]["Code"], _reasons(error)
    if code == "ConditionalCheckFailedException" or reasons & {"ConditionalCheckFailed", "DuplicateItem"}:
        item = error.response.get("Item")
        return ConditionFailed(deserialise(item) if item else None)
    if code in _INVALID:
        return InvalidError(f"the table answered {code}")
    return UnavailableError(f"the table answered {code}")
