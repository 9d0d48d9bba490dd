"""Abandoned carts: one signal a cart, with its likely cause, and none for a cart that was bought; in any order, delivered twice, under crashes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from caseline.abandonment import PATIENCE, CartWatch
from caseline.carts import cart_facts
from caseline.signals import Signal, isoformat

from tests.kit.aws import aws
from tests.kit.pipeline import START, Killed, Pipeline, a_signal

LATER = PATIENCE + timedelta(seconds=1)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with aws() as cloud:
        yield Pipeline(cloud)


def event(stage: str, minute: int = 0, identities: tuple[str, ...] = (), cart: str | None = "c-1", **facts: Any) -> Signal:
    moment = START + timedelta(minutes=minute)
    return a_signal(
        f"{stage}-{minute}", None, kind="cart_event", public=False, thread_id=cart, identities=identities, occurred_at=moment, received_at=moment,
        attributes=cart_facts(stage, **{"active_at": isoformat(moment), "value": 89.9, "currency": "EUR", **facts}),
    )


def abandoned(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [row for row in pipeline.rows("signal") if row["native_id"].endswith("/abandoned")]


def watch_at(pipeline: Pipeline, moment: datetime) -> None:
    pipeline.now = moment
    pipeline.watch()
    pipeline.settle()


STEPS = (
    event("cart", 0), event("checkout", 5, ("email:ann@example.com",), shipping=12.5),
    event("payment", 9, ("email:ann@example.com",), problem="payment", reason="card declined"),
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_cart_that_rests_is_said_once_with_its_cause(pipeline: Pipeline, order: tuple[int, ...]) -> None:
    for index in (*order, order[0]):
        pipeline.send(STEPS[index])
    pipeline.settle()
    watch_at(pipeline, START + timedelta(minutes=9) + PATIENCE - timedelta(seconds=1))
    assert not abandoned(pipeline)
    watch_at(pipeline, START + timedelta(minutes=9) + LATER)
    watch_at(pipeline, START + timedelta(minutes=30) + LATER)
    (row,) = abandoned(pipeline)
    assert '"cause": "payment"' in row["attributes"] and "card declined" in row["attributes"] and "shipping_cost: 12.5" in row["attributes"]
    assert (row["need"], row["thread_id"], row["identities"]) == ("none", "c-1", ["email:ann@example.com"])
    details = [each for each in pipeline.events if each["DetailType"] == "cart.abandoned"]
    assert len(details) == 1 and '"cart": "c-1"' in details[0]["Detail"] and "declined" not in details[0]["Detail"]
    counts = pipeline.counts()
    assert pipeline.accepted == sum(counts.values()) and counts["quarantined"] == 0


@pytest.mark.parametrize("stage", ["ordered", "cancelled"])
@pytest.mark.parametrize("first", [True, False])
def test_what_was_bought_or_given_up_is_not_abandoned(pipeline: Pipeline, stage: str, first: bool) -> None:
    events = [event("checkout", 0), event(stage, 10)]
    for each in reversed(events) if first else events:
        pipeline.send(each)
    pipeline.settle()
    watch_at(pipeline, START + timedelta(hours=9))
    assert not abandoned(pipeline)


def test_an_order_in_the_last_moment_is_seen(pipeline: Pipeline) -> None:
    """The index may still name the cart when its order has come: the row itself is looked at."""
    pipeline.send(event("checkout", 0))
    pipeline.settle()
    (row,) = pipeline.rows("cart")
    pipeline.send(event("ordered", 59))
    pipeline.settle()
    table = pipeline.raw_table
    table.update(row["PK"], "CART", "SET due_shard = :due, due_at = :at", due="due", at=isoformat(START))
    watch_at(pipeline, START + LATER)
    assert not abandoned(pipeline)


def test_activity_after_it_was_said_says_it_no_second_time(pipeline: Pipeline) -> None:
    pipeline.send(event("checkout", 0))
    pipeline.settle()
    watch_at(pipeline, START + LATER)
    pipeline.send(event("payment", 120))
    pipeline.settle()
    watch_at(pipeline, START + timedelta(hours=9))
    assert len(abandoned(pipeline)) == 1


def test_an_emptied_cart_is_not_abandoned(pipeline: Pipeline) -> None:
    for each in (event("cart", 0, items=["Kettle"]), event("cart", 3, empty=True)):
        pipeline.send(each)
    pipeline.settle()
    watch_at(pipeline, START + timedelta(hours=9))
    assert not abandoned(pipeline)


def test_a_cart_without_a_name_is_left_alone(pipeline: Pipeline) -> None:
    pipeline.send(event("checkout", 0, cart=None))
    pipeline.settle()
    assert not pipeline.rows("cart")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(1, 7))
def test_a_crash_anywhere_says_it_once(pipeline: Pipeline, call: int, after: bool) -> None:
    pipeline.send(event("checkout", 0, ("email:ann@example.com",)))
    pipeline.settle()
    pipeline.now = START + LATER
    pipeline.kill_at(call, after)
    with suppress(Killed):
        pipeline.watch()
    pipeline.now += timedelta(hours=2)
    pipeline.watch()
    pipeline.settle()
    assert len(abandoned(pipeline)) == 1
    assert pipeline.accepted == sum(pipeline.counts().values())


@pytest.mark.parametrize("first", [True, False])
def test_who_and_what_is_known_whatever_comes_last(pipeline: Pipeline, first: bool) -> None:
    """A shop's last word of a cart may name neither the person nor the goods."""
    events = [event("checkout", 5, ("email:ann@example.com",), items=["Kettle"]), event("cart", 9, value=None, currency=None)]
    for each in reversed(events) if first else events:
        pipeline.send(each)
    pipeline.settle()
    watch_at(pipeline, START + timedelta(minutes=9) + LATER)
    (row,) = abandoned(pipeline)
    assert row["identities"] == ["email:ann@example.com"] and '"Kettle"' in row["attributes"] and '"value": 89.9' in row["attributes"]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("cart", [None, "k-7"])
