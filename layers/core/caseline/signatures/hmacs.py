"""HMAC of what was sent, or of it and a time, in one header: the scheme of most platforms."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from caseline.errors import PayloadError, SignatureError
from caseline.payloads import read_time
from caseline.signatures import DIGITS, TOLERANCE_SECONDS, VISIBLE, compare, decode_base64, decode_hex, encode_base64, live_keys, read_header, read_timestamp

_MILLISECONDS = re.compile(r"[0-9]{13}\Z")
Decoder = Callable[[str, int], bytes]


def verify_prefixed(
    headers: Mapping[str, str], name: str, prefix: str, signed: bytes, secrets: Sequence[str], decode: Decoder = decode_hex, algorithm: str = "sha256",
) -> None:
    """`<prefix><hex or base64 of HMAC(secret, signed)>` in one header: X, Meta and many others."""
    value = read_header(headers, name)
    if not value.startswith(prefix):
        raise SignatureError(f"header {name} has not the prefix {prefix!r}")
    given = decode(value[len(prefix) :], hashlib.new(algorithm).digest_size)
    compare((hmac.digest(key, signed, algorithm) for key in live_keys(secrets)), [given])


def sign_prefixed(name: str, prefix: str, signed: bytes, secret: str, encode: Callable[[bytes], str] = bytes.hex, algorithm: str = "sha256") -> dict[str, str]:
    """The header that `verify_prefixed` accepts, for samples."""
    return {name: prefix + encode(hmac.digest(secret.encode(), signed, algorithm))}


def verify_timed(
    headers: Mapping[str, str], time_header: str, signature_header: str, body: bytes, secrets: Sequence[str], now: datetime
) -> None:
    """`v0=<hex HMAC-SHA256 of v0:timestamp:body>`, the timestamp in epoch seconds, or milliseconds: Slack and those who took it over."""
    timestamp = read_header(headers, time_header)
    read_timestamp(timestamp[:-3] if _MILLISECONDS.match(timestamp) else timestamp, now)
    verify_prefixed(headers, signature_header, "v0=", _join_timed(timestamp, body), secrets)


def sign_timed(time_header: str, signature_header: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_timed` accepts."""
    timestamp = str(int(now.timestamp()))
    return {time_header: timestamp} | sign_prefixed(signature_header, "v0=", _join_timed(timestamp, body), secret)


def _join_timed(timestamp: str, body: bytes) -> bytes:
    return f"v0:{timestamp}:".encode("ascii") + body


def verify_dated(headers: Mapping[str, str], time_header: str, signature_header: str, body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """`<base64 HMAC-SHA256 of time + body>`, the time as ISO 8601 or in epoch seconds, signed as it stands: Zendesk."""
    signature, moment = read_header(headers, signature_header), read_header(headers, time_header, limit=64)
    read_timestamp(moment if DIGITS.match(moment) else _to_epoch(moment), now)
    verify_prefixed({signature_header: signature}, signature_header, "", moment.encode("ascii") + body, secrets, decode_base64)


def sign_dated(time_header: str, signature_header: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_dated` accepts."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {time_header: moment} | sign_prefixed(signature_header, "", moment.encode() + body, secret, encode_base64)


def _to_epoch(text: str) -> str:
    try:
        return str(int(read_time(text).timestamp()))
    except PayloadError as error:
        raise SignatureError("the timestamp is malformed") from error


def verify_token_signature(timestamp: str, token: str, signature: str, secrets: Sequence[str], now: datetime, tolerance: int = TOLERANCE_SECONDS) -> None:
    """Mailgun: hex HMAC-SHA256 of timestamp and token, which stand in the body beside it. It covers nothing else."""
    given = decode_hex(signature, 32)
    if not VISIBLE.match(token) or len(token) < 16:
        raise SignatureError("the token is malformed")
    read_timestamp(timestamp, now, tolerance)
    compare((hmac.digest(key, (timestamp + token).encode(), "sha256") for key in live_keys(secrets)), [given])


def sign_token(token: str, secret: str, now: datetime) -> dict[str, str]:
    """The fields that `verify_token_signature` accepts."""
    timestamp = str(int(now.timestamp()))
    return {"timestamp": timestamp, "token": token, "signature": hmac.digest(secret.encode(), (timestamp + token).encode(), "sha256").hex()}


def sign_challenge(secrets: Sequence[str], text: str) -> bytes:
    """HMAC-SHA256 of a challenge with the newest secret."""
    keys = live_keys(secrets)
    if not keys:
        raise SignatureError("no secret is configured")
    return hmac.digest(keys[0], text.encode("utf-8", "surrogatepass"), "sha256")
