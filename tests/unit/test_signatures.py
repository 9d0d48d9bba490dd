"""One thing broken at a time; and laws over everything a stranger may send."""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from caseline.errors import SignatureError
from caseline.signatures import MismatchError, decode_base64, decode_hex, encode_base64
from caseline.signatures.forms import verify_twilio
from caseline.signatures.hmacs import sign_prefixed, verify_prefixed
from caseline.signatures.standard import verify_standard_webhook
from caseline.signatures.tokens import read_basic_password, read_url_token, verify_token
from caseline.web import Headers
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = b'{"a": 1}'
anything = st.text(max_size=60)


def standard(signature: str, stamp: str = STAMP, message_id: str = "msg_1", family: str = "webhook") -> Headers:
    return Headers({f"{family}-id": message_id, f"{family}-timestamp": stamp, f"{family}-signature": signature})


def right(stamp: str = STAMP, message_id: str = "msg_1", key: bytes = KEY, body: bytes = BODY) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")).decode()


def check(headers: Headers, secrets: Any = (SECRET,), body: bytes = BODY) -> None:
    verify_standard_webhook(headers, body, secrets, NOW)


def test_standard_webhook_is_accepted_under_both_names_and_in_a_list() -> None:
    check(standard(right()))
    check(standard(right(), family="svix"))
    check(standard(f"v1a,{'A' * 86}== {right(key=b'other' * 8)} {right()}"))
    check(standard(right()), [SECRET.removeprefix("whsec_")])
    check(standard(right()), [SECRET.rstrip("=")])


@pytest.mark.parametrize(
    "at", [STAMP + ".0", "+" + STAMP, " " + STAMP, "0" + STAMP, STAMP[:-3] + "_" + STAMP[-3:], STAMP + "000", "-1", "1e9", "NaN", "", "²", "٣", "9" * 13, "0x1"]
)
def test_timestamp_has_one_form(at: str) -> None:
    with pytest.raises(SignatureError):
        check(standard(right(stamp=at), stamp=at))


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_tolerance_is_exact_both_ways(seconds: int, accepted: bool) -> None:
    stamp = str(int(STAMP) + seconds)
    if accepted:
        check(standard(right(stamp=stamp), stamp=stamp))
        return
    with pytest.raises(SignatureError):
        check(standard(right(stamp=stamp), stamp=stamp))


@pytest.mark.parametrize("length", range(32))
def test_truncated_signature_is_refused(length: int) -> None:
    digest = base64.b64decode(right()[3:])
    for shape in (digest[:length], digest + digest[: length + 1]):
        with pytest.raises(SignatureError):
            check(standard("v1," + base64.b64encode(shape).decode()))


@pytest.mark.parametrize(
    "value", ["v1", "v1,", ",", "v1,,", "v1a," + "A" * 44, "v2,x", "V1,x", "v1 ,x", "v1,!!!!", "v1,é", "", " ", "v1,\n", "v1," * 20, " ".join(["v1,x"] * 17)]
)
def test_signature_list_has_one_shape(value: str) -> None:
    with pytest.raises(SignatureError):
        check(standard(value))
    with pytest.raises(SignatureError):
        check(standard(f"{right()}  {value}"))


def test_base64_has_one_spelling() -> None:
    value = right()[3:]
    assert value.endswith("=")
    loose = value[:-2] + chr(ord(value[-2]) + 1) + "="
    for spelling in (loose, value.rstrip("="), value + "=", value.replace("=", "=\n"), value[:10] + "!" + value[10:]):
        with pytest.raises(SignatureError):
            check(standard("v1," + spelling))
    urlsafe = base64.urlsafe_b64encode(base64.b64decode(value)).decode()
    if urlsafe != value:
        with pytest.raises(SignatureError):
            check(standard("v1," + urlsafe))


@pytest.mark.parametrize("secrets", [(), [""], ["whsec_"], ["whsec_===="], ["not base64 at all!"], ["é"], [None], ["  "]])
def test_no_secret_no_entry(secrets: Any) -> None:
    for key in (b"", b"whsec_", b"None", KEY):
        with pytest.raises(MismatchError):
            check(standard(right(key=key)), secrets)


def test_every_live_secret_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        assert isinstance(one, bytes) and isinstance(other, bytes)
        compared.append((one, other))
        return hmac_compare(one, other)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr("caseline.signatures.hmac.compare_digest", compare)
    others = ["whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (7, 8)]
    check(standard(right()), [SECRET, *others])
    assert len(compared) == 3, "no early exit"


def test_shape_and_time_come_before_the_secrets() -> None:
    class Untouched(list[str]):
        def __iter__(self) -> Any:
            raise AssertionError("the secrets were looked at")

    for headers in (Headers({}), standard("v1"), standard(right(), stamp="1"), standard(right(), message_id="a.b")):
        with pytest.raises(SignatureError):
            check(headers, Untouched())


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "svix-id", "x-sig", "x-twilio-signature", "authorization"]), anything
    ),
    st.binary(max_size=80),
)
def test_nothing_but_signature_error_is_raised(headers: dict[str, str], body: bytes) -> None:
    url = "https://h.example/x?" + headers.get("x-sig", "")
    for call in (
        lambda: verify_standard_webhook(Headers(headers), body, [SECRET], NOW),
        lambda: verify_prefixed(Headers(headers), "x-sig", "sha256=", body, ["secret"]),
        lambda: verify_prefixed(Headers(headers), "x-sig", "", body, ["secret"], decode_base64),
        lambda: verify_twilio(Headers(headers), url, body, ["secret"]),
        lambda: verify_twilio(Headers({"x-twilio-signature": base64.b64encode(bytes(20)).decode()}), url, body, ["secret"]),
        lambda: verify_token(read_url_token(url) or read_basic_password(Headers(headers)), ["secret-token"]),
    ):
        with pytest.raises(SignatureError):
            call()


