"""Signatures by a private key, proved with a public one: Ed25519, and the RSA of Amazon SNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.errors import SignatureError
from caseline.signatures import MismatchError, decode_base64, decode_hex, encode_base64, read_header, read_timestamp


def verify_ed25519(
    headers: Mapping[str, str], time_header: str, signature_header: str, body: bytes, keys: Sequence[str], now: datetime
) -> None:
    """A hex Ed25519 signature of `timestamp + body`; the secrets are public keys in lower-case hex. The library is loaded only here."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    given, timestamp = decode_hex(read_header(headers, signature_header), 64), read_header(headers, time_header)
    read_timestamp(timestamp, now)
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(decode_hex(key, 32)).verify(given, timestamp.encode("ascii") + body)
        except (SignatureError, InvalidSignature, ValueError):
            continue
        return
    raise MismatchError("no live key explains the signature")


def sign_ed25519(time_header: str, signature_header: str, body: bytes, private_key: str, now: datetime) -> dict[str, str]:
    """The headers that `verify_ed25519` accepts; the private key in hex."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    timestamp = str(int(now.timestamp()))
    signature = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key)).sign(timestamp.encode() + body)
    return {time_header: timestamp, signature_header: signature.hex()}


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


def sign_notification(message: Mapping[str, Any], private_key: str) -> dict[str, Any]:
    """The message as `verify_notification` accepts it; the key as PEM."""
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key: Any = load_pem_private_key(private_key.encode(), None)
    signature = key.sign(join_notification(message), padding.PKCS1v15(), _notification_hash(message))
    return {**message, "Signature": encode_base64(signature)}


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
