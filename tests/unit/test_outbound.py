"""Calls to platforms over real HTTP; only the connections lead to this machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from caseline import outbound
from caseline.errors import UnavailableError
from caseline.outbound import Session

from tests.kit.platforms import Platform, run_platform

URL = "https://api.example.com/x"


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    with run_platform() as platform:
        yield platform


@pytest.fixture
def platform(running: Platform) -> Platform:
    running.play(lambda asked: {"status": 200, "text": "ab", "headers": {"X-Told": asked.method}})
    return running


def session(platform: Platform, speed: float = 1.0) -> Session:
    return platform.open_session(["api.example.com", "other.example.com"], lambda: datetime(2026, 3, 14, tzinfo=UTC), speed)


def test_answer_is_read_and_nothing_is_sent_that_was_not_said(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    answer = session(platform).request("POST", URL, params={"a": "1"}, data={"b": "2"}, headers={"X-Key": "k"})
    assert (answer.status_code, answer.content, answer.headers["x-told"]) == (200, b"ab", "POST")
    [asked] = platform.asked
    assert asked.as_sample() == {"method": "POST", "url": URL, "params": {"a": "1"}, "headers": {"x-key": "k"}, "form": {"b": "2"}, "body": ""}


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/",
        "https://evil.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com@evil.example.com/",
        "https://169.254.169.254/",
    ],
)
def test_other_hosts_are_never_called(platform: Platform, url: str) -> None:
    with pytest.raises(UnavailableError, match="not a host"):
        session(platform).request("GET", url)
    assert not platform.asked


def test_a_redirect_is_an_answer_and_not_followed(platform: Platform) -> None:
    platform.play(lambda asked: {"status": 302, "text": "", "headers": {"Location": "https://other.example.com/"}})
    assert session(platform).request("GET", URL).status_code == 302 and len(platform.asked) == 1


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ({"text": "ab" * 500, "fault": "cut"}, "did not answer: IncompleteRead|ProtocolError"), ({"text": "x" * 2000}, "too large"),
        ({"text": "", "fault": "drip"}, "too slow"), ({"text": "ab", "headers": {"Content-Encoding": "gzip"}}, "DecodeError"),
    ],
)  # fmt: skip
def test_cut_slow_endless_and_garbled_answers_are_unavailable(platform: Platform, monkeypatch: pytest.MonkeyPatch, answer: Any, match: str) -> None:
    monkeypatch.setattr(outbound, "MAX_ANSWER", 1500)
    platform.play(lambda asked: {"status": 200, **answer})
    with pytest.raises(UnavailableError, match=match):
        session(platform, speed=100 if answer.get("fault") == "drip" else 1).request("GET", URL)


def test_nobody_there_is_unavailable_and_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise requests.ConnectionError("secret in the text")

    monkeypatch.setattr(requests.Session, "request", fail)
    with pytest.raises(UnavailableError, match=r"did not answer: ConnectionError$"):
        Session(["api.example.com"], lambda: datetime(2026, 3, 14, tzinfo=UTC)).request("GET", URL)


def test_a_host_that_wants_to_be_left_alone_is(platform: Platform) -> None:
    """Others are asked all the same; what came with the last good answer is given."""
    said = {"/x": {"status": 200, "text": "a", "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "90"}}, "/y": {"status": 429, "text": "b"}}
    platform.play(lambda asked: said[asked.url[-2:]])
    asking = session(platform)
    assert asking.request("GET", URL).content == b"a"
    for url, seconds, calls in ((URL, 90, 1), ("https://other.example.com/y", 60, 2), ("https://other.example.com/x", 60, 2)):
        with pytest.raises(UnavailableError, match="left alone") as caught:
            asking.request("GET", url)
        assert caught.value.retry_after == seconds and len(platform.asked) == calls
