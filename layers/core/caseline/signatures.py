"""Every signature scheme, once. Each function returns nothing or raises SignatureError, whatever was sent.

Shape and time are checked before a secret is looked at, so that a malformed request costs nothing. All live secrets are
compared, without early exit, as bytes. A request of the right shape that no secret explains is a MismatchError: the one
case in which the secret may have been rotated and is worth reading again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from caseline.errors import PayloadError, SignatureError
from caseline.payloads import Field, read_form, read_json, read_time

TOLERANCE_SECONDS = 300
_DIGITS = re.compile(r"[0-9]{1,12}\Z")
_MILLISECONDS = re.compile(r"[0-9]{13}\Z")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,512}\Z")
_MAX_SIGNATURES = 16
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_CLAIMS: Any = {"require": ["exp", "iat", "iss", "aud"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}  # the clock is the request's
Decoder = Callable[[str, int], bytes]


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
    if not _DIGITS.match(text) or text != str(int(text)):
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


def verify_prefixed(
    headers: Mapping[str, str], name: str, prefix: str, signed: bytes, secrets: Sequence[str], decode: Decoder = decode_hex, algorithm: str = "sha256",
) -> None:
    """`<prefix><hex or base64 of HMAC(secret, signed)>` in one header: X, Meta and many others."""
    value = read_header(headers, name)
    if not value.startswith(prefix):
        raise SignatureError(f"header {name} has not the prefix {prefix!r}")
    given = decode(value[len(prefix) :], hashlib.new(algorithm).digest_size)
    compare((hmac.digest(key, signed, algorithm) for key in live_keys(secrets)), [given])


def verify_timed(
    headers: Mapping[str, str], time_header: str, signature_header: str, body: bytes, secrets: Sequence[str], now: datetime, tolerance: int = TOLERANCE_SECONDS,
) -> None:
    """`v0=<hex HMAC-SHA256 of v0:timestamp:body>`, the timestamp in epoch seconds, or milliseconds: Slack and those who took it over."""
    timestamp = read_header(headers, time_header)
    read_timestamp(timestamp[:-3] if _MILLISECONDS.match(timestamp) else timestamp, now, tolerance)
    verify_prefixed(headers, signature_header, "v0=", _join_timed(timestamp, body), secrets)


def _join_timed(timestamp: str, body: bytes) -> bytes:
    return f"v0:{timestamp}:".encode("ascii") + body


def verify_ed25519(
    headers: Mapping[str, str], time_header: str, signature_header: str, body: bytes, keys: Sequence[str], now: datetime, tolerance: int = TOLERANCE_SECONDS,
) -> None:
    """A hex Ed25519 signature of `timestamp + body`; the secrets are public keys in lower-case hex. The library is loaded only here."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    given, timestamp = decode_hex(read_header(headers, signature_header), 64), read_header(headers, time_header)
    read_timestamp(timestamp, now, tolerance)
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(decode_hex(key, 32)).verify(given, timestamp.encode("ascii") + body)
        except (SignatureError, InvalidSignature, ValueError):
            continue
        return
    raise MismatchError("no live key explains the signature")


