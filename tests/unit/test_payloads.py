"""Strict reading: what is refused, with which words, and that what is read can be kept anywhere."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.errors import PayloadError
from caseline.images import serialise
from caseline.payloads import Field, read_form, read_json, read_time, settle_time
from hypothesis import given
from hypothesis import strategies as st

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100).filter(lambda n: n == 0 or abs(n) > 1e-100)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
def test_plain_json_comes_through_unchanged(value: Any) -> None:
    assert read_json(json.dumps(value).encode()).value == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(PayloadError):
        read_json(body)


@given(st.text(max_size=60))
def test_what_is_read_can_be_kept(text: str) -> None:
    value = read_json(json.dumps({"text": text, "x" + text: [text]}).encode()).value
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    serialise(value)
    assert "\x00" not in value["text"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "UTF-8"),
        ('{"a":1}'.encode("utf-16"), "UTF-8"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e400]", "number"),
        (b"[1e126]", "number"),
        (b"[1e-131]", "number"),
        (b"[" + b"9" * 39 + b"]", "digits"),
        (b"[" + b"1" * 5000 + b"]", "digits"),
        (b"[0." + b"1" * 5000 + b"]", "number"),
        (b'{"a":1,"a":1}', "twice"),
        (b"[" * 33 + b"]" * 33, "deep"),
        (b"[" * 100_000 + b"]" * 100_000, "deep"),
        (b"[" + b"0," * 200_001 + b"0]", "many"),
        (b"{} {}", "not JSON"),
        (b"'a'", "not JSON"),
        (b"[1,]", "not JSON"),
    ],
)
def test_refused(body: bytes, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        read_json(body)


def test_the_edges_are_read() -> None:
    assert read_json(b"[" * 32 + b"]" * 32).value
    assert read_json(b"[" + b"9" * 38 + b", 1e125, -1e-130, 0.0]").value
    assert read_json(b'["\\ud800", "\\udc00x", "a\\u0000b", "\\ud83d\\ude21"]').value == ["\ufffd", "\ufffdx", "a\ufffdb", "😡"]


def test_reader_names_the_path() -> None:
    body = read_json(b'{"data": {"author": {"id": 7}, "list": [{"n": "x"}], "flag": 1, "empty": "", "none": null, "ms": "1773480550123"}}')
    data = body["data"]
    assert (
        data["author"]["id"].id() == "7"
        and data["absent"]["deeper"].text_or_none() is None
        and data["empty"].id_or_none() is None
        and data["none"].id_or_none() is None
    )
    assert data["ms"].epoch(0.001) == datetime(2026, 3, 14, 9, 29, 10, 123000, tzinfo=UTC)
    for attempt, path in (
        (lambda: data["author"]["name"].text(), "data.author.name"),
        (lambda: data["author"].text(), "data.author"),
        (lambda: [item["n"].number() for item in data["list"].each()], "data.list[0].n"),
        (lambda: data["flag"].boolean_or_none(), "data.flag"),
        (lambda: data["empty"].id(), "data.empty"),
        (lambda: data["author"]["id"]["x"], "data.author.id"),
        (lambda: list(data["author"].each()), "data.author"),
        (lambda: data["none"].time(), "data.none"),
        (lambda: Field(True, "b").integer_or_none(), "b"),
        (lambda: Field(-1, "c").count_or_none(), "c"),
        (lambda: Field("²", "d").epoch(), "d"),
        (lambda: Field(1e300, "e").epoch(), "e"),
        (lambda: Field(True, "f").epoch(), "f"),
        (lambda: Field("x" * 513, "g").id(), "g"),
    ):
        with pytest.raises(PayloadError) as caught:
            attempt()
        assert caught.value.field == path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-14T09:30:00Z", "2026-03-14T09:30:00+00:00"),
        ("2026-03-14T09:30:00", "2026-03-14T09:30:00+00:00"),
        ("2026-03-14 09:30", "2026-03-14T09:30:00+00:00"),
        ("2026-03-14T09:30:00.123456789Z", "2026-03-14T09:30:00.123456+00:00"),
        ("2026-03-14T09:30:00.5+02:00", "2026-03-14T07:30:00.500000+00:00"),
        ("2026-03-14t09:30:00z", "2026-03-14T09:30:00+00:00"),
        ("2025-10-09T08:55:01+0000", "2025-10-09T08:55:01+00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert read_time(text).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-03-14",
        "2026-02-30T00:00:00Z",
        "2026-03-14T24:00:00Z",
        "2026-03-14T09:30:60Z",
        "2026-W11-6T00:00",
        "20260314T093000Z",
        "２０２６-03-14T09:30:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-03-14T09:30:00+99:00",
        "2026-03-14T09:30:00Z ",
        "2026-03-14T09:30:00Z\n",
        "1773480550",
    ],
)
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(PayloadError):
        read_time(text)


def test_future_is_clamped_up_to_a_day() -> None:
    now = datetime(2026, 3, 14, tzinfo=UTC)
    assert settle_time(now + timedelta(days=1), now) == now and settle_time(now - timedelta(days=900), now) == now - timedelta(days=900)
    with pytest.raises(PayloadError):
        settle_time(now + timedelta(days=1, microseconds=1), now)


def test_forms() -> None:
    assert read_form(b"A=&B=%C3%A9+x&A=1") == [("A", ""), ("B", "é x"), ("A", "1")] and read_form(b"") == []
    for body in (b"\xff=1", b"A=%ff", b"alone", b"&".join(b"a=1" for _ in range(1001))):
        with pytest.raises(PayloadError):
            read_form(body)


@pytest.mark.parametrize("told", [1773480550, "1773480550", 1773480550000, "1773480550000", 1773480550.0, "2026-03-14T09:29:10Z", "2026-03-14T10:29:10+0100"])
def test_a_moment_is_the_same_in_whatever_form_it_is_told(told: Any) -> None:
    assert Field(told, "at").moment() == datetime(2026, 3, 14, 9, 29, 10, tzinfo=UTC)


@pytest.mark.parametrize("odd", ["", "soon", True, None, -1, "²", [], 10**18, "9" * 20])
def test_what_is_no_moment_is_refused_by_its_path(odd: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        Field(odd, "at").moment()
    assert caught.value.field == "at"
