"""`caseline replay` against a product that refuses, is busy and goes away."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from caseline.channels import open_channel
from caseline.signals import parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest
from caseline_local.cli import replay
from caseline_local.cli.sources import Sender
from caseline_local.cli.terminal import FindingsError, UnreachableError

SCENARIOS = Path(__file__).parents[2] / "events" / "scenarios"
SECRET = "whsec_" + "c2VjcmV0" * 4
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Busy(ThreadingHTTPServer):
    """Answers by a script, then 202; keeps what it was sent."""

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.seen = list(answers), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that goes away is no matter here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = WebhookRequest("POST", self.path, dict(self.headers.items()), body, datetime.now(UTC))
        open_channel("standard_webhooks").verify(request, Source("default", "acme", secrets=[SECRET]))
        status, answer = self.server.answers.pop(0) if self.server.answers else (202, '{"accepted": 1}')
        if status < 300:
            self.server.seen.append(json.loads(body))
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def busy():
    servers = []

    def start(*answers):
        servers.append(Busy(*answers))
        return servers[-1], Sender("standard_webhooks", "default", SECRET, "https://hooks.example.com", f"http://127.0.0.1:{servers[-1].server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def example():
    signals, faults = replay.load_signals(SCENARIOS / "posts.csv", replay.read_mapping(SCENARIOS / "posts_map.yaml"))
    assert len(signals) == 12 and not faults
    return signals


def test_the_example_is_in_order_and_all_of_it_is_understood(example):
    times = [signal["occurred_at"] for signal in example]
    assert times == sorted(times)
    for body in replay.prepare(example, NOW, rebase=True, backfill=False):
        request = WebhookRequest("POST", "https://x", {}, json.dumps(body).encode(), NOW)
        [signal] = open_channel("standard_webhooks").parse(request, Source("default", "acme"))
        assert signal.text and (signal.direction == "outbound") == (signal.agent == "Acme Booking")


def test_rebasing_shifts_all_by_one_offset_so_that_the_last_is_now(example):
    moved = replay.prepare(example, NOW, rebase=True, backfill=False)
    offsets = {parse_time(new["data"]["occurred_at"]) - parse_time(old["occurred_at"]) for old, new in zip(example, moved, strict=True)}
    assert len(offsets) == 1 and parse_time(moved[-1]["data"]["occurred_at"]) == NOW


def test_backfill_marks_history_and_keeps_its_times(example):
    history = replay.prepare(example, NOW, rebase=False, backfill=True)
    assert [body["data"]["occurred_at"] for body in history] == [signal["occurred_at"] for signal in example]
    assert all(body["data"]["attributes"]["backfill"] is True for body in history)


def test_rows_that_cannot_be_mapped_are_reported_with_their_line(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text('no,when,who,words\n1,2026-01-01T00:00:00Z,ann,"two\nlines"\n2,never,ben,hello\n3,2026-01-02T00:00:00Z,,hello\n4,2026-01-03T00:00:00Z,cy,hi\n')
    signals, faults = replay.load_signals(file, {"id": "no", "occurred_at": "when", "author": {"id": "who"}, "text": "words"})
    assert [signal["id"] for signal in signals] == ["1", "4"] and [fault.partition(":")[0] for fault in faults] == ["4", "5"]


def test_a_column_that_is_not_there_is_a_mistake_of_the_map(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("no,when\n1,2026-01-01T00:00:00Z\n")
    with pytest.raises(FindingsError, match="has no column who, words"):
        replay.load_signals(file, {"id": "no", "occurred_at": "when", "author": {"id": "who"}, "text": "words"})


def test_json_lines_and_a_limit(tmp_path):
    file = tmp_path / "rows.jsonl"
    rows = [{"id": str(n), "at": n, "user": {"id": "u"}, "text": "hello"} for n in range(5)]
    file.write_text("\n".join([*map(json.dumps, rows), "{broken", "[1]"]))
    mapping = {"id": "id", "occurred_at": {"column": "at", "format": "epoch"}, "author": {"id": "user.id"}, "text": "text"}
    signals, faults = replay.load_signals(file, mapping)
    assert len(signals) == 5 and [fault.partition(":")[0] for fault in faults] == ["6", "7"]
    assert len(replay.load_signals(file, mapping, limit=2)[0]) == 2


def test_a_busy_product_is_tried_again_and_nothing_is_lost(busy, example, monkeypatch):
    monkeypatch.setattr(replay, "_PAUSES", (0.01,) * 4)
    server, sender = busy((503, ""), (503, ""), (429, ""))
    tally = replay.post_all(replay.prepare(example, NOW, True, False), sender, None, 3)
    assert (tally.accepted, tally.retried) == (12, 3) and {body["data"]["id"] for body in server.seen} == {signal["id"] for signal in example}


def test_a_refusal_is_counted_with_its_reason_and_the_others_go_on(busy, example):
    _, sender = busy((422, '{"error": {"code": "invalid_payload", "message": "is required", "field": "data.id"}}'))
    tally = replay.post_all(replay.prepare(example, NOW, True, False), sender, None, 2)
    assert tally.accepted == 11 and list(tally.describe())[1:] == ["refused 1: 422 data.id: is required"]


def test_a_wrong_secret_ends_it_at_once(busy, example):
    _, sender = busy(*[(401, "")] * 12)
    with pytest.raises(FindingsError, match="secret"):
        replay.post_all(replay.prepare(example, NOW, True, False), sender, None, 1)


def test_a_product_that_is_gone_is_said_so(example, monkeypatch):
    monkeypatch.setattr(replay, "_PAUSES", (0.01,))
    with pytest.raises(UnreachableError, match="caseline dev"):
        replay.post_all(replay.prepare(example, NOW, True, False), Sender("standard_webhooks", "default", SECRET, "http://x", "http://127.0.0.1:9"), None, 2)


def test_a_rate_is_kept(busy, example):
    _, sender = busy()
    tally = replay.post_all(replay.prepare(example[:6], NOW, True, False), sender, 50, 4)
    assert timedelta(seconds=tally.seconds) >= timedelta(seconds=0.1)