@given(st.binary(max_size=200), st.text(min_size=1, max_size=40).filter(str.strip), st.sampled_from(["sha1", "sha256"]))
def test_prefixed_signatures_round_trip(body: bytes, secret: str, algorithm: str) -> None:
    secret = secret.encode("utf-8", "replace").decode()
    for encode, decode in ((bytes.hex, decode_hex), (encode_base64, decode_base64)):
        headers = Headers(sign_prefixed("x-sig", "v=", body, secret, encode, algorithm))
        verify_prefixed(headers, "X-Sig", "v=", body, ["old", secret], decode, algorithm)
        with pytest.raises(MismatchError):
            verify_prefixed(headers, "x-sig", "v=", body + b"x", ["old", secret], decode, algorithm)


def test_hex_in_upper_case_and_sha1_for_sha256_are_refused() -> None:
    digest = hmac.digest(b"secret", BODY, "sha256").hex()
    weak = hmac.digest(b"secret", BODY, "sha1").hex()
    verify_prefixed(Headers({"x-sig": "sha256=" + digest}), "x-sig", "sha256=", BODY, ["secret"])
    for value in ("sha256=" + digest.upper(), "SHA256=" + digest, digest, "sha256=" + weak, "sha1=" + weak, f"sha256={digest}, sha256={digest}"):
        with pytest.raises(SignatureError):
            verify_prefixed(Headers({"x-sig": value}), "x-sig", "sha256=", BODY, ["secret"])


def test_twilio_counts_blank_and_repeated_fields() -> None:
    url, body = "https://h.example/t?x=1", b"B=&A=2&A=1&C=%C3%A9+%2B"
    signed = url + "A1" + "A2" + "B" + "C\u00e9 +"
    headers = Headers({"x-twilio-signature": base64.b64encode(hmac.digest(b"token", signed.encode(), "sha1")).decode()})
    verify_twilio(headers, url, body, ["token"])
    with pytest.raises(MismatchError):
        verify_twilio(headers, url, b"A=2&A=1&C=%C3%A9+%2B", ["token"])


@pytest.mark.parametrize(
    ("configured", "signed", "accepted"),
    [
        ("https://h.example/t?x=1", "https://h.example:443/t?x=1", True), ("https://h.example:443/t", "https://h.example/t", True),
        ("http://h.example/t", "http://h.example:80/t", True), ("https://h.example", "https://h.example:443", True),
        ("https://h.example/t", "https://h.example:8443/t", False), ("https://h.example:8443/t", "https://h.example/t", False),
        ("https://h.example/t", "http://h.example:80/t", False), ("https://h.example/t", "https://h.example:80/t", False),
    ],
)
def test_twilio_may_sign_the_standard_port_and_no_other(configured: str, signed: str, accepted: bool) -> None:
    headers = Headers({"x-twilio-signature": base64.b64encode(hmac.digest(b"token", signed.encode() + b"A1", "sha1")).decode()})
    with nullcontext() if accepted else pytest.raises(MismatchError):
        verify_twilio(headers, configured, b"A=1", ["token"])


def test_twilio_body_hash_must_be_the_bodys() -> None:
    url = "https://h.example/t?bodySHA256=" + hashlib.sha256(BODY).hexdigest()
    for address, body, accepted in (
        (url, BODY, True),
        (url, BODY + b" ", False),
        (url + "&bodySHA256=" + "0" * 64, BODY, False),
        (url[:-64] + "0" * 64, BODY, False),
    ):
        headers = Headers({"x-twilio-signature": base64.b64encode(hmac.digest(b"token", address.encode(), "sha1")).decode()})
        if accepted:
            verify_twilio(headers, address, body, ["token"])
            continue
        with pytest.raises(SignatureError):
            verify_twilio(headers, address, body, ["token"])


@pytest.mark.parametrize(
    ("url", "headers", "accepted"),
    [
        ("?token=t0ken", {}, True),
        ("?token=other", {}, False),
        ("?token=t0ken&token=t0ken", {}, False),
        ("", {}, False),
        ("?token=", {}, False),
        ("", {"authorization": "Basic " + base64.b64encode(b"any:t0ken").decode()}, True),
        ("", {"authorization": "Basic " + base64.b64encode(b"t0ken").decode()}, False),
        ("", {"authorization": "Bearer t0ken"}, False),
        ("", {"authorization": "Basic é"}, False),
        ("", {"authorization": "Basic /w=="}, False),
    ],
)
def test_shared_token(url: str, headers: dict[str, str], accepted: bool) -> None:
    def attempt() -> None:
        given_token = read_url_token("https://h.example/x" + url) or read_basic_password(Headers(headers))
        verify_token(given_token, ["older", "t0ken"])

    if accepted:
        attempt()
        return
    with pytest.raises(SignatureError):
        attempt()
