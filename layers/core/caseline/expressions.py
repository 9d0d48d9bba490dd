"""What is asked of DynamoDB: conditions and updates with every name behind a placeholder, queries, and inserts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from caseline.images import Item, image_of, serialise

INDEX_KEYS = {None: ("PK", "SK"), "timeline": ("identity", "at"), "lists": ("list_name", "list_rank"), "due": ("due_shard", "due_at")}
_WORD = re.compile(r"(?<![:#\w])[A-Za-z_]\w*")
_WORDS = "SET REMOVE ADD DELETE AND OR NOT IN BETWEEN"
_FUNCTIONS = "attribute_exists attribute_not_exists if_not_exists list_append contains begins_with size"
_SYNTAX = frozenset((_WORDS + " " + _FUNCTIONS).split())


def insert_statement(table: str, item: Item) -> dict[str, Any]:
    """PartiQL's INSERT is insert-if-absent at the price of one write; DynamoDB takes one parameter for each attribute."""
    fields = ", ".join(f"'{name}': ?" for name in item)
    return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": [serialise(value) for value in item.values()]}


def query_request(
    pk: str, index: str | None, before: str | None, prefix: str | None, limit: int | None, newest_first: bool, since: str | None
) -> dict[str, Any]:  # fmt: skip
    hash_name, range_name = INDEX_KEYS[index]
    names, values, condition = {"#h": hash_name}, {":h": pk}, "#h = :h"
    if bound := before or prefix or since:
        names["#r"] = range_name
        values[":r"] = bound
        condition += " AND #r < :r" if before else " AND begins_with(#r, :r)" if prefix else " AND #r >= :r"
    request: dict[str, Any] = {
        "KeyConditionExpression": condition, "ExpressionAttributeNames": names, "ExpressionAttributeValues": image_of(values),
        "ScanIndexForward": not newest_first,
    }
    # An index is never read consistently; a partition of the table always is: a claim that was just taken must be seen.
    request |= {"IndexName": index} if index else {"ConsistentRead": True}
    if limit:
        request["Limit"] = limit
    return request


def conditioned(condition: str | None, values: Mapping[str, Any], names: Mapping[str, str] | None = None, update: str | None = None) -> dict[str, Any]:
    request = expressions(condition, values, names, update)
    if condition:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return request


def expressions(condition: str | None, values: Mapping[str, Any], names: Mapping[str, str] | None = None, update: str | None = None) -> dict[str, Any]:
    """Expressions with every attribute behind a placeholder: DynamoDB reserves 573 words, and `until` and `owner` are among them."""
    request: dict[str, Any] = {}
    aliases = dict(names or {})
    for parameter, expression in (("ConditionExpression", condition), ("UpdateExpression", update)):
        if expression:
            request[parameter] = _WORD.sub(lambda found: _alias(found.group(), aliases), expression)
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": serialise(value) for name, value in values.items()}
    if aliases:
        request["ExpressionAttributeNames"] = aliases
    return request


def _alias(word: str, aliases: dict[str, str]) -> str:
    if word in _SYNTAX:
        return word
    return aliases.setdefault(f"#{word}", word) and f"#{word}"
