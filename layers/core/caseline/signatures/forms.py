"""Twilio's scheme: the URL and the sorted fields of a form."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from caseline.errors import PayloadError, SignatureError
from caseline.payloads import read_form
from caseline.signatures import compare, decode_base64, decode_hex, encode_base64, live_keys, read_header


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


def sign_twilio(url: str, body: bytes, secret: str) -> dict[str, str]:
    """The header that `verify_twilio` accepts of a form."""
    return {"x-twilio-signature": encode_base64(hmac.digest(secret.encode(), (url + _join_fields(body)).encode(), "sha1"))}


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
