"""Bodies that are tokens themselves, and bodies signed together with a date: one thing broken at a time, and laws over anything."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from caseline.errors import PayloadError, SignatureError
from caseline.signatures import encode_base64
from caseline.signatures.hmacs import sign_dated, sign_prefixed, sign_timed, verify_dated, verify_timed
from caseline.signatures.jwts import encode_base64url, read_jwt, sign_jwt, verify_jwt
from caseline.web import Headers
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
SECRET = "sample-secret-of-a-token-of-32-bytes-or-more"
CLAIMS = {"call_id": 9007199254740995, "text": "déjà vu"}


def token(header: Any = None, claims: Any = None, secret: str = SECRET) -> bytes:
    """Signed as it should be, whatever the header says."""
    parts = ({"alg": "HS256", "typ": "JWT"} if header is None else header, CLAIMS if claims is None else claims)
    signed = b".".join(encode_base64url(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in parts)
    return signed + b"." + encode_base64url(hmac.digest(secret.encode(), signed, "sha256"))


def test_tokens_of_the_library_are_accepted_and_ours_by_the_library() -> None:
    theirs = jwt.encode(CLAIMS, SECRET, algorithm="HS256").encode()
    verify_jwt(theirs, ["other", SECRET], NOW)
    assert read_jwt(theirs).value == CLAIMS
    assert jwt.decode(sign_jwt(json.dumps(CLAIMS).encode(), SECRET), SECRET, algorithms=["HS256"]) == CLAIMS


@pytest.mark.parametrize("header", [
    {"alg": "none"}, {"alg": "hs256"}, {"alg": "HS512"}, {"alg": "RS256"}, {"alg": ["HS256"]}, {"alg": None}, {"typ": "JWT"}, {"alg": "HS256", "crit": ["exp"]},
    [], "HS256", b"{", b'{"alg": "HS256", "alg": "none"}',
])
def test_one_algorithm_and_no_other(header: Any) -> None:
    with pytest.raises(SignatureError):
        verify_jwt(token(header), [SECRET], NOW)


@pytest.mark.parametrize("claims", [[], "x", 1, None, b"null", b"\xff", {"exp": "soon"}, {"nbf": []}, {"exp": True}])
def test_claims_are_an_object_and_its_times_are_numbers(claims: Any) -> None:
    with pytest.raises(SignatureError):
        verify_jwt(token(claims=b"null" if claims is None else claims), [SECRET], NOW)


@pytest.mark.parametrize(("name", "seconds", "accepted"), [
    ("exp", 0, True), ("exp", -300, True), ("exp", -301, False), ("nbf", 0, True), ("nbf", 300, True), ("nbf", 301, False),
])
def test_lifetime(name: str, seconds: int, accepted: bool) -> None:
    made = token(claims={name: NOW.timestamp() + seconds})
    if accepted:
        verify_jwt(made, [SECRET], NOW)
        return
    with pytest.raises(SignatureError):
        verify_jwt(made, [SECRET], NOW)


def test_every_byte_of_a_token_counts() -> None:
    made = token()
    for index in range(len(made)):
        for other in b"A.=\x00\n":
            if made[index] != other:
                with pytest.raises(SignatureError):
                    verify_jwt(made[:index] + bytes([other]) + made[index + 1 :], [SECRET], NOW)
    for spoilt in (made + b"=", made + b"\n", b" " + made, made + b".", made[:-1], made.rpartition(b".")[0] + b".", made * 2, b"..", b""):
        with pytest.raises(SignatureError):
            verify_jwt(spoilt, [SECRET], NOW)


@pytest.mark.parametrize("secrets", [[], [""], ["  "], ["other"]])
def test_no_secret_no_entry(secrets: list[str]) -> None:
    with pytest.raises(SignatureError):
        verify_jwt(token(), secrets, NOW)


@given(st.binary(max_size=120), st.dictionaries(st.sampled_from(["time", "sig"]), st.text(max_size=60)))
def test_nothing_but_signature_error_is_raised(body: bytes, headers: dict[str, str]) -> None:
    for check in (verify_dated, verify_timed):
        with pytest.raises(SignatureError):
            check(Headers(headers), "time", "sig", body, [SECRET], NOW)
    with pytest.raises(SignatureError):
        verify_jwt(body, [SECRET], NOW)
    with pytest.raises(PayloadError):
        read_jwt(body)


@given(st.binary(max_size=200))
def test_dated_and_timed_signatures_round_trip(body: bytes) -> None:
    verify_dated(Headers(sign_dated("time", "sig", body, SECRET, NOW)), "time", "sig", body, ["other", SECRET], NOW)
    verify_timed(Headers(sign_timed("time", "sig", body, SECRET, NOW)), "time", "sig", body, ["other", SECRET], NOW)
    with pytest.raises(SignatureError):
        verify_dated(Headers(sign_dated("time", "sig", body, SECRET, NOW)), "time", "sig", body + b" ", [SECRET], NOW)


@pytest.mark.parametrize(("stamp", "accepted"), [
    ("2026-05-04T10:00:00Z", True), ("2026-05-04T12:04:59.5+02:00", True), ("1777888800", True), ("2026-05-04T10:05:01Z", False), ("2026-05-04", False),
    ("1777888800000", False), ("now", False), ("²", False), ("2026-13-04T10:00:00Z", False),
])
def test_dates_are_read_in_both_forms_and_signed_as_they_stand(stamp: str, accepted: bool) -> None:
    headers = Headers({"time": stamp} | sign_prefixed("sig", "", stamp.encode() + b"{}", SECRET, encode_base64))
    if accepted:
        verify_dated(headers, "time", "sig", b"{}", [SECRET], NOW)
        return
    with pytest.raises(SignatureError):
        verify_dated(headers, "time", "sig", b"{}", [SECRET], NOW)


@pytest.mark.parametrize(("stamp", "accepted"), [
    ("1777888800", True), ("1777888800123", True), ("1777889100999", True), ("1777889101000", False), ("17778888001", False), ("17778888000000", False),
])
def test_timestamps_may_be_in_milliseconds(stamp: str, accepted: bool) -> None:
    headers = Headers({"time": stamp} | sign_prefixed("sig", "v0=", f"v0:{stamp}:".encode() + b"{}", SECRET))
    if accepted:
        verify_timed(headers, "time", "sig", b"{}", [SECRET], NOW)
        return
    with pytest.raises(SignatureError):
        verify_timed(headers, "time", "sig", b"{}", [SECRET], NOW)
