"""JSON Web Tokens (RFC 7519): a body that is one, signed with a shared secret, and a bearer's, signed by a key of the issuer."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.errors import PayloadError, SignatureError
from caseline.payloads import Field, read_json
from caseline.signatures import TOLERANCE_SECONDS, compare, live_keys, read_header

_CLAIMS: Any = {"require": ["exp", "iat", "iss", "aud"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}  # the clock is the request's
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


def verify_jwt(token: bytes, secrets: Sequence[str], now: datetime) -> None:
    """A compact JWT (RFC 7519) signed with HS256 and nothing else; `exp` and `nbf` count where they are there."""
    header, claims, signature = _split_jwt(token)
    if header.object().get("alg") != "HS256" or "crit" in header:
        raise SignatureError("the token is not signed with HS256")
    _check_lifetime(claims, now)
    compare((hmac.digest(key, token.rpartition(b".")[0], "sha256") for key in live_keys(secrets)), [signature])


def sign_jwt(claims: bytes, secret: str) -> bytes:
    """The token that `verify_jwt` accepts."""
    signed = encode_base64url(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode_base64url(claims)
    return signed + b"." + encode_base64url(hmac.digest(secret.encode(), signed, "sha256"))


def read_jwt(token: bytes) -> Field:
    """The claims of a token that was verified before. Raises PayloadError."""
    try:
        return _split_jwt(token)[1]
    except SignatureError as error:
        raise PayloadError("the body is not a signed token") from error


def _split_jwt(token: bytes) -> tuple[Field, Field, bytes]:
    parts = token.split(b".")
    if len(parts) != 3:
        raise SignatureError("the body is not a token of three parts")
    try:
        header, claims = (read_json(_decode_base64url(part)) for part in parts[:2])
        header.object(), claims.object()
    except PayloadError as error:
        raise SignatureError("the token is malformed") from error
    signature = _decode_base64url(parts[2])
    if len(signature) != 32:
        raise SignatureError("the signature has the wrong length")
    return header, claims, signature


def _decode_base64url(part: bytes) -> bytes:
    """Strict: no padding, and no second spelling of the same bytes."""
    try:
        value = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise SignatureError("the token is not base64") from error
    if encode_base64url(value) != part:
        raise SignatureError("the token is not in its one canonical form")
    return value


def encode_base64url(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _check_lifetime(claims: Field, now: datetime) -> None:
    try:
        ends = claims["exp"].number() if "exp" in claims else None
        begins = claims["nbf"].number() if "nbf" in claims else None
    except PayloadError as error:
        raise SignatureError("the token's lifetime is malformed") from error
    if (ends is not None and now.timestamp() > ends + TOLERANCE_SECONDS) or (begins is not None and now.timestamp() < begins - TOLERANCE_SECONDS):
        raise SignatureError("the token is stale")


def verify_bearer(headers: Mapping[str, str], keys: Callable[[], Mapping[str, Any]], audience: str, now: datetime) -> dict[str, Any]:
    """The claims of `Authorization: Bearer <JWT>`, signed RS256 by a key of the JWKS that `keys` gives and good at `now`. The library is loaded only here."""
    scheme, _, token = read_header(headers, "authorization", limit=4096).partition(" ")
    if scheme.lower() != "bearer" or not _JWT.match(token):
        raise SignatureError("the token is malformed")
    import jwt

    _decode_base64url(token.rpartition(".")[2].encode("ascii"))
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        found = [key for key in keys().get("keys", ()) if key_id and key.get("kid") == key_id and key.get("kty") == "RSA"]
        if not found:
            raise SignatureError("the token names no key that is known")
        key = jwt.PyJWK({name: found[0][name] for name in ("kty", "n", "e")}, algorithm="RS256")
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], audience=audience, options=_CLAIMS)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SignatureError("the token is not valid") from error
    if not _is_time(claims["iat"]) or not _is_time(claims["exp"]) or not claims["iat"] - TOLERANCE_SECONDS <= now.timestamp() < claims["exp"]:
        raise SignatureError("the token is stale")
    return claims


def sign_bearer(claims: Mapping[str, Any], private_key: Mapping[str, Any]) -> dict[str, str]:
    """The header that `verify_bearer` accepts; the key as a JWK with its private half."""
    import jwt

    token = jwt.encode(dict(claims), jwt.PyJWK(dict(private_key), algorithm="RS256"), algorithm="RS256", headers={"kid": private_key["kid"]})
    return {"authorization": f"Bearer {token}"}


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
