"""What is about something said before: edits, deletions and replies, in whatever order they come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from caseline.signals import DELETED, OUTBOUND, UPDATED

from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline, a_signal


def test_an_edit_before_its_original_ends_as_after_it(cloud):
    original = a_signal(occurred_at=START - timedelta(hours=1))
    edit = a_signal(
        text="It works again, thanks!", action=UPDATED, revision="2026-11-21T09:59:00Z", occurred_at=START, received_at=START + timedelta(seconds=1)
    )
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(edit)
    pipeline.settle()
    pipeline.send(original)
    pipeline.settle()
    (row,) = pipeline.rows("signal")
    assert row["text"] == "It works again, thanks!" and row["occurred_at"].startswith("2026-11-21T09:00") and row["at"].startswith("2026-11-21T09:00")
    assert pipeline.counts() == {"recorded": 1, "revised": 1, "duplicates": 0, "quarantined": 0}


@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_deletion_by_id_alone_erases_the_text_for_good(cloud, deletion_first):
    deletion = a_signal(text=None, action=DELETED, identities=(), author_name=None, received_at=START + timedelta(minutes=1))
    pipeline = Pipeline(cloud, FakeCrm())
    for signal in (deletion, a_signal()) if deletion_first else (a_signal(), deletion):
        pipeline.send(signal)
        pipeline.settle()
    (row,) = pipeline.rows("signal")
    assert row["state"] == "deleted" and "text" not in row and "text_z" not in row
    assert "angry" not in str(cloud.client("dynamodb").scan(TableName=cloud.table)["Items"])


def test_a_reply_before_the_post_it_answers_waits_for_it(cloud):
    reply = a_signal("r-1", "We are on it, sorry.", direction=OUTBOUND, identities=(), parent_id="p-1", agent="care", author_name=None)
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(reply)
    pipeline.settle()
    pipeline.send(a_signal())
    pipeline.settle()
    rows = {row["native_id"]: row for row in pipeline.rows("signal")}
    assert rows["r-1"]["identity"] == rows["p-1"]["identity"] and rows["r-1"]["identities"] == ["x:100"]
    assert pipeline.counts() == {"recorded": 2, "revised": 0, "duplicates": 0, "quarantined": 0}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("post_comes", ["before", "between", "later"])
def test_a_reply_finds_its_post_though_its_worker_died_and_the_queue_delivers_it_again(after, post_comes):
    for call in range(1, 9):
        pipeline = Pipeline(MemoryCloud(), FakeCrm())
        if post_comes == "before":
            pipeline.send(a_signal())
            pipeline.settle()
        pipeline.send(a_signal("r-1", "We are on it.", direction=OUTBOUND, identities=(), parent_id="p-1", author_name=None))
        pipeline.kill_at(call, after)
        pipeline._deliver_queue()  # dies
        if post_comes == "between":
            pipeline.send(a_signal())
        pipeline.settle()
        if post_comes == "later":
            pipeline.send(a_signal())
            pipeline.settle()
        (reply,) = [row for row in pipeline.rows("signal") if row["native_id"] == "r-1"]
        assert reply.get("identity") == "IDENTITY#x:100", (call, after)


def test_a_reply_finds_its_customer_by_a_private_thread(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-1", kind="message", public=False, thread_id="t-9"))
    pipeline.settle()
    pipeline.send(a_signal("m-2", "Hello, we look into it.", kind="message", direction=OUTBOUND, identities=(), thread_id="t-9"))
    pipeline.settle()
    assert {row["identity"] for row in pipeline.rows("signal")} == {"IDENTITY#x:100"}


@pytest.mark.parametrize("by_machine", [True, False])
def test_the_brands_own_automatic_reply_is_no_answer(cloud, by_machine):
    asked, told = START - timedelta(hours=2), START - timedelta(hours=1)
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-2", "We have your mail.", kind="email", direction=OUTBOUND, occurred_at=told, attributes={"auto_reply": by_machine}))
    pipeline.settle()
    pipeline.send(a_signal("m-1", kind="email", public=False, occurred_at=asked))
    pipeline.settle()
    (case,) = pipeline.cases()
    (line,) = [line for line in case["priority"]["lines"] if line["factor"] == "sla"]
    assert (line["value"] > 0) == by_machine


def test_a_thread_named_after_its_first_message_needs_no_row_of_its_own(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("m-1", kind="email", public=False, thread_id="m-1"))
    pipeline.settle()
    assert not pipeline.rows("thread")
    pipeline.send(a_signal("m-2", "Hello, we look into it.", kind="email", direction=OUTBOUND, identities=(), thread_id="m-1"))
    pipeline.settle()
    assert {tuple(row["identities"]) for row in pipeline.rows("signal")} == {("x:100",)}


def test_a_bounce_in_a_thread_does_not_take_the_thread(cloud):
    pipeline = Pipeline(cloud, FakeCrm())
    pipeline.send(a_signal("b-1", kind="email", public=False, identities=("email:mailer-daemon@mx.example",), thread_id="t-9", attributes={"auto_reply": True}))
    pipeline.send(a_signal("m-1", kind="email", public=False, thread_id="t-9"))
    pipeline.settle()
    pipeline.send(a_signal("m-2", "We look into it.", kind="email", direction=OUTBOUND, identities=(), thread_id="t-9"))
    pipeline.settle()
    (reply,) = [row for row in pipeline.rows("signal") if row["native_id"] == "m-2"]
    assert reply["identities"] == ["x:100"] and len(pipeline.cases()) == 1


@pytest.mark.parametrize("order", [1, -1], ids=["after the question", "before it"])
def test_a_reply_finds_who_opened_a_public_thread(cloud, order):
    """Those who join later are not asked for; a post that says nothing of the kind claims no thread."""
    pipeline = Pipeline(cloud, FakeCrm())
    opened = a_signal("1", thread_id="topic/9", attributes={"opens_thread": True})
    joined = a_signal("2", "Same here.", kind="comment", thread_id="topic/9", identities=("x:200",))
    reply = a_signal("3", "Fixed today.", kind="comment", direction=OUTBOUND, identities=(), thread_id="topic/9")
    for signal in [joined, *[opened, reply][::order]]:
        pipeline.send(signal)
        pipeline.settle()
    rows = {row["native_id"]: row["identity"] for row in pipeline.rows("signal") if "native_id" in row}
    assert rows == {"1": "IDENTITY#x:100", "2": "IDENTITY#x:200", "3": "IDENTITY#x:100"}
