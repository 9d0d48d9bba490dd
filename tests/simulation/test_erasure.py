"""After an erasure no store holds a word or an identity of the person, whoever died on the way and whatever is delivered late."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from caseline import tombstones
from caseline.cases.changes import work_case
from caseline.customers import customer_id_of, load_customer
from caseline.errors import NotFoundError
from caseline.images import deserialise
from caseline.personal import Personal
from caseline.policy import load_policy
from caseline.signals import OUTBOUND
from caseline.table import ConditionFailed, Table
from caseline.tombstones import Sieve, announce, bury

from tests.kit.aws import aws
from tests.kit.memory import MemoryClient
from tests.kit.pipeline import Grim, Killed, Mortal, Pipeline, a_signal

MAIL, WORDS = "email:zenobia.quokka@elm.example", ("quokka", "zenobia", "+441632960777", "441632960777", "marmalade", "wombat")


def play(pipeline: Pipeline) -> list[Any]:
    """Signals in public and private, an answer, a note, a quarantined payload; a bystander."""
    sent = [
        pipeline.send(a_signal("p-1", "My marmalade is broken and I am angry.", identities=("x:quokka", MAIL), author_name="Zenobia Quokka")),
        pipeline.send(
            a_signal("m-1", "Angry about the marmalade!", kind="message", public=False, thread_id="+441632960777", identities=("phone:+441632960777", MAIL),
                     author_name="Zenobia Quokka", url="https://chat.example/zenobia")
        ),
        pipeline.send(
            a_signal("r-1", "Dear Zenobia, we are on it.", kind="message", public=False, direction=OUTBOUND, identities=(), thread_id="+441632960777")
        ),
        pipeline.send(a_signal("r-2", "Sorry, Zenobia.", direction=OUTBOUND, identities=(), parent_id="p-1", author_name=None)),
        pipeline.send(unreadable=[{"reason": "no text", "field": "text", "raw": json.dumps({"from": "Zenobia.Quokka@elm.example"})}]),
        pipeline.send(a_signal("p-9", "I am angry, too.", identities=("x:bystander",), author_name="By")),
    ]  # fmt: skip
    pipeline.settle()
    for case in pipeline.cases("open"):
        if case["author_name"] == "Zenobia Quokka":
            work_case(pipeline.table, case["case_key"], {"note": "Zenobia rang: marmalade and a wombat."}, "ann", pipeline.now)
            work_case(pipeline.table, case["case_key"], {"band": "P1", "reason": "the wombat"}, "ann", pipeline.now)
    pipeline.settle()
    pipeline.now += timedelta(minutes=5)
    return sent


def personal(pipeline: Pipeline, table: Table | None = None) -> Personal:
    return Personal(table or pipeline.table, "builtin", pipeline.policy, pipeline.clock)


def found(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{word} in {row['PK']} {row['SK']}: {row}" for row in rows for word in WORDS if word in repr(row).lower()]


def all_rows(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [deserialise(item) for item in pipeline.cloud.client("dynamodb").scan(TableName=pipeline.cloud.table)["Items"]]


@pytest.fixture
def pipeline():
    with aws() as cloud:
        yield Pipeline(cloud)


def test_export_holds_all_and_nothing_of_others(pipeline):
    play(pipeline)
    given = json.dumps(personal(pipeline).export(customer_id_of("x:quokka")))
    assert all(word in given.lower() for word in ("marmalade", "wombat", "dear zenobia", "zenobia.quokka@elm.example")) and "bystander" not in given


def test_after_an_erasure_nothing_is_left_and_late_copies_change_nothing(pipeline):
    sent = play(pipeline)
    assert found(all_rows(pipeline))
    told = personal(pipeline).erase(customer_id_of("x:quokka"))
    pipeline.settle()
    assert told["erased"]["signal"] >= 3 and not found(all_rows(pipeline))
    assert pipeline.counts()["recorded"] == 5
    for message in sent:
        pipeline.queue.append(message)  # the queue delivers once more what it delivered
        pipeline.settle()
        envelope = {**message.envelope, "id": message.envelope["id"] + "-again"}
        pipeline.requeue(envelope)  # the platform sends it again
        pipeline.settle()
        left = [line for line in found(all_rows(pipeline)) if "QUARANTINE" not in line]
        assert not left, left
    assert load_customer(pipeline.table, customer_id_of(MAIL)) is None
    assert load_customer(pipeline.table, customer_id_of("x:bystander"))
    with pytest.raises(NotFoundError):
        personal(pipeline).export(customer_id_of(MAIL))


def test_what_was_under_way_never_arrives_and_what_is_said_later_is_new(pipeline):
    play(pipeline)
    personal(pipeline).erase(customer_id_of("x:quokka"))
    early, late = pipeline.now - timedelta(minutes=1), pipeline.now + timedelta(minutes=1)
    pipeline.send(a_signal("p-2", "More marmalade!", identities=(MAIL, "x:zenobia2"), author_name="Zenobia", occurred_at=early, received_at=late))
    pipeline.send(a_signal("r-3", "Hello Zenobia", direction=OUTBOUND, identities=(), parent_id="p-1", occurred_at=late))
    pipeline.settle()
    assert not found(all_rows(pipeline))
    pipeline.send(a_signal("p-3", "Hello, I am angry again.", identities=(MAIL,), author_name="Z", occurred_at=late, received_at=late))
    pipeline.settle()
    assert load_customer(pipeline.table, customer_id_of(MAIL))["name"] == "Z"
    assert len(pipeline.cases("open")) == 2


def test_who_is_repeated_without_a_time_stays_erased(pipeline):
    """Where a platform sends none, the time is that of each receipt: newer than the erasure."""
    play(pipeline)
    personal(pipeline).erase(customer_id_of("x:quokka"))
    late = pipeline.now + timedelta(minutes=1)
    pipeline.send(a_signal("m-1", "Angry about the marmalade!", identities=("phone:+441632960777",), author_name="Zenobia", occurred_at=late, received_at=late))
    pipeline.settle()
    assert not found(all_rows(pipeline)) and load_customer(pipeline.table, customer_id_of("phone:+441632960777")) is None


@pytest.mark.parametrize("kind", ["new", "began later", "full"])
def test_a_sieve_lets_nobody_through_who_was_erased(kind, monkeypatch):
    table, marks = Table(MemoryClient(), "memory", sleep=lambda _: None), [f"IDENTITY#x:{number}" for number in range(50)]
    if kind == "began later":  # erasures of a version that had none
        announce(table, "2026-01-01")
    monkeypatch.setattr(tombstones, "SIEVE_HOLDS", 30 if kind == "full" else 1_000)
    for each in (marks[:20], marks[20:40], marks[40:]):
        bury(table, each, "2026-01-02", 2_000_000_000)
    sieve = Sieve.load(table)
    assert all(map(sieve.holds, marks)) and sieve.holds("IDENTITY#x:nobody") == (kind != "new")


@pytest.fixture(scope="module")
def rows():
    with aws() as cloud:
        pipeline = Pipeline(cloud)
        play(pipeline)
        return all_rows(pipeline), pipeline.now


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_call_and_asked_again_nothing_is_left(rows, after):
    for number in count(1):
        table, grim = Table(MemoryClient(), "memory", sleep=lambda _: None), Grim(at=number, after=after)
        for row in rows[0]:
            table.put(row)
        one = Personal(Table(Mortal(table.client, grim), "memory", sleep=lambda _: None), "builtin", load_policy(None), lambda: rows[1])
        try:
            one.erase(customer_id_of("x:quokka"))
            return
        except Killed:
            pass
        for identity in ("x:quokka", MAIL, "phone:+441632960777"):
            try:
                one.erase(customer_id_of(identity))
            except (NotFoundError, ConditionFailed):
                continue
        left = [row for rows_of in table.client.rows.values() for row in rows_of.values()]
        assert not found(left), (number, found(left))
