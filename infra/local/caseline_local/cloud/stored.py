"""A stored item: its JSON text, from which values are made when they are asked for. A tenth of the memory of moto's own, and never changed."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

from caseline_local.cloud.limits import item_size

Image = dict[str, Any]


class StoredItem(Item):
    """What moto reads of an item, over `text`: DynamoDB JSON with sorted names, so that equal items have equal texts."""

    def __init__(self, hash_key: DynamoType, range_key: DynamoType | None, text: str) -> None:
        self.hash_key, self.range_key, self.text = hash_key, range_key, text
        self.kept_size: int | None = None

    @property
    def attrs(self) -> LazyAttributes:
        return LazyAttributes(self.image())

    def image(self) -> Image:
        found: Image = json.loads(self.text)
        return found

    def size(self) -> int:
        if self.kept_size is None:
            self.kept_size = item_size(self.image())
        return self.kept_size

    def to_json(self, root_attr_name: str = "Attributes") -> dict[str, Any]:
        return {root_attr_name: plain_image(self.image())}

    def __deepcopy__(self, memo: dict[int, Any]) -> StoredItem:
        return self


class LazyAttributes(Mapping[str, DynamoType]):
    """An item's attributes; each becomes a value when it is looked at."""

    __slots__ = ("image",)

    def __init__(self, image: Image) -> None:
        self.image = image

    def __getitem__(self, name: str) -> DynamoType:
        return DynamoType(self.image[name])

    def __contains__(self, name: object) -> bool:
        return name in self.image

    def __iter__(self) -> Iterator[str]:
        return iter(self.image)

    def __len__(self) -> int:
        return len(self.image)


def freeze(item: Item) -> StoredItem:
    if isinstance(item, StoredItem):
        return item
    image = {name: wire_value(value) for name, value in item.attrs.items()}
    return StoredItem(item.hash_key, item.range_key, json.dumps(image, sort_keys=True, separators=(",", ":")))


def thaw(item: Item) -> Item:
    """A copy that may be changed."""
    return build_item(item.hash_key, item.range_key, {name: copy.deepcopy(value) for name, value in item.attrs.items()})


def build_item(hash_key: DynamoType, range_key: DynamoType | None, attributes: Mapping[str, DynamoType]) -> Item:
    """An item of ready-made values, without moto's quadratic size check."""
    item = Item(hash_key, range_key, {})
    dict.update(item.attrs, attributes)
    return item


def select(item: StoredItem, names: set[str]) -> StoredItem:
    """The item with some of its attributes."""
    image = {name: value for name, value in item.image().items() if name in names}
    return StoredItem(item.hash_key, item.range_key, json.dumps(image))


def wire_value(value: DynamoType) -> Image:
    """A value as DynamoDB JSON, binary in base64, sets sorted so that equal ones look equal."""
    encode = _ENCODERS.get(value.type)
    return {value.type: encode(value.value) if encode else value.value}


def plain_image(image: Image) -> Image:
    """DynamoDB JSON with binary as bytes, as moto's answers have it."""
    return {name: _plain_value(value) for name, value in image.items()}


def _plain_value(value: Image) -> Image:
    kind, content = next(iter(value.items()))
    decode = _DECODERS.get(kind)
    return {kind: decode(content)} if decode else value


def _encode_binary(value: str | bytes) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


_ENCODERS: dict[str, Any] = {
    "M": lambda fields: {name: wire_value(value) for name, value in fields.items()},
    "L": lambda values: [wire_value(value) for value in values],
    "B": _encode_binary,
    "BS": lambda blobs: sorted(map(_encode_binary, blobs)),
    "SS": sorted,
    "NS": sorted,
}
_DECODERS: dict[str, Any] = {
    "M": plain_image,
    "L": lambda values: [_plain_value(value) for value in values],
    "B": base64.b64decode,
    "BS": lambda blobs: [base64.b64decode(blob) for blob in blobs],
}