@pytest.mark.parametrize(("minute", "said"), [(20, 0), (5, 0), (4, 1)])
def test_an_order_that_names_the_cart_otherwise_is_its_buyers(pipeline: Pipeline, minute: int, said: int, cart: str | None, first: bool) -> None:
    """One from before the cart was touched last is another one's."""
    who = ("email:ann@example.com",)
    named = {"named_by": "checkout_id"} if cart else {}
    events = [event("checkout", 5, who, named_by="cart_id" if cart else None), event("ordered", minute, who, cart, **named)]
    for each in reversed(events) if first else events:
        pipeline.send(each)
    pipeline.settle()
    watch_at(pipeline, START + timedelta(hours=9))
    watch_at(pipeline, START + timedelta(hours=10))
    assert len(abandoned(pipeline)) == said


@pytest.mark.parametrize("minutes", [(0, 0, 0), (0, 1, 2)])
def test_a_cart_of_many_names_is_said_once(pipeline: Pipeline, minutes: tuple[int, ...]) -> None:
    who = ("email:ann@example.com",)
    for minute, name in zip(minutes, ("cart_id", "checkout_id", "order_id"), strict=True):
        said = event("checkout", minute, who, f"{name}-1", named_by=name)
        pipeline.send(said.with_(native_id=name))
    pipeline.settle()
    for minute in range(5):
        watch_at(pipeline, START + LATER + timedelta(minutes=minute))
    (row,) = abandoned(pipeline)
    assert row["thread_id"] == "order_id-1"


def test_two_carts_of_one_person_are_two(pipeline: Pipeline) -> None:
    who = ("email:ann@example.com",)
    for cart in ("c-1", "c-2", "c-3"):
        pipeline.send(event("checkout", int(cart[-1]), who, cart))
    pipeline.send(event("ordered", 9, who, "c-3"))
    pipeline.settle()
    watch_at(pipeline, START + timedelta(hours=9))
    assert sorted(row["thread_id"] for row in abandoned(pipeline)) == ["c-1", "c-2"]


def test_a_touch_in_the_last_moment_is_seen(pipeline: Pipeline) -> None:
    """The index may still name the old deadline when somebody is back at the cart."""
    pipeline.send(event("checkout", 0, ("email:ann@example.com",)))
    pipeline.settle()
    (row,) = pipeline.rows("cart")
    pipeline.send(event("payment", 59))
    pipeline.settle()
    pipeline.now = START + LATER
    assert CartWatch(pipeline.raw_table, pipeline.queue_cart, pipeline.clock).look(row["PK"]) is False and not abandoned(pipeline)


@pytest.mark.parametrize("call", range(1, 8))
def test_an_order_after_a_crash_leaves_at_most_one(pipeline: Pipeline, call: int) -> None:
    """Said just before the order came, or not at all; never a second time."""
    pipeline.send(event("checkout", 0, ("email:ann@example.com",)))
    pipeline.settle()
    pipeline.now = START + LATER
    pipeline.kill_at(call, True)
    with suppress(Killed):
        pipeline.watch()
    pipeline.kill_at(10_000, True)
    pipeline.send(event("ordered", 61))
    pipeline.settle()
    watch_at(pipeline, START + timedelta(hours=3))
    assert len(abandoned(pipeline)) <= 1
    assert len([each for each in pipeline.events if each["DetailType"] == "cart.abandoned"]) == len(abandoned(pipeline))
    assert pipeline.accepted == sum(pipeline.counts().values())