def verify_dated(headers: Mapping[str, str], time_header: str, signature_header: str, body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """`<base64 HMAC-SHA256 of time + body>`, the time as ISO 8601 or in epoch seconds, signed as it stands: Zendesk."""
    signature, moment = read_header(headers, signature_header), read_header(headers, time_header, limit=64)
    read_timestamp(moment if _DIGITS.match(moment) else _to_epoch(moment), now)
    verify_prefixed({signature_header: signature}, signature_header, "", moment.encode("ascii") + body, secrets, decode_base64)


def _to_epoch(text: str) -> str:
    try:
        return str(int(read_time(text).timestamp()))
    except PayloadError as error:
        raise SignatureError("the timestamp is malformed") from error


def verify_jwt(token: bytes, secrets: Sequence[str], now: datetime) -> None:
    """A compact JWT (RFC 7519) signed with HS256 and nothing else; `exp` and `nbf` count where they are there."""
    header, claims, signature = _split_jwt(token)
    if header.object().get("alg") != "HS256" or "crit" in header:
        raise SignatureError("the token is not signed with HS256")
    _check_lifetime(claims, now)
    compare((hmac.digest(key, token.rpartition(b".")[0], "sha256") for key in live_keys(secrets)), [signature])


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


def verify_standard_webhook(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Standard Webhooks 1.0: HMAC-SHA256 of `id.timestamp.body`, a list of `v1,<base64>`; `svix-` names are the same headers."""
    family = "webhook" if "webhook-signature" in headers else "svix"
    message_id, timestamp = read_header(headers, f"{family}-id"), read_header(headers, f"{family}-timestamp")
    if not _VISIBLE.match(message_id) or "." in message_id:
        raise SignatureError("the message id is malformed")
    read_timestamp(timestamp, now)
    given = _read_signatures(read_header(headers, f"{family}-signature", limit=4096))
    signed = f"{message_id}.{timestamp}.".encode("ascii") + body
    compare((hmac.digest(key, signed, "sha256") for key in standard_keys(secrets)), given)


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


def verify_twilio(headers: Mapping[str, str], url: str, body: bytes, secrets: Sequence[str]) -> None:
    """HMAC-SHA1 of the URL and the sorted form fields; for any other body the URL carries `bodySHA256` and is signed alone.

    The scheme joins names and values without a mark between them, so one signature fits several forms: a channel must not
    take a form for more than the fields it needs say. The platform may sign the URL with its standard port or without.
    """
    given = decode_base64(read_header(headers, "x-twilio-signature"), 20)
    body_hash = [value for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True) if name == "bodySHA256"]
    if body_hash:
        _check_body_hash(body_hash, body)
        fields = ""
    else:
        fields = _join_fields(body)
    signed = [(address + fields).encode("utf-8", "surrogatepass") for address in (url, _toggle_port(url))]
    compare((hmac.digest(key, each, "sha1") for key in live_keys(secrets) for each in signed), [given])


def _toggle_port(url: str) -> str:
    """The other spelling of an address on its scheme's standard port; any other port stays."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    port = {"https": ":443", "http": ":80"}.get(scheme, "")
    other = host.removesuffix(port) if port and host.endswith(port) else host if ":" in host else host + port
    return f"{scheme}://{other}{slash}{path}"


def _join_fields(body: bytes) -> str:
    try:
        return "".join(name + value for name, value in sorted(set(read_form(body))))
    except PayloadError as error:
        raise SignatureError("the body is not a form") from error


def _check_body_hash(values: Sequence[str], body: bytes) -> None:
    if len(values) != 1 or not hmac.compare_digest(decode_hex(values[0], 32), hashlib.sha256(body).digest()):
        raise SignatureError("the body is not the one whose hash the URL carries")


def verify_bearer(headers: Mapping[str, str], keys: Callable[[], Mapping[str, Any]], audience: str, now: datetime) -> dict[str, Any]:
    """The claims of `Authorization: Bearer <JWT>`, signed RS256 by a key of the JWKS that `keys` gives and good at `now`. The library is loaded only here."""
    scheme, _, token = read_header(headers, "authorization", limit=4096).partition(" ")
    if scheme.lower() != "bearer" or not _JWT.match(token):
        raise SignatureError("the token is malformed")
    import jwt

    _decode_segment(token.rpartition(".")[2])
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


def _decode_segment(text: str) -> None:
    """Strict, as `decode_base64`: there is one spelling of a signature."""
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise SignatureError("the token is malformed") from error
    if base64.urlsafe_b64encode(value).decode().rstrip("=") != text:
        raise SignatureError("the token is malformed")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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


def verify_token_signature(timestamp: str, token: str, signature: str, secrets: Sequence[str], now: datetime, tolerance: int = TOLERANCE_SECONDS) -> None:
    """Mailgun: hex HMAC-SHA256 of timestamp and token, which stand in the body beside it. It covers nothing else."""
    given = decode_hex(signature, 32)
    if not _VISIBLE.match(token) or len(token) < 16:
        raise SignatureError("the token is malformed")
    read_timestamp(timestamp, now, tolerance)
    compare((hmac.digest(key, (timestamp + token).encode(), "sha256") for key in live_keys(secrets)), [given])


def verify_notification(message: Mapping[str, Any], certificate: str) -> None:
    """Amazon SNS: RSA (PKCS 1 v1.5) over the message's fields, SHA-1 in version 1, SHA-256 in version 2. The library is loaded only here."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.x509 import load_pem_x509_certificate

    try:
        key = load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError as error:
        raise SignatureError("the certificate is not readable") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureError("the certificate holds no RSA key")
    signature = decode_base64(str(message.get("Signature")), key.key_size // 8)
    try:
        key.verify(signature, join_notification(message), padding.PKCS1v15(), _notification_hash(message))
    except InvalidSignature as error:
        raise SignatureError("the certificate does not explain the signature") from error


def join_notification(message: Mapping[str, Any]) -> bytes:
    """What SNS signs: these fields in this order, each name and value on a line of its own; a notification may have no subject."""
    notification = message.get("Type") == "Notification"
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type") if notification else (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")  # fmt: skip
    fields = [(name, message.get(name)) for name in names if name in message or name != "Subject"]
    if not all(isinstance(value, str) for _, value in fields):
        raise SignatureError("a signed field is missing")
    return "".join(f"{name}\n{value}\n" for name, value in fields).encode("utf-8", "surrogatepass")


def _notification_hash(message: Mapping[str, Any]) -> Any:
    from cryptography.hazmat.primitives import hashes

    version = message.get("SignatureVersion")
    if version not in ("1", "2"):
        raise SignatureError("the signature's version is not known")
    return hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - version 1 is what SNS signs by default


def sign_challenge(secrets: Sequence[str], text: str) -> bytes:
    """HMAC-SHA256 of a challenge with the newest secret."""
    keys = live_keys(secrets)
    if not keys:
        raise SignatureError("no secret is configured")
    return hmac.digest(keys[0], text.encode("utf-8", "surrogatepass"), "sha256")


def sign_prefixed(name: str, prefix: str, signed: bytes, secret: str, encode: Callable[[bytes], str] = bytes.hex, algorithm: str = "sha256") -> dict[str, str]:
    """The header that `verify_prefixed` accepts, for samples."""
    return {name: prefix + encode(hmac.digest(secret.encode(), signed, algorithm))}


def sign_timed(time_header: str, signature_header: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_timed` accepts."""
    timestamp = str(int(now.timestamp()))
    return {time_header: timestamp} | sign_prefixed(signature_header, "v0=", _join_timed(timestamp, body), secret)


def sign_ed25519(time_header: str, signature_header: str, body: bytes, private_key: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_ed25519` accepts; the private key in hex."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    timestamp = str(int(now.timestamp()))
    signature = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key)).sign(timestamp.encode() + body)
    return {time_header: timestamp, signature_header: signature.hex()}


def sign_dated(time_header: str, signature_header: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_dated` accepts."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {time_header: moment} | sign_prefixed(signature_header, "", moment.encode() + body, secret, encode_base64)


def sign_jwt(claims: bytes, secret: str) -> bytes:
    """The token that `verify_jwt` accepts."""
    signed = encode_base64url(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode_base64url(claims)
    return signed + b"." + encode_base64url(hmac.digest(secret.encode(), signed, "sha256"))


def sign_standard_webhook(message_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_standard_webhook` accepts."""
    timestamp = str(int(now.timestamp()))
    signature = encode_base64(hmac.digest(standard_keys([secret])[0], f"{message_id}.{timestamp}.".encode() + body, "sha256"))
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def sign_bearer(claims: Mapping[str, Any], private_key: Mapping[str, Any]) -> dict[str, str]:
    """The header that `verify_bearer` accepts; the key as a JWK with its private half."""
    import jwt

    token = jwt.encode(dict(claims), jwt.PyJWK(dict(private_key), algorithm="RS256"), algorithm="RS256", headers={"kid": private_key["kid"]})
    return {"authorization": f"Bearer {token}"}


def sign_basic(secret: str) -> dict[str, str]:
    """The header that `verify_credentials` accepts."""
    return {"authorization": "Basic " + encode_base64(f"webhook:{secret}".encode())}


def sign_token(token: str, secret: str, now: datetime) -> dict[str, str]:
    """The fields that `verify_token_signature` accepts."""
    timestamp = str(int(now.timestamp()))
    return {"timestamp": timestamp, "token": token, "signature": hmac.digest(secret.encode(), (timestamp + token).encode(), "sha256").hex()}


def sign_notification(message: Mapping[str, Any], private_key: str) -> dict[str, Any]:
    """The message as `verify_notification` accepts it; the key as PEM."""
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key: Any = load_pem_private_key(private_key.encode(), None)
    signature = key.sign(join_notification(message), padding.PKCS1v15(), _notification_hash(message))
    return {**message, "Signature": encode_base64(signature)}


def sign_twilio(url: str, body: bytes, secret: str) -> dict[str, str]:
    """The header that `verify_twilio` accepts of a form."""
    return {"x-twilio-signature": encode_base64(hmac.digest(secret.encode(), (url + _join_fields(body)).encode(), "sha1"))}


def encode_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
