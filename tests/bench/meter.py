"""What DynamoDB would bill: an own meter, as an emulator's ConsumedCapacity is a constant.

Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
Write units: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html and GSI.html (section "Write capacity units")
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KIB = 1024
Image = Mapping[str, Any]  # an item in DynamoDB JSON


def size_item(item: Image) -> int:
    """Bytes of an item: names and values."""
    return sum(len(name.encode()) + size_value(value) for name, value in item.items())


def size_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    return _SIZES[kind](content)


def _size_text(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _size_number(text: str) -> int:
    """About one byte for two significant digits, one more, and one for a sign."""
    digits = text.lstrip("-").replace(".", "").partition("E")[0].strip("0")
    return math.ceil(len(digits) / 2) + 1 + text.startswith("-")


def _size_binary(content: Any) -> int:
    return len(base64.b64decode(content)) if isinstance(content, str) else len(bytes(content))


_SIZES: Mapping[str, Any] = {
    "S": _size_text,
    "N": _size_number,
    "B": _size_binary,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda texts: sum(map(_size_text, texts)),
    "NS": lambda numbers: sum(map(_size_number, numbers)),
    "BS": lambda contents: sum(map(_size_binary, contents)),
    "L": lambda values: 3 + sum(1 + size_value(value) for value in values),
    "M": lambda values: 3 + sum(1 + len(name.encode()) + size_value(value) for name, value in values.items()),
}


@dataclass(frozen=True)
class Index:
    """`keeps` has the names of the attributes that the index carries, None for all of them."""

    hash_key: str
    range_key: str
    keeps: frozenset[str] | None = None

    def entry(self, item: Image | None) -> dict[str, Any] | None:
        """The item's entry in the index, None if it has none."""
        if not item or self.hash_key not in item or self.range_key not in item:
            return None
        return {name: value for name, value in item.items() if self.keeps is None or name in self.keeps}


def units(size: int) -> int:
    """Write units of a write of that many bytes."""
    return max(1, math.ceil(size / KIB))


def write_units(old: Image | None, new: Image | None) -> int:
    """Of the table itself: the larger of what stood and what stands."""
    return units(max(size_item(image) for image in (old, new) if image))


def index_units(index: Index, old: Image | None, new: Image | None) -> int:
    """Of one index: nothing where its entry stays as it is, two writes where the entry's key changes."""
    before, after = index.entry(old), index.entry(new)
    if before == after:
        return 0
    if before and after and _place(index, before) != _place(index, after):
        return units(size_item(before)) + units(size_item(after))
    return units(max(size_item(entry) for entry in (before, after) if entry))


def _place(index: Index, entry: Image) -> tuple[Any, Any]:
    return entry[index.hash_key], entry[index.range_key]


def read_indexes(table: Mapping[str, Any]) -> list[Index]:
    """The indexes of a table's properties in the template."""
    base = [key["AttributeName"] for key in table["KeySchema"]]
    return [_read_index(index, base) for index in table.get("GlobalSecondaryIndexes", ())]


def _read_index(index: Mapping[str, Any], base: list[str]) -> Index:
    hash_key, range_key = (key["AttributeName"] for key in index["KeySchema"])
    projection = index["Projection"]
    keys = frozenset({*base, hash_key, range_key, *projection.get("NonKeyAttributes", ())})
    return Index(hash_key, range_key, None if projection["ProjectionType"] == "ALL" else keys)
