"""The poller's handler: a schedule queues jobs, a job polls its source."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from caseline.settings import Config

from functions.poll_channels import app


class NoRows:
    def get_many(self, keys: Any) -> list[Any]:
        return []


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    from datetime import UTC, datetime

    sources = [{"channel": "google_play", "name": "app", "brand": "acme", "settings": {"package": "com.example.trails"}}, {"channel": "x", "brand": "acme"}]
    wired = SimpleNamespace(jobs=[], polled=[], table=NoRows(), config=Config.from_json({"brands": {"acme": {}}, "sources": sources}))
    wired.clock = lambda: datetime(2026, 3, 14, tzinfo=UTC)
    wired.send_job = lambda body, group: wired.jobs.append((json.loads(body), group))
    wired.poller = SimpleNamespace(poll=lambda channel, source: wired.polled.append((channel, source)) or 2)
    monkeypatch.setattr(app, "wiring", lambda: wired)
    return wired


def test_schedule_queues_one_job_for_each_due_source(wired: SimpleNamespace) -> None:
    assert app.handler({"source": "aws.events", "detail-type": "Scheduled Event"}, None) == {"jobs": 1}
    assert wired.jobs == [({"channel": "google_play", "source": "app"}, "google_play/app")]


def test_job_polls_its_source(wired: SimpleNamespace) -> None:
    assert app.handler({"Records": [{"messageId": "1", "body": json.dumps({"channel": "google_play", "source": "app"})}]}, None)["queued"] == 2
    assert wired.polled == [("google_play", "app")]
