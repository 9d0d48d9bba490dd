"""Values as DynamoDB writes them, and back: what the table's client and the records of its stream hold."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from caseline.packing import spread

Item = dict[str, Any]
_to_dynamo, _from_dynamo = TypeSerializer().serialize, TypeDeserializer().deserialize


def serialise(value: Any) -> Any:
    """A Python value as a DynamoDB attribute value; floats become decimals of 15 digits."""
    return _to_dynamo(_plain(value))


def deserialise(image: Mapping[str, Any]) -> Item:
    """A DynamoDB image (of an item or a stream record) as plain values; numbers come back as int or float, what was packed as it was."""
    return spread({name: _number(_from_dynamo(_decoded(value))) for name, value in image.items()})


def _decoded(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stream record is JSON, where bytes are base64; a client's answer has them decoded."""
    binary = value.get("B")
    return {"B": base64.b64decode(binary)} if isinstance(binary, str) else value


def image_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: serialise(value) for name, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return Decimal(f"{value:.15g}")
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {k: _number(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_number(v) for v in value]
    if isinstance(value, set):
        return {_number(v) for v in value}
    return value
