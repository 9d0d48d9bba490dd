"""DynamoDB's update and its PartiQL insert, made of moto's parts: what moto's own get wrong is in `patches`."""

from __future__ import annotations

import functools
import re
from typing import Any

from moto.dynamodb.comparisons import get_expected, get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed, DynamodbException, MockValidationException
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import UpdateExpressionValidator
from moto.dynamodb.responses import validate_put_has_empty_attrs, validate_put_has_empty_keys, validate_put_has_gsi_keys_set_to_none

from caseline_local.cloud.items import store_item
from caseline_local.cloud.limits import item_fault
from caseline_local.cloud.stored import build_item, freeze, thaw

_INSERT = re.compile(r'\s*INSERT\s+INTO\s+"?([\w.-]+)"?\s+VALUE\s+\{(.*)\}\s*$', re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(r"\s*'((?:[^']|'')+)'\s*:\s*\?\s*(?:,|$)")
_CHECKS = (validate_put_has_empty_keys, validate_put_has_empty_attrs, validate_put_has_gsi_keys_set_to_none)


def update_item(backend: Any, table_name: str, key: Any, expression: str, names: Any, values: Any, request: dict[str, Any]) -> Any:
    """Updates a copy and stores it. `request` has the condition and what to return of the item when it fails."""
    table = backend.get_table(table_name)
    hash_key, range_key = backend.get_keys_value(table, key)
    old = table.get_item(hash_key, range_key)
    _check_condition(old, request, names, values)
    new = thaw(old) if old else build_item(hash_key, range_key, _key_attributes(table, hash_key, range_key))
    tree = UpdateExpressionParser.make(expression)
    attributes = {"expression_attribute_names": names, "expression_attribute_values": values}
    validated = UpdateExpressionValidator(tree, item=new, table=table, **attributes).validate()
    validated.normalize()
    UpdateExpressionExecutor(validated, new, names).execute()
    _validate_index_keys(new, table)
    stored = freeze(new)
    store_item(table, hash_key, range_key, stored)
    table.stream_shard.add(old, stored)
    return stored


def _check_condition(item: Any, request: dict[str, Any], names: Any, values: Any) -> None:
    if not get_expected(request.get("expected") or {}).expr(item):
        raise ConditionalCheckFailed
    if get_filter_expression(request.get("condition_expression"), names, values).expr(item):
        return
    wanted = request.get("return_values_on_condition_check_failure") == "ALL_OLD" and item is not None
    raise ConditionalCheckFailed(item=item.to_json()["Attributes"]) if wanted else ConditionalCheckFailed


def _key_attributes(table: Any, hash_key: Any, range_key: Any) -> dict[str, Any]:
    keys = {table.hash_key_attr: hash_key}
    return keys | {table.range_key_attr: range_key} if range_key is not None else keys


def _validate_index_keys(item: Any, table: Any) -> None:
    """An update may not leave an index key empty or of another type, as a put may not."""
    for name, kind in ((entry["AttributeName"], entry["AttributeType"]) for entry in table.attr):
        if name in item.attrs and (item.attrs[name].type != kind or item.attrs[name].value in ("", b"")):
            found = item.attrs[name].type
            raise MockValidationException(f"One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {kind} Actual: {found}")


@functools.lru_cache(maxsize=4096)
def parse_insert(statement: str) -> tuple[str, list[str]] | None:
    """The table and the attribute names of `INSERT INTO "T" VALUE {'A': ?, ...}`; None for anything else."""
    found = _INSERT.match(statement)
    if not found or _FIELD.sub("", found[2]).strip():
        return None
    return found[1], [name.replace("''", "'") for name in _FIELD.findall(found[2])]


def insert_item(backend: Any, table_name: str, names: list[str], parameters: list[Any]) -> dict[str, Any]:
    """The answer to one statement of a batch; its failure leaves its neighbours alone."""
    if table_name not in backend.tables:
        return _statement_error("ResourceNotFound", "Requested resource not found")
    if len(names) != len(parameters):
        return _statement_error("ValidationError", "Number of parameters in request and statement don't match.")
    table, item = backend.tables[table_name], dict(zip(names, parameters, strict=True))
    try:
        return {"TableName": table_name} | _insert(backend, table, item)
    except (MockValidationException, DynamodbException) as error:
        return _statement_error("ValidationError", error.message)


def _insert(backend: Any, table: Any, item: dict[str, Any]) -> dict[str, Any]:
    for check in _CHECKS:
        check(item, table)
    if table.get_item(*backend.get_keys_value(table, item)):
        return _statement_error("DuplicateItem", "Duplicate primary key exists in table")
    if fault := item_fault(item):
        raise MockValidationException(fault)
    table.put_item(item)
    return {}


def _statement_error(code: str, message: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}}
