"""Pointers become the real thing after they were recorded: once, whatever is delivered twice, and in the end with a reason where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from caseline import completing
from caseline.completing import WAITS, Completer, read_job
from caseline.errors import PayloadError, SignatureError, UnavailableError
from caseline.signals import DELETED, POINTER, Signal
from caseline.sources import Source

from functions.complete_signals import app
from tests.kit.aws import aws
from tests.kit.pipeline import Pipeline, a_signal

WORDS = "Nobody came at all. I am really angry."


class World:
    """A pipeline with a platform that answers `answers` in turn, the last again and again."""

    def __init__(self, cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipeline = Pipeline(cloud)
        self.jobs: list[dict[str, Any]] = []
        self.waits: list[int] = []
        self.answers: list[Any] = [WORDS]
        self.pipeline.ask = lambda job: self.jobs.append(json.loads(json.dumps(job)))
        monkeypatch.setattr(completing, "open_channel", lambda name: SimpleNamespace(complete=self.answer))
        self.completer = Completer(
            self.pipeline.table, self.open_source, lambda channel: None, self.pipeline.requeue, self.retry, self.pipeline.clock
        )

    def open_source(self, channel: str, name: str) -> Source | None:
        return Source(name, "acme")

    def answer(self, session: Any, source: Source, signal: Signal) -> Signal:
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Signal) else signal.with_(kind="review", text=said, identities=("x:7",), revision="2" if said != WORDS else "1")

    def retry(self, job: Any, seconds: int) -> None:
        self.waits.append(seconds)
        self.jobs.append(dict(job))

    def notice(self, **more: Any) -> None:
        self.pipeline.now += timedelta(seconds=5)
        self.pipeline.send(a_signal("r-1", None, kind=POINTER, identities=(), received_at=self.pipeline.now, **more))
        self.pipeline.settle()

    def complete(self) -> None:
        while self.jobs:
            self.completer.complete(self.jobs.pop(0))
            self.pipeline.settle()

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.pipeline.rows("signal")
        return row


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with aws() as cloud:
        yield World(cloud, monkeypatch)


def test_a_pointer_becomes_the_signal_counts_once_and_opens_its_case(world: World) -> None:
    world.notice()
    assert world.row["need_reason"] == "pointer" and not world.pipeline.cases()
    world.complete()
    assert (world.row["kind"], world.row["text"], world.row["need"], world.row["identities"]) == ("review", WORDS, "due", ["x:7"])
    assert world.pipeline.counts() == {"recorded": 1, "revised": 0, "duplicates": 0, "quarantined": 0}
    assert len(world.pipeline.cases("open")) == 1


def test_completing_twice_changes_nothing(world: World) -> None:
    world.notice()
    job = world.jobs[0]
    world.complete()
    before = world.row
    world.completer.complete(job)
    world.pipeline.settle()
    assert world.row == before and world.pipeline.counts()["recorded"] == 1 and world.pipeline.counts()["duplicates"] == 0


def test_a_notice_of_an_edit_brings_the_edit(world: World) -> None:
    """The second notice is a duplicate until it is completed; then it is the revision."""
    world.notice()
    world.complete()
    world.answers = ["They came in the end, thank you."]
    world.notice()
    assert world.row["text"] == WORDS and world.pipeline.counts()["duplicates"] == 1
    world.complete()
    assert world.row["text"].startswith("They came")
    assert world.pipeline.counts() == {"recorded": 1, "revised": 1, "duplicates": 0, "quarantined": 0}


def test_a_platform_that_does_not_answer_is_asked_again_later(world: World) -> None:
    world.answers = [UnavailableError("429"), SignatureError("401"), UnavailableError("429", 300.5), UnavailableError("429", 86_400), WORDS]
    world.notice()
    world.complete()
    assert world.waits == [*WAITS[:2], 301, WAITS[-1]] and world.row["text"] == WORDS


@pytest.mark.parametrize(("answer", "tries"), [(UnavailableError("503"), len(WAITS)), (PayloadError("must be an object", "data"), 0)])
def test_in_the_end_the_pointer_stays_and_says_why(world: World, answer: Exception, tries: int) -> None:
    world.answers = [answer]
    world.notice()
    world.complete()
    assert world.waits == list(WAITS[:tries]) and sorted(world.waits) == world.waits
    row = world.row
    assert (row["kind"], row["need"], row["need_reason"]) == (POINTER, "none", "not-completed") and type(answer).__name__ in row["not_completed"]
    assert world.pipeline.counts()["recorded"] == 1
    world.answers = [WORDS]
    world.notice()
    world.complete()
    assert world.row["text"] == WORDS and "not_completed" not in world.row


def test_an_answer_about_another_item_is_not_taken(world: World) -> None:
    world.answers = [a_signal("r-2")]
    world.notice()
    world.complete()
    assert world.row["need_reason"] == "not-completed"


def test_what_is_gone_on_the_platform_is_gone_here(world: World) -> None:
    world.notice()
    world.answers = [Signal.from_json(world.jobs[0]["signal"]).with_(action=DELETED)]
    world.complete()
    assert world.row["state"] == "deleted" and world.pipeline.counts() == {"recorded": 1, "revised": 0, "duplicates": 0, "quarantined": 0}


def test_a_deletion_in_between_stands(world: World) -> None:
    world.notice()
    world.notice(action=DELETED)
    assert len(world.jobs) == 1, "a deletion has nothing to fetch"
    world.complete()
    assert world.row["state"] == "deleted" and "text" not in world.row


def test_the_queue_that_does_not_answer_delays_the_batch(world: World) -> None:
    def refuse(job: Any) -> None:
        raise UnavailableError("queue")

    world.pipeline.ask = refuse
    message = world.pipeline.send(a_signal("r-1", None, kind=POINTER, identities=()))
    with pytest.raises(UnavailableError):
        world.pipeline.recorder().record([message])
    assert not world.pipeline.rows("signal")


def test_jobs_hold_no_words_and_poison_is_told_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.notice()
    (job,) = world.jobs
    assert read_job(json.dumps(job))["tries"] == 0 and "text" not in job["signal"] and "signals" not in job["envelope"]
    monkeypatch.setattr(app, "wiring", lambda: world)
    bodies = {"good": json.dumps(job), "none": "5", "old": '{"v": 0, "signal": {}}', "text": "x"}
    answer = app.handler({"Records": [{"messageId": name, "body": body} for name, body in bodies.items()]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in ("none", "old", "text")]}
