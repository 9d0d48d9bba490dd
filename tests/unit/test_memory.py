"""The table in memory does as moto does, and as DynamoDB's documents say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from caseline.table import ConditionFailed, Table

from tests.kit.aws import aws
from tests.kit.crms import open_world
from tests.kit.dying import Story
from tests.kit.memory import MemoryClient

ROW = {"PK": "A", "SK": "1", "count": 3, "text": "x", "list": [1, {"b": None}], "list_name": "L", "list_rank": "2"}
STEPS: list[Callable[[Table], Any]] = [
    lambda table: table.get("A", "1"),
    lambda table: table.put(ROW, "attribute_not_exists(PK)"),
    lambda table: table.put(ROW, "attribute_not_exists(PK)"),
    lambda table: table.get("A", "1"),
    lambda table: table.put({**ROW, "SK": "2", "list_rank": "1"}),
    lambda table: table.update("A", "1", "SET text = :t, fresh = if_not_exists(fresh, :f) ADD count :n REMOVE list", t="y", f=1, n=2),
    lambda table: table.update("A", "1", "SET fresh = if_not_exists(fresh, :f)", "count = :c AND (text = :x OR fresh = :one)", f=9, c=5, x="x", one=1),
    lambda table: table.update("A", "1", "SET text = :t", "count < :c", t="z", c=5),
    lambda table: table.update("A", "1", "SET text = :t", "missing < :c OR missing = :c", t="z", c=5),
    lambda table: table.update("A", "1", "SET text = :t", "attribute_not_exists(missing) AND count <= :c", t="z", c=5),
    lambda table: table.update("B", "9", "ADD count :n", n=1),
    lambda table: table.update("B", "9", "SET inner = if_not_exists(inner, :none)", none={}),
    lambda table: table.update("B", "9", "SET inner.#one = :n", "attribute_not_exists(inner.#one) AND size(inner) < :most", names={"#one": "a-b"}, n=1, most=1),
    lambda table: table.update("B", "9", "SET inner.#one = :n", "attribute_not_exists(inner.#one) AND size(inner) < :most", names={"#one": "c"}, n=1, most=1),
    lambda table: table.get("B", "9"),
    lambda table: [row["SK"] for row in table.query("A")],
    lambda table: [row["SK"] for row in table.query("A", newest_first=True)],
    lambda table: [row["SK"] for row in table.query("A", since="2")],
    lambda table: [row["SK"] for row in table.query("A", before="2")],
    lambda table: [row["SK"] for row in table.query("A", prefix="1")],
    lambda table: [row["SK"] for row in table.query("L", index="lists")],
    lambda table: table.transact(table.put_write({"PK": "C", "SK": "1"}), table.put_write({"PK": "A", "SK": "1"}, "count = :c", c=77)),
    lambda table: table.get("C", "1"),
    lambda table: table.transact(table.put_write({"PK": "C", "SK": "1"}), table.delete_write("A", "2"), table.update_write("A", "1", "ADD count :n", n=1)),
    lambda table: sorted(row["PK"] + row["SK"] for row in table.get_many([{"PK": key, "SK": "1"} for key in "ABC"] + [{"PK": "A", "SK": "2"}])),
    lambda table: table.delete("A", "1", "count = :c", c=0),
    lambda table: table.get("A", "1"),
]


@pytest.fixture
def real() -> Iterator[Table]:
    with aws() as cloud:
        yield Table(cloud.client("dynamodb"), cloud.table)


def test_it_answers_as_moto_does(real: Table) -> None:
    memory = Table(MemoryClient(), real.name)
    for number, step in enumerate(STEPS):
        assert _outcome(step, memory) == _outcome(step, real), number


def _outcome(step: Callable[[Table], Any], table: Table) -> Any:
    try:
        return step(table)
    except ConditionFailed:
        return "condition failed"


@pytest.mark.parametrize("seed", range(6))
def test_a_story_ends_alike_in_both(seed: int) -> None:
    ends = []
    for make in (lambda world: world.table, lambda world: Table(MemoryClient(), "memory")):
        with open_world("builtin") as world:
            world.table = make(world)
            story = Story(world, world.table, f"same-{seed}")
            story.play()
            ends.append((story.row(), story.deaths, world.cases()))
    assert ends[0] == ends[1]
