"""AWS's published limits that emulators leave out. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
and https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

MAXIMUM_ITEM_BYTES = 400 * 1024
MAXIMUM_NESTING = 32
MAXIMUM_DIGITS = 38
MAXIMUM_MESSAGE_BYTES = 1024 * 1024
_BAD_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def item_size(image: dict[str, Any]) -> int:
    """Bytes of an item in DynamoDB JSON, as AWS counts them: names and values in UTF-8, 3 bytes for each map or list, 1 for each element."""
    return sum(len(name.encode()) + value_size(value) for name, value in image.items())


def value_size(value: dict[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    return _SIZES[kind](content)


def nesting(value: dict[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    children = {"M": lambda: list(content.values()), "L": lambda: content}.get(kind, list)()
    return 1 + max(map(nesting, children), default=0) if kind in ("M", "L") else 0


def item_fault(image: dict[str, Any]) -> str | None:
    """What AWS would say of this item, or None."""
    if item_size(image) > MAXIMUM_ITEM_BYTES:
        return "Item size has exceeded the maximum allowed size"
    if any(nesting(value) > MAXIMUM_NESTING for value in image.values()):
        return "Nesting Levels have exceeded supported limits"
    if any(_long_number(value) for value in image.values()):
        return "Attempting to store more than 38 significant digits in a Number"
    return None


def message_fault(body: str, attributes: dict[str, Any] | None = None) -> tuple[str, str] | None:
    """The error code and words with which SQS refuses a message, or None."""
    if not body:
        return "MissingParameter", "The request must contain the parameter MessageBody."
    if _BAD_CHARACTER.search(body):
        return "InvalidMessageContents", "Invalid characters found."
    if message_size(body, attributes or {}) > MAXIMUM_MESSAGE_BYTES:
        return "InvalidParameterValue", f"One or more parameters are invalid. Reason: Message must be shorter than {MAXIMUM_MESSAGE_BYTES} bytes."
    return None


def message_size(body: str, attributes: dict[str, Any]) -> int:
    parts = [
        text
        for name, value in attributes.items()
        for text in (name, value.get("DataType") or "", str(value.get("StringValue") or value.get("BinaryValue") or ""))
    ]
    return len(body.encode(errors="surrogatepass")) + sum(len(part.encode()) for part in parts)


def _long_number(value: dict[str, Any]) -> bool:
    kind, content = next(iter(value.items()))
    if kind == "N":
        return len(content) > MAXIMUM_DIGITS and len("".join(map(str, Decimal(content).as_tuple().digits)).strip("0")) > MAXIMUM_DIGITS
    children = {"M": lambda: content.values(), "L": lambda: content, "NS": lambda: [{"N": number} for number in content]}.get(kind, list)()
    return any(map(_long_number, children))


def _base64_size(text: str | bytes) -> int:
    return len(text) * 3 // 4 if isinstance(text, str) else len(text)


_SIZES = {
    "S": lambda text: len(text.encode(errors="surrogatepass")),
    "N": lambda text: len(text.lstrip("-").replace(".", "").strip("0")) // 2 + 2,
    "B": _base64_size,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda texts: sum(len(text.encode()) for text in texts),
    "NS": lambda numbers: sum(value_size({"N": number}) for number in numbers),
    "BS": lambda blobs: sum(map(_base64_size, blobs)),
    "M": lambda fields: 3 + sum(1 + len(name.encode()) + value_size(value) for name, value in fields.items()),
    "L": lambda values: 3 + sum(1 + value_size(value) for value in values),
}
