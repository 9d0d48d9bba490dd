"""DynamoDB: safe for threads, undone when a call fails, quick on large tables, and as strict as AWS."""

from __future__ import annotations

import functools
import threading
from typing import Any

from caseline_local.cloud.hooks import current_hooks
from caseline_local.cloud.index import query_table
from caseline_local.cloud.items import Changes
from caseline_local.cloud.stored import LazyAttributes, freeze, plain_image, select
from caseline_local.cloud.writes import insert_item, parse_insert, update_item

DYNAMO_LOCK = threading.RLock()
CHANGES = Changes()


def run_atomically(call: Any) -> tuple[int, Any, Any]:
    """One DynamoDB call under the lock: (status, headers, body). What a failed call wrote is undone, the rest is kept before the answer."""
    with DYNAMO_LOCK:
        try:
            answer: tuple[int, Any, Any] = call()
            if answer[0] < 400:
                current_hooks().commit_changes(CHANGES.list())
                CHANGES.forget()
            return answer
        finally:
            CHANGES.undo()


def lock_dynamodb() -> None:
    """moto's store is not safe for threads: conditional puts had two winners. One lock around each call, which is also the transaction."""
    from moto.dynamodb.responses import DynamoHandler

    original = DynamoHandler.call_action
    DynamoHandler.call_action = lambda self: run_atomically(functools.partial(original, self))


def freeze_items() -> None:
    """Stored items never change (an update stores a copy), so a copy of a table, which costs a transaction most of its time, is the table itself."""
    from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict
    from moto.dynamodb.models.table import SecondaryIndex, Table

    Item.__new__ = lambda cls, *args, **rest: object.__new__(cls)  # moto keeps every item ever made for its dashboard
    Table.__deepcopy__ = lambda self, memo: self
    LimitedSizeDict.__setitem__ = dict.__setitem__  # its check is quadratic; ours is made once a write
    SecondaryIndex.project = _project


def _project(index: Any, item: Any) -> Any:
    kind = (index.projection or {}).get("ProjectionType", "ALL")
    if kind == "ALL":
        return item
    names = {*index.table_key_attrs, *index.schema_key_attrs, *(index.projection.get("NonKeyAttributes", []) if kind == "INCLUDE" else [])}
    return select(freeze(item), names)


def record_changes() -> None:
    """Every write passes StreamShard.add: there it joins the changes of the call, from which come indexes, journal and stream records.
    moto's own records double an insert made by an update, and stay in memory for ever."""
    from moto.dynamodb.models.table import StreamShard, Table

    original = Table.set_stream_specification

    def set_stream_specification(self: Any, streams: Any) -> None:
        original(self, streams)
        self.stream_shard = self.stream_shard or StreamShard(self.account_id, self)

    Table.set_stream_specification = set_stream_specification
    StreamShard.add = lambda self, old, new: CHANGES.note(self.table, old, new)


def update_copies() -> None:
    """moto updates the stored item in place, and leaves an empty one behind when the update of a new item fails."""
    from moto.dynamodb.models import DynamoDBBackend

    original = DynamoDBBackend.update_item

    def update(self: Any, table_name: str, key: Any, update_expression: str, *args: Any, **rest: Any) -> Any:
        if not update_expression or args:
            return original(self, table_name, key, update_expression, *args, **rest)
        names, values = rest.pop("expression_attribute_names"), rest.pop("expression_attribute_values")
        return update_item(self, table_name, key, update_expression, names, values, rest)

    DynamoDBBackend.update_item = update


def parse_expressions_once() -> None:
    """moto parses an update expression twice for each call; validation works on a copy, so that the parsed form can be kept."""
    from moto.dynamodb.parsing.expressions import UpdateExpressionParser

    UpdateExpressionParser.make = functools.lru_cache(maxsize=1024)(UpdateExpressionParser.make)


def query_by_index() -> None:
    """moto's Query reads the whole table: half a second at 20,000 items. Sorted partitions answer it; odd requests go to moto's own."""
    from moto.dynamodb.models.table import Table

    original = Table.query

    def query(self: Any, *args: Any, **rest: Any) -> Any:
        hashes, ranges = rest.get("hash_key_conditions") or [], rest.get("range_key_conditions") or []
        odd = set(rest) - {"hash_key_conditions", "range_key_conditions", "index_name", "consistent_read", "filter_expression"}
        if odd or len(hashes) != 1 or len(ranges) > 1 or (args[7:8] and _refused(self, *args[7:9])):
            return original(self, *args, **rest)
        return query_table(self, *args, **rest)

    Table.query = query


def _refused(table: Any, index: str | None, consistent: bool = False) -> bool:
    return bool(index) and (consistent or index not in {each.name for each in table.all_indexes()})


def answer_stored_items() -> None:
    """Answers are made of an item's JSON, not value by value."""
    from moto.dynamodb import responses

    plain = responses.dynamo_to_dict

    def to_plain(value: Any) -> Any:
        if type(value) is LazyAttributes:
            return plain_image(value.image)
        if type(value) is dict:
            return {name: to_plain(each) for name, each in value.items()}
        return [to_plain(each) for each in value] if type(value) is list else plain(value)

    responses.dynamo_to_dict = to_plain


def insert_by_statement() -> None:
    """moto's PartiQL reads all tables at each statement, loses parameters of maps, and overwrites where AWS answers DuplicateItem."""
    from moto.dynamodb.exceptions import MockValidationException
    from moto.dynamodb.models import DynamoDBBackend

    original = DynamoDBBackend.batch_execute_statement

    def batch_execute_statement(self: Any, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(statements) > 25:
            raise MockValidationException("Member must have length less than or equal to 25")
        parsed = [parse_insert(statement["Statement"]) for statement in statements]
        if not all(parsed):
            return list(original(self, statements))
        return [insert_item(self, *insert, statement.get("Parameters") or []) for insert, statement in zip(parsed, statements, strict=True) if insert]

    DynamoDBBackend.batch_execute_statement = batch_execute_statement


PATCHES = (
    lock_dynamodb, freeze_items, record_changes, update_copies, parse_expressions_once, query_by_index, answer_stored_items, insert_by_statement,
)  # fmt: skip
