"""Signatures that carry their time: HMAC of `v0:time:body`, and Ed25519 of `time + body`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.errors import SignatureError
from caseline.signatures import MismatchError
from caseline.signatures.hmacs import sign_timed, verify_timed
from caseline.signatures.keys import sign_ed25519, verify_ed25519
from caseline.web import Headers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
PRIVATE = bytes(range(32)).hex()
PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw().hex()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw().hex()
# The second key of RFC 8032, 7.1.
RFC_SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
RFC_PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"


def sign(scheme: str, body: bytes, at: datetime = NOW) -> dict[str, str]:
    make = {"timed": sign_timed, "ed25519": sign_ed25519}[scheme]
    return make("x-time", "x-sig", body, "secret" if scheme == "timed" else PRIVATE, at)


def verify(scheme: str, headers: dict[str, str], body: bytes, secrets: Any = ("secret", PUBLIC), at: datetime = NOW) -> None:
    check = {"timed": verify_timed, "ed25519": verify_ed25519}[scheme]
    check(Headers(headers), "X-Time", "X-Sig", body, secrets, at)


both = pytest.mark.parametrize("scheme", ["timed", "ed25519"])


@both
@given(body=st.binary(max_size=200))
def test_signatures_round_trip_and_bind_body_and_time(scheme: str, body: bytes) -> None:
    headers = sign(scheme, body)
    verify(scheme, headers, body)
    later = {**headers, "x-time": str(int(headers["x-time"]) + 1)}
    for spoilt, sent in ((headers, body + b"x"), (later, body), (later, b"1" + body)):
        with pytest.raises(MismatchError):
            verify(scheme, spoilt, sent)


@both
@pytest.mark.parametrize(("seconds", "accepted"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_tolerance_is_exact_both_ways(scheme: str, seconds: int, accepted: bool) -> None:
    headers, at = sign(scheme, b"{}"), NOW + timedelta(seconds=seconds)
    if accepted:
        verify(scheme, headers, b"{}", at=at)
    else:
        with pytest.raises(SignatureError):
            verify(scheme, headers, b"{}", at=at)


@both
@pytest.mark.parametrize("secrets", [(), [""], ["é"], ["00"], ["zz" * 32], [OTHER], [PUBLIC.upper()], ["ff" * 32], ["00" * 32]])
def test_no_other_key_explains_it(scheme: str, secrets: Any) -> None:
    with pytest.raises(MismatchError):
        verify(scheme, sign(scheme, b"{}"), b"{}", secrets)


@both
def test_each_of_two_live_keys_is_accepted(scheme: str) -> None:
    for secrets in ([OTHER, "secret", PUBLIC], ["secret", PUBLIC, OTHER], ["", "no key", "secret", PUBLIC]):
        verify(scheme, sign(scheme, b"{}"), b"{}", secrets)


@both
@given(headers=st.dictionaries(st.sampled_from(["x-time", "x-sig"]), st.text(max_size=140)), body=st.binary(max_size=40))
def test_nothing_but_signature_error_is_raised(scheme: str, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(SignatureError):
        verify(scheme, headers, body)


@both
def test_time_stands_in_one_form(scheme: str) -> None:
    headers = sign(scheme, b"{}")
    for time in ("", "0" + headers["x-time"], headers["x-time"] + ".0", " " + headers["x-time"], "-1", "١٢٣", headers["x-time"] + "000"):
        with pytest.raises(SignatureError):
            verify(scheme, {**headers, "x-time": time}, b"{}")


def test_shape_and_time_come_before_the_keys() -> None:
    class Untouched(list[str]):
        def __iter__(self) -> Any:
            raise AssertionError("the keys were looked at")

    good = sign("ed25519", b"{}")
    for spoilt in ({}, {**good, "x-sig": good["x-sig"].upper()}, {**good, "x-sig": good["x-sig"][:-2]}, {**good, "x-time": "1"}):
        with pytest.raises(SignatureError):
            verify("ed25519", spoilt, b"{}", Untouched())


def test_a_key_of_the_standard_is_read_as_it_says() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_SECRET))
    assert private.public_key().public_bytes_raw().hex() == RFC_PUBLIC
    stamp = str(int(NOW.timestamp()))
    headers = {"x-time": stamp, "x-sig": private.sign(stamp.encode() + b"\x72").hex()}
    verify("ed25519", headers, b"\x72", [RFC_PUBLIC])
