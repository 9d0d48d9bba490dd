"""What every signature scheme is made of: strict readers and a comparison that takes the same time whether or not it succeeds. Each scheme is a module.

A scheme's `verify_...` returns nothing (or what was signed) or raises SignatureError, whatever was sent; its `sign_...` makes what it accepts, for samples.
Shape and time are checked before a secret is looked at, so that a malformed request costs nothing. All live secrets are
compared, without early exit, as bytes. A request of the right shape that no secret explains is a MismatchError: the one
case in which the secret may have been rotated and is worth reading again.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from caseline.errors import SignatureError

TOLERANCE_SECONDS = 300
DIGITS = re.compile(r"[0-9]{1,12}\Z")
VISIBLE = re.compile(r"[\x21-\x7e]{1,512}\Z")


class MismatchError(SignatureError):
    """Well formed and in time, but no live secret explains it."""


def read_header(headers: Mapping[str, str], name: str, limit: int = 512) -> str:
    """The header's value: present, printable ASCII without outer blanks, at most `limit` characters."""
    value = headers.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise SignatureError(f"header {name} is missing or too long")
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise SignatureError(f"header {name} is malformed")
    return value


def read_timestamp(text: str, now: datetime, tolerance: int = TOLERANCE_SECONDS) -> int:
    """Epoch seconds in their one canonical form, at most `tolerance` from now, both ways, the ends included."""
    if not DIGITS.match(text) or text != str(int(text)):
        raise SignatureError("the timestamp is malformed")
    if abs(now.timestamp() - int(text)) > tolerance:
        raise SignatureError("the timestamp is stale")
    return int(text)


def decode_hex(text: str, size: int) -> bytes:
    if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text):
        raise SignatureError("the signature is not lower-case hex of the right length")
    return bytes.fromhex(text)


def decode_base64(text: str, size: int) -> bytes:
    """Strict: standard alphabet, padded, and no second spelling of the same bytes."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise SignatureError("the signature is not base64") from error
    if len(value) != size or base64.b64encode(value).decode() != text:
        raise SignatureError("the signature has the wrong length or form")
    return value


def encode_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def compare(expected: Iterable[bytes], given: Sequence[bytes]) -> None:
    """Every expected value against every given one, in the same time whether or not one matches."""
    matches = 0
    for value in expected:
        for signature in given:
            matches |= hmac.compare_digest(value, signature)
    if not matches:
        raise MismatchError("no live secret explains the signature")


def live_keys(secrets: Sequence[str]) -> list[bytes]:
    """The secrets as bytes; an empty one is no secret."""
    return [secret.encode("utf-8", "surrogatepass") for secret in secrets if isinstance(secret, str) and secret.strip()]
