"""Any order, any grouping, any repetition of a history ends in the same rows; replaying it changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from caseline.customers import Claimed, customer_id_of, link, load_customer
from caseline.signals import DELETED, OUTBOUND, UPDATED
from caseline.table import Table
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.aws import aws
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline, a_signal

LATER = START + timedelta(minutes=1)
HISTORY = [
    a_signal("p-1"),
    a_signal("p-1", text="It is still down, and I am angry.", action=UPDATED, revision="2026-11-21T10:01:00Z", occurred_at=LATER, received_at=LATER),
    a_signal("p-1", text="Solved. Thank you!", action=UPDATED, revision="2026-11-21T10:02:00Z", occurred_at=LATER, received_at=LATER),
    a_signal("p-2", text="Another angry post."),
    a_signal("p-2", text=None, action=DELETED, identities=(), received_at=LATER),
    a_signal("p-2/7", "👍", kind="reaction", revision="2026-11-21T10:00:00Z"),
    a_signal("p-2/7", text=None, kind="reaction", action=DELETED, revision="2026-11-21T10:01:00Z", occurred_at=LATER, received_at=LATER),
    a_signal("p-2/7", "😡", kind="reaction", action=UPDATED, revision="2026-11-21T10:02:00Z", occurred_at=LATER, received_at=LATER),
    a_signal("p-3/7", "👍", kind="reaction", revision="2026-11-21T10:00:00Z"),
    a_signal("p-3/7", text=None, kind="reaction", action=DELETED, revision="2026-11-21T10:01:00Z", occurred_at=LATER, received_at=LATER),
    a_signal("r-1", "We are on it.", direction=OUTBOUND, identities=(), parent_id="p-1", author_name=None, received_at=LATER),
    a_signal("m-1", "I wrote to you, angry.", kind="message", public=False, thread_id="t-1", identities=("x:100", "email:ann@north.example")),
    a_signal("m-2", "Hello!", kind="message", public=False, thread_id="t-1", direction=OUTBOUND, identities=(), received_at=LATER),
]
LASTING = "state text occurred_at at identity need category direction assessment rating".split()


def final_rows(order: list[int], cuts: set[int], again: list[int]) -> tuple[dict, dict, int]:
    pipeline = Pipeline(MemoryCloud(), FakeCrm())
    for place, index in enumerate([*order, *again]):
        pipeline.send(HISTORY[index])
        if place in cuts:
            pipeline.settle()
    pipeline.settle()
    rows = {row["native_id"]: {name: row.get(name) for name in LASTING} for row in pipeline.rows("signal") if "native_id" in row}
    return rows, pipeline.counts(), pipeline.accepted


@pytest.fixture(scope="module")
def in_order():
    return final_rows(list(range(len(HISTORY))), set(range(len(HISTORY))), [])[0]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(order=st.permutations(range(len(HISTORY))), cuts=st.sets(st.integers(0, len(HISTORY))), again=st.lists(st.integers(0, len(HISTORY) - 1), max_size=4))
def test_any_order_ends_alike_and_every_signal_is_counted_once(in_order, order, cuts, again):
    rows, counts, accepted = final_rows(order, cuts, again)
    assert rows == in_order
    assert sum(counts.values()) == accepted


def test_what_was_taken_back_and_made_anew_lives_and_what_was_not_is_gone(in_order):
    assert (in_order["p-2/7"]["state"], in_order["p-2/7"]["text"]) == ("live", "😡")
    assert (in_order["p-3/7"]["state"], in_order["p-3/7"]["text"]) == ("deleted", None)


def test_a_replay_of_the_whole_history_opens_nothing_and_changes_no_row():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for _ in range(2):
            for signal in HISTORY:
                pipeline.send(signal)
                pipeline.settle()
            cases = [(case["case_key"], case["version"], case["signal_count"], case["priority"]["score"]) for case in pipeline.cases()]
            if _ == 0:
                before = cases
        assert cases == before


IDENTITIES = ["x:1", "x:2", "email:a@a.example", "email:b@b.example", "phone:+491"]
PAIRS = st.lists(st.tuples(st.sampled_from(IDENTITIES), st.sampled_from(IDENTITIES)), min_size=1, max_size=6)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(pairs=PAIRS, data=st.data())
def test_links_join_the_same_people_in_any_order(pairs, data):
    shuffled = data.draw(st.permutations(pairs))
    assert partition(pairs) == partition(shuffled)


def partition(pairs: list[tuple[str, str]]) -> set[frozenset[str]]:
    with aws() as cloud:
        table = Table(cloud.client("dynamodb"), cloud.table)
        for pair in pairs:
            link(table, Claimed(pair, "signal:s", "2026-11-21T10:00:00.000000Z"))
        groups: dict[str, set[str]] = {}
        for identity in {identity for pair in pairs for identity in pair}:
            customer = load_customer(table, customer_id_of(identity))
            assert customer and identity in customer["identities"]
            groups.setdefault(customer["customer_id"], set()).add(identity)
        for customer_id, identities in groups.items():
            assert set((load_customer(table, customer_id) or {})["identities"]) == identities
        return {frozenset(group) for group in groups.values()}
