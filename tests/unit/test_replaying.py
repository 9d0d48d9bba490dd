"""Replay from quarantine: what is understood now is queued under its own deliveries, what is not stays."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.errors import ConflictError, UnavailableError
from caseline.intake import Intake
from caseline.publishing import Happening, fold_counts
from caseline.quarantine import list_quarantine, load_quarantined, quarantine_row
from caseline.replaying import replay
from caseline.settings import Config
from caseline.table import Item, Table
from caseline.views.stats import read_counts

from tests.kit.aws import aws

RECEIVED = datetime(2026, 11, 21, 9, tzinfo=UTC)
CONFIG = Config.from_json({"sources": [{"channel": channel, "name": "default", "brand": "acme"} for channel in ("standard_webhooks", "cloudevents")]})
GOOD = {
    "type": "signal.created", "timestamp": "2026-11-21T08:59:00Z",
    "data": {"id": "p-1", "kind": "post", "public": True, "occurred_at": "2026-11-21T08:58:00Z", "author": {"id": "u-1"}, "text": "Hello?"},
}  # fmt: skip


@pytest.fixture
def table() -> Iterator[Table]:
    with aws() as cloud:
        yield Table(cloud.client("dynamodb"), cloud.table)


def keep(table: Table, body: Any, source: str = "default", whole: bool = True, channel: str = "standard_webhooks") -> Item:
    raw = base64.b64encode(json.dumps(body).encode()).decode() if whole else json.dumps(body)
    envelope = {"channel": channel, "source": source, "brand": "acme", "received_at": "2026-11-21T09:00:00.000000Z"}
    kept = {"reason": "not understood", "field": "data.id", "raw": raw, "whole": whole, "headers": {"content-type": "application/json"}, "url": "https://hooks.example/"}
    table.put(quarantine_row(envelope, kept, f"delivery-{source}-{whole}", timedelta(days=30)))
    return list_quarantine(table)[0]


class Queue:
    def __init__(self, down: bool = False) -> None:
        self.down, self.sent = down, []

    def __call__(self, body: str, group: str, attributes: Any) -> None:
        if self.down:
            raise UnavailableError("sqs did not answer")
        self.sent.append((json.loads(body), group, attributes))


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_understood_now_goes_to_the_queue_and_off_the_list(table: Table, whole: bool) -> None:
    row, queue = keep(table, GOOD, whole=whole), Queue()
    assert replay(row, table, CONFIG, Intake(queue, lambda key, body: None)) == 1
    body, group, attributes = queue.sent[0]
    assert body["signals"][0]["native_id"] == "p-1" and body["received_at"] == "2026-11-21T09:00:00.000000Z"
    assert attributes["origin"]["StringValue"] == "replay" and group == "standard_webhooks/default"
    assert list_quarantine(table) == [] and (load_quarantined(table, row["id"]) or {})["state"] == "replayed"


def test_a_second_try_sends_the_same_deliveries(table: Table) -> None:
    row, queue = keep(table, GOOD), Queue()
    for _ in range(2):
        replay(row, table, CONFIG, Intake(queue, lambda key, body: None))
    assert queue.sent[0] == queue.sent[1]


def test_what_is_still_not_understood_stays(table: Table) -> None:
    row, queue = keep(table, {**GOOD, "data": {"text": "no id"}}), Queue()
    with pytest.raises(ConflictError, match=r"still not understood: data"):
        replay(row, table, CONFIG, Intake(queue, lambda key, body: None))
    assert queue.sent == [] and len(list_quarantine(table)) == 1


def test_a_source_that_is_gone_keeps_its_payloads(table: Table) -> None:
    row = keep(table, GOOD, source="gone")
    with pytest.raises(ConflictError):
        replay(row, table, CONFIG, Intake(Queue(), lambda key, body: None))
    assert len(list_quarantine(table)) == 1


def test_a_queue_that_is_down_loses_nothing(table: Table) -> None:
    row = keep(table, GOOD)
    with pytest.raises(UnavailableError):
        replay(row, table, CONFIG, Intake(Queue(down=True), lambda key, body: None))
    assert len(list_quarantine(table)) == 1


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_balance_holds_however_many_signals_a_replay_brings(table: Table, number: int) -> None:
    """It was accepted as one: what is more, or less, than that is told beside the door's count."""
    events = [GOOD | {"specversion": "1.0", "id": f"e-{n}", "source": "/shop", "time": GOOD["timestamp"]} for n in range(number)]
    row = keep(table, events, channel="cloudevents")
    fold_counts(table, [Happening("1", {}, row)])
    assert replay(row, table, CONFIG, Intake(Queue(), lambda key, body: None)) == number
    change = Happening("2", row, load_quarantined(table, row["id"]) or {})
    for _ in range(2):
        fold_counts(table, [change])
    counts = read_counts(table, [])["cloudevents/default"]
    assert (counts["quarantined"], counts["replayed"]) == (0, number - 1)
