from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from caseline.caches import LazySecrets, SecretShelf, read_secrets
from caseline.errors import UnavailableError
from caseline.intake import Envelope, Intake, send_again
from caseline.signals import Signal, Unreadable
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
ENVELOPE = Envelope("env", "x", "care", "acme", "asserted", NOW)


class Sent:
    """A queue and a bucket that keep what they are given."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, Any], str, Mapping[str, Any]]] = []
        self.objects: dict[str, bytes] = {}
        self.order: list[str] = []

    def send(self, body: str, group: str, attributes: Mapping[str, Any]) -> None:
        self.order.append("send")
        body.encode("ascii")
        self.messages.append((json.loads(body), group, attributes))

    def put(self, key: str, content: bytes) -> None:
        self.order.append("put")
        self.objects[key] = content

    def items(self) -> list[Any]:
        whole = [json.loads(self.objects[body["body"]["bucket_key"]]) if "body" in body else body for body, _, _ in self.messages]
        return [item for envelope in whole for item in (*envelope["signals"], *envelope["unreadable"])]


def signal(number: int, text: str) -> Signal:
    return Signal("x", "care", str(number), "post", NOW, NOW, text=text)


@given(st.lists(st.text(max_size=300), max_size=40), st.integers(400, 3000))
def test_everything_arrives_once_in_messages_that_fit(texts: list[str], limit: int) -> None:
    sent = Sent()
    items = [signal(n, text) if n % 5 else Unreadable("is required", "id", {"n": n, "t": text}) for n, text in enumerate(texts)]
    assert Intake(sent.send, sent.put, limit).accept(ENVELOPE, items) == len(texts)
    ids = [item.get("native_id") or str(item["raw"]["n"]) for item in sent.items()]
    assert sorted(ids, key=int) == [str(n) for n in range(len(texts))]
    assert all(len(json.dumps(body, separators=(",", ":"))) <= limit for body, _, _ in sent.messages if "body" not in body)
    assert all(len(json.loads(content)["signals"]) + len(json.loads(content)["unreadable"]) == 1 for content in sent.objects.values()), (
        "only what stands alone is stored"
    )
    assert sum(int(attributes["signals"]["StringValue"]) for _, _, attributes in sent.messages) == len(texts)
    assert len({body["id"] for body, _, _ in sent.messages}) == len(sent.messages)


def test_object_is_stored_before_its_message_and_twice_the_same() -> None:
    sent = Sent()
    for _ in range(2):
        Intake(sent.send, sent.put).accept(ENVELOPE, [signal(1, "x" * 256_000)])
    assert sent.order == ["put", "send"] * 2 and len(sent.objects) == 1
    body, group, attributes = sent.messages[0]
    assert (body["id"], group, attributes["origin"]["StringValue"]) == ("env", "x/care", "door")


def test_nothing_is_no_message() -> None:
    sent = Sent()
    assert Intake(sent.send, sent.put).accept(ENVELOPE, []) == 0 and not sent.messages


def test_failed_store_sends_nothing() -> None:
    def fail(*args: Any) -> None:
        raise UnavailableError("no")

    sent = Sent()
    with pytest.raises(UnavailableError):
        Intake(sent.send, fail).accept(ENVELOPE, [signal(1, "x" * 256_000)])
    assert not sent.messages


def test_sent_again_is_not_counted_again() -> None:
    sent = Sent()
    Intake(sent.send, sent.put).accept(replace(ENVELOPE, origin="poll"), [signal(1, "a"), signal(2, "b")])
    envelope = sent.messages[0][0]
    send_again({**envelope, "signals": envelope["signals"][1:], "part": "env.1"}, sent.send)
    body, group, _ = sent.messages[1]
    assert (body["id"], body["part"], len(body["signals"]), group) == ("env", "env.1", 1, "x/care")
    assert [message[2]["origin"]["StringValue"] for message in sent.messages] == ["poll", "retry"]


class Store:
    def __init__(self) -> None:
        self.reads, self.secrets, self.now = 0, ["one"], 0.0

    def read(self, key: str) -> list[str]:
        self.reads += 1
        return list(self.secrets)


def test_secrets_are_read_when_looked_at_and_kept() -> None:
    store = Store()
    shelf = SecretShelf(store.read, lambda: store.now)
    secrets = LazySecrets(shelf, "x/care")
    assert store.reads == 0
    assert list(secrets) == ["one"] and secrets[0] == "one" and len(secrets) == 1 and store.reads == 1
    store.now = 299.9
    assert list(secrets) == ["one"] and store.reads == 1
    store.now = 300
    assert list(secrets) == ["one"] and store.reads == 2


def test_early_refresh_is_at_most_once_in_thirty_seconds_a_source() -> None:
    store = Store()
    shelf = SecretShelf(store.read, lambda: store.now)
    shelf.get("a/1")
    assert not shelf.refresh("a/1"), "it was read just now"
    store.now, store.secrets = 30, ["two", "one"]
    assert shelf.refresh("a/1") and shelf.get("a/1") == ["two", "one"]
    assert not shelf.refresh("a/1") and store.reads == 2
    shelf.get("b/1")
    store.now = 60
    assert not shelf.refresh("b/1") and store.reads == 4, "read again, and the same"


@pytest.mark.parametrize(
    ("text", "expected"), [(None, []), ("", []), ('["a", "b"]', ["a", "b"]), ("plain", ["plain"]), ('{"a": 1}', ['{"a": 1}']), ('[{"a": 1}]', ['{"a": 1}'])]
)
def test_secret_texts(text: str | None, expected: list[str]) -> None:
    assert read_secrets(text) == expected
