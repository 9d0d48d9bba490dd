"""Customers at risk before their renewal: found on schedule, said once, taken back where there never was a reason, whoever dies in between."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.cases.rescoring import rescore_cases
from caseline.crm import Account, Fact
from caseline.signals import DELETED, OUTBOUND, isoformat
from caseline.timeline import read_text

from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Killed, Pipeline, a_signal

ANN = ("email:ann@north.example",)


def account(renews_in: int, **facts: Any) -> Account:
    known = {"tier": "enterprise", "renewal_date": (START + timedelta(days=renews_in)).date().isoformat(), **facts}
    return Account("A-1", "North", "C-1", "Ann", facts={name: Fact(value, f"crm.{name}", isoformat(START)) for name, value in known.items()})


def pipeline_with(cloud: Any, renews_in: int = 40, policy: str | None = None, **facts: Any) -> Pipeline:
    return Pipeline(cloud, FakeCrm({ANN[0]: account(renews_in, **facts)}), policy=policy)


@pytest.fixture
def cloud() -> Any:
    return MemoryCloud()


def complain(pipeline: Pipeline, *names: str) -> None:
    for name in names:
        pipeline.send(a_signal(name, f"Angry about {name}.", identities=ANN, occurred_at=pipeline.now, received_at=pipeline.now))
        pipeline.settle()


def answer(pipeline: Pipeline) -> None:
    pipeline.send(a_signal("r-1", "Solved.", identities=ANN, direction=OUTBOUND, agent="Mo", occurred_at=pipeline.now, received_at=pipeline.now))
    pipeline.settle()


def live(pipeline: Pipeline, days: float = 0, minutes: float = 1) -> None:
    """Time goes on; the watcher looks each day, and at the end."""
    end = pipeline.now + timedelta(days=days, minutes=minutes)
    while pipeline.now < end:
        pipeline.now = min(end, pipeline.now + timedelta(days=1))
        pipeline._until_done(pipeline.watch)
        pipeline.settle()


def finds(pipeline: Pipeline) -> dict[str, Any]:
    """Those that stand, by what they say."""
    return {read_text(row): row for row in pipeline.rows("signal") if row["channel"] == "caseline" and row["state"] == "live"}


def statuses(pipeline: Pipeline) -> list[tuple[str, str]]:
    return sorted((case["category"], case["status"]) for case in pipeline.cases())


def test_repeated_contact_before_a_renewal_joins_the_open_case_once(cloud):
    pipeline = pipeline_with(cloud)
    complain(pipeline, "p-1", "p-2", "p-3")
    live(pipeline)
    (text,) = finds(pipeline)
    assert text == "Renewal in 40 days, and 3 contacts about service in 30 days."
    (case,) = pipeline.cases()
    (row,) = finds(pipeline).values()
    assert row["signal_id"] in case["signal_ids"] and (row["need"], row["need_reason"]) == ("due", "found")
    live(pipeline, days=3)
    assert list(finds(pipeline)) == [text] and len(pipeline.cases()) == 1


def test_silence_after_the_case_was_closed_opens_one_about_the_renewal(cloud):
    pipeline = pipeline_with(cloud, renews_in=55)
    for number in range(4):
        complain(pipeline, f"p-{number}")
        answer(pipeline)
        live(pipeline, days=2)
    work_case(pipeline.raw_table, pipeline.cases()[0]["case_key"], {"status": "closed"}, "Mo", pipeline.now)
    before = dict(finds(pipeline))
    live(pipeline, days=25)
    (text,) = set(finds(pipeline)) - set(before)
    assert "and silent for 2" in text and ("renewal", "open") in statuses(pipeline)
    (case,) = pipeline.cases("open")
    assert case["queue"] == "senior-care" and {line["factor"]: line["points"] for line in case["priority"]["lines"]}["renewal"] == 15


def test_who_never_had_a_case_is_looked_at_once_the_crm_names_them(cloud):
    pipeline = pipeline_with(cloud)
    for days in (70, 66, 62, 58, 54):
        pipeline.send(a_signal(f"n-{days}", "Just a note.", identities=ANN, occurred_at=START - timedelta(days=days)))
    pipeline.settle()
    live(pipeline, days=1)
    assert finds(pipeline) == {} and pipeline.cases() == []
    rescore_cases(pipeline.raw_table, ANN, [""], isoformat(pipeline.now))
    live(pipeline, days=1)
    assert statuses(pipeline) == [("renewal", "open")] and "silent for" in next(iter(finds(pipeline)))


def test_nobody_is_read_before_the_renewal_comes_near(cloud):
    pipeline = pipeline_with(cloud, renews_in=200)
    complain(pipeline, "p-1", "p-2", "p-3")
    live(pipeline)
    (customer,) = (row for row in pipeline.rows("customer") if row.get("due_at"))
    assert customer["due_at"][:10] == (START + timedelta(days=140)).date().isoformat() and not finds(pipeline)
    work_case(pipeline.raw_table, pipeline.cases()[0]["case_key"], {"status": "closed"}, "Mo", pipeline.now)
    pipeline.settle()
    pipeline.now += timedelta(days=100)
    pipeline.watch()
    assert pipeline.watch() == 0, "of those who are not due nothing is read"


NONE_ASKED = [f"version: 2\nfinds: {{{rule}}}" for rule in ("active: false", "rules: [silence]", "tiers: [strategic]")]


@pytest.mark.parametrize("more", [
    {"renews_in": -3}, {"contract_status": "trial"}, {"contract_status": "cancelled"}, *({"policy": policy} for policy in NONE_ASKED),
])  # fmt: skip
def test_nothing_is_said_without_a_renewal_or_where_the_policy_asks_for_none(cloud, more):
    pipeline = pipeline_with(cloud, **more)
    complain(pipeline, "p-1", "p-2", "p-3")
    live(pipeline, days=1)
    assert not finds(pipeline)


def test_what_never_was_a_reason_is_taken_back_and_its_case_closed_but_what_has_changed_since_stands(cloud):
    pipeline = pipeline_with(cloud, policy="version: 2\njoin: {off: [unnamed]}\n")
    complain(pipeline, "p-1", "p-2", "p-3")
    work_case(pipeline.raw_table, pipeline.cases()[0]["case_key"], {"status": "closed"}, "Mo", pipeline.now)
    live(pipeline)
    assert statuses(pipeline) == [("renewal", "open"), ("service", "closed")]
    answer(pipeline)
    live(pipeline, days=2)
    assert len(finds(pipeline)) == 1, "an answer is no reason to take it back"
    pipeline.send(a_signal("p-2", None, identities=(), action=DELETED, received_at=pipeline.now))
    pipeline.settle()
    live(pipeline, days=2)
    assert not finds(pipeline) and ("renewal", "closed") in statuses(pipeline)
    complain(pipeline, "p-4")
    live(pipeline, days=2)
    assert len(finds(pipeline)) == 1, "with a reason it is found again"
    live(pipeline, days=2)
    assert len(finds(pipeline)) == 1


def test_a_renewal_that_the_crm_moves_takes_its_finds_along(cloud):
    pipeline = pipeline_with(cloud)
    complain(pipeline, "p-1", "p-2", "p-3")
    live(pipeline)
    pipeline.crm.accounts[ANN[0]] = account(300)
    rescore_cases(pipeline.raw_table, ANN, [""], isoformat(pipeline.now))
    pipeline.settle()
    live(pipeline)
    assert not finds(pipeline)
    (customer,) = (row for row in pipeline.rows("customer") if row.get("due_at"))
    assert customer["due_at"][:10] == (START + timedelta(days=240)).date().isoformat()


def test_the_crm_says_that_they_left_and_since_when(cloud):
    pipeline = pipeline_with(cloud)
    complain(pipeline, "p-1")
    pipeline.now += timedelta(days=5)
    pipeline.crm.accounts[ANN[0]] = account(40, contract_status="cancelled")
    rescore_cases(pipeline.raw_table, ANN, [""], isoformat(pipeline.now))
    live(pipeline)
    left = pipeline.now
    live(pipeline, days=5)
    customer = next(row for row in pipeline.rows("customer") if row.get("account"))
    assert customer["status_since"]["contract_status"][:10] == isoformat(left)[:10]


def test_whoever_dies_at_any_call_of_a_look_it_is_said_once():
    alive, calls = die_at(10_000)
    assert alive == (1, 1, 4)
    for call in range(1, calls + 1):
        assert die_at(call)[0] == alive, call


def die_at(call: int) -> tuple[tuple[int, int, int], int]:
    """What stands after a look that died at its n-th call, before or after it happened, and how many calls it made."""
    pipeline = pipeline_with(MemoryCloud())
    complain(pipeline, "p-1", "p-2", "p-3")
    pipeline.now += timedelta(days=1)
    pipeline.kill_at(call, after=call % 2 == 0)
    with suppress(Killed):
        pipeline.watch()
    calls = pipeline.grim.calls
    pipeline.kill_at(10_000, after=False)
    live(pipeline, days=1)
    (case,) = pipeline.cases()
    return (len(finds(pipeline)), len(pipeline.cases()), len(case["signal_ids"])), calls
