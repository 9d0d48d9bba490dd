from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from caseline.errors import UnavailableError
from caseline.outbound import MAX_ANSWER, TOTAL_SECONDS, Session


class Answer:
    """What requests would return, streamed."""

    status_code, headers = 200, {"content-type": "application/json"}

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def iter_content(self, size: int) -> Iterator[bytes]:
        yield from self.chunks


def session(monkeypatch: pytest.MonkeyPatch, answer: Any, seconds: Iterator[float] | None = None) -> Session:
    ticks = seconds or iter([0.0] * 1000)
    made = Session(["api.example.com"], lambda: datetime(2026, 3, 14, tzinfo=UTC), lambda: next(ticks))

    def request(self: requests.Session, method: str, url: str, **options: Any) -> Any:
        assert options["allow_redirects"] is False and options["timeout"] and not self.trust_env
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(requests.Session, "request", request)
    return made


def test_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = session(monkeypatch, Answer([b"a", b"b"])).request("GET", "https://api.example.com/x")
    assert (answer.status_code, answer.content) == (200, b"ab")


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
def test_other_hosts_are_never_called(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(UnavailableError, match="not a host"):
        session(monkeypatch, AssertionError("called")).request("GET", url)


def test_failures_and_endless_answers_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="ConnectionError"):
        session(monkeypatch, requests.ConnectionError("secret in the text")).request("GET", "https://api.example.com/x")
    with pytest.raises(UnavailableError, match="too large"):
        session(monkeypatch, Answer([b"x" * MAX_ANSWER, b"x"])).request("GET", "https://api.example.com/x")
    with pytest.raises(UnavailableError, match="too slow"):
        session(monkeypatch, Answer([b"x"] * 3), iter([0.0, 1.0, TOTAL_SECONDS + 1])).request("GET", "https://api.example.com/x")
