"""A shared token as it stands, where a platform does not sign."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from caseline.errors import SignatureError
from caseline.signatures import compare, encode_base64, live_keys


def verify_token(given: str | None, secrets: Sequence[str]) -> None:
    """A shared token as it stands, where a platform does not sign. Compared by hash, so that lengths do not tell."""
    if not given or len(given) > 512:
        raise SignatureError("the token is missing or too long")
    sent = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
    compare((hashlib.sha256(key).digest() for key in live_keys(secrets)), [sent])


def read_url_token(url: str, name: str = "token") -> str | None:
    """The one value of a query parameter; None where it is absent or repeated."""
    values = [value for key, value in parse_qsl(urlsplit(url).query, keep_blank_values=True) if key == name]
    return values[0] if len(values) == 1 else None


def read_basic_password(headers: Mapping[str, str]) -> str | None:
    """The password of Basic credentials; None where there are none."""
    scheme, _, encoded = (headers.get("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True).decode("utf-8").partition(":")[2]
    except ValueError as error:
        raise SignatureError("the credentials are malformed") from error


def verify_credentials(url: str, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    """A shared token as `?token=` in the URL that the platform was given, or as the password of Basic credentials in it."""
    verify_token(read_url_token(url) or read_basic_password(headers), secrets)


def sign_basic(secret: str) -> dict[str, str]:
    """The header that `verify_credentials` accepts."""
    return {"authorization": "Basic " + encode_base64(f"webhook:{secret}".encode())}
