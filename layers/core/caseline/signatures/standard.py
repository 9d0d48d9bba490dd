"""Standard Webhooks 1.0, which several platforms share."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from caseline.errors import SignatureError
from caseline.signatures import VISIBLE, compare, decode_base64, encode_base64, read_header, read_timestamp

_MAX_SIGNATURES = 16


def verify_standard_webhook(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Standard Webhooks 1.0: HMAC-SHA256 of `id.timestamp.body`, a list of `v1,<base64>`; `svix-` names are the same headers."""
    family = "webhook" if "webhook-signature" in headers else "svix"
    message_id, timestamp = read_header(headers, f"{family}-id"), read_header(headers, f"{family}-timestamp")
    if not VISIBLE.match(message_id) or "." in message_id:
        raise SignatureError("the message id is malformed")
    read_timestamp(timestamp, now)
    given = _read_signatures(read_header(headers, f"{family}-signature", limit=4096))
    signed = f"{message_id}.{timestamp}.".encode("ascii") + body
    compare((hmac.digest(key, signed, "sha256") for key in standard_keys(secrets)), given)


def sign_standard_webhook(message_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_standard_webhook` accepts."""
    timestamp = str(int(now.timestamp()))
    signature = encode_base64(hmac.digest(standard_keys([secret])[0], f"{message_id}.{timestamp}.".encode() + body, "sha256"))
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def standard_keys(secrets: Sequence[str]) -> list[bytes]:
    """`whsec_<base64>`, with or without prefix and padding; a secret that is not base64 is never a key."""
    keys = []
    for secret in secrets:
        encoded = secret.removeprefix("whsec_").rstrip("=") if isinstance(secret, str) else ""
        try:
            keys.append(base64.b64decode(encoded.encode("ascii") + b"=" * (-len(encoded) % 4), validate=True))
        except ValueError:
            continue
    return [key for key in keys if key]


def _read_signatures(value: str) -> list[bytes]:
    """The v1 entries of the list. Every entry must have the form `version,value`; other versions are passed over."""
    entries = value.split(" ")
    if len(entries) > _MAX_SIGNATURES or any(entry.count(",") != 1 for entry in entries):
        raise SignatureError("the signature list is malformed")
    pairs = [entry.split(",") for entry in entries]
    given = [decode_base64(signature, 32) for version, signature in pairs if version == "v1"]
    if not given:
        raise SignatureError("no v1 signature")
    return given
