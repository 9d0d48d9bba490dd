"""A stage for stories in the test's own process: the door, the whole way through on a clock of its own, the API's own routes."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import cache, cached_property
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

from caseline.assessment import open_analyser
from caseline.crm import open_crm
from caseline.door import Door
from caseline.envelopes import Message
from caseline.intake import Intake
from caseline.replaying import replay
from caseline.settings import Config
from caseline.signals import Signal
from caseline_local.scenarios.stage import make_secrets
from caseline_local.scenarios.story import Story
from caseline_local.world import Absent

from functions.serve_api import app as api
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.office import FakeExecutions, FakeMetrics, rest_event
from tests.kit.pipeline import Pipeline

PUBLIC_URL = "https://hooks.acme.example"


@cache
def embedded() -> Any:
    return open_analyser("embedded")


class Silent:
    def error(self, msg: object, *, extra: Mapping[str, object]) -> None:
        """Refusals are seen by their status."""


class Counted(Pipeline):
    """What the product takes in by itself (a find, a cart) is accepted, too."""

    def send(self, *signals: Signal, **more: Any) -> Message:
        for signal in signals:
            self.by_itself[f"{signal.channel}/{signal.source}"] += 1
        return super().send(*signals, **more)

    @cached_property
    def by_itself(self) -> Counter[str]:
        return Counter()


class InProcess:
    """The story's own product, on a table of its own."""

    public_url = PUBLIC_URL
    stack = ""

    def __init__(self, story: Story) -> None:
        self.config = Config.from_json({**story.config, "public_url": PUBLIC_URL})
        self.secrets = make_secrets(story)
        scope = "brand" if self.config.identity_scope == "brand" else ""
        self.pipeline = Counted(MemoryCloud(), None, embedded(), json.dumps(dict(story.policy)) if story.policy else None, scope)
        self.pipeline.now = story.start
        self._crm = self.pipeline.crm = open_crm("builtin").create(table=self.pipeline.raw_table, clock=self.pipeline.clock)
        self._accepted = self.pipeline.by_itself
        self._sent = 0
        self.intake = Intake(self._queue, self._refuse_object)
        self.door = Door(self, Silent())

    # ---- what the door needs of its wiring

    def clock(self) -> datetime:
        return self.pipeline.now

    def new_id(self) -> str:
        self._sent += 1
        return f"env{self._sent:06d}"

    def source(self, channel: str, name: str) -> Any:
        known = self.config.source(channel, name)
        return known.open(self.secrets[known.key]) if known else None

    def _queue(self, body: str, group: str, attributes: Mapping[str, Any]) -> None:
        self._accepted[group] += int(attributes["signals"]["StringValue"])
        self.pipeline.requeue(json.loads(body))

    def _refuse_object(self, key: str, body: bytes) -> None:
        raise AssertionError("no story says so much at once")

    # ---- the stage

    def now(self) -> datetime:
        return self.pipeline.now

    def move(self, to: datetime) -> None:
        self.pipeline.now = max(to, self.pipeline.now)
        self.pipeline._until_done(self.pipeline.watch)

    def let_crm(self, answer: bool) -> None:
        self.pipeline.crm = self._crm if answer else Absent(self._crm)

    def settle(self) -> bool:
        self.pipeline.settle()
        return not any(row["PK"].startswith("CASE#") for row in self.pipeline.raw_table.query("due", index="due"))

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        target = urlsplit(path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        if target.path.startswith("/webhooks/"):
            return self._knock(method, target.path, query, body, headers or {})
        with mock.patch.object(api, "desk", self.desk):
            answer = api.handler(rest_event(method, target.path, query, body.decode(), Authorization="Bearer t"), None)
        return answer["statusCode"], answer["body"].encode()

    def _knock(self, method: str, path: str, query: Mapping[str, str], body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        _, _, channel, name = path.split("/")
        encoded = base64.b64encode(body).decode()
        event = {"httpMethod": method, "path": path, "headers": dict(headers), "queryStringParameters": dict(query), "body": encoded, "isBase64Encoded": True}
        answer = self.door.receive(channel, name, event)
        return answer.status, answer.body.encode() if isinstance(answer.body, str) else answer.body

    def desk(self) -> Any:
        from caseline.desk import Desk
        from caseline.views import Gauges

        metrics = FakeMetrics({("Accepted", source): [count] for source, count in self._accepted.items()})
        pipeline = self.pipeline
        scopes = sorted(self.config.brands) if self.config.identity_scope == "brand" else [""]
        return Desk(
            pipeline.raw_table, Gauges(metrics, FakeExecutions(), "machine", ()), {source.key: source.brand for source in self.config.sources}, scopes,
            lambda case_key: pipeline.outbox().push(case_key), lambda row: replay(row, pipeline.raw_table, self.config, self.intake, None), pipeline.clock,
            lambda: pipeline.crm, "builtin", lambda: None, lambda: pipeline.policy,
        )  # fmt: skip
