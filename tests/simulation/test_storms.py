"""Many customers on one issue are one incident: few cases, few runs, few writes to the CRM, in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from caseline.assessment import Assessment
from caseline.cases.changes import work_case
from caseline.cases.rescoring import rescore_cases
from caseline.crm import Account, Fact
from caseline.customers import customer_id_of
from caseline.signals import DELETED, isoformat
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.aws import aws
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import FakeCrm, Pipeline, WordAnalyser, a_signal

CITIES = "Lisbon Porto Graz Ghent Malmo Turin Lyon Gdansk Cork Brno".split()


def a_post(number: int, text: str = "Payments at the kiosk in {city} fail again, card refused twice. Angry! #{n}", **more):
    words = text.format(city=CITIES[number % len(CITIES)], n=number)
    return a_signal(f"s-{number}", words, identities=(f"x:{number}",), author_name=f"U{number}", **more)


def strategic(number: int) -> Account:
    return Account(f"A{number}", "North", f"C{number}", identities=(f"x:{number}",), facts={"tier": Fact("strategic", "crm", "2026-11-21T00:00:00Z")})


def watch(pipeline: Pipeline, minutes: int = 4) -> None:
    for _ in range(minutes):
        pipeline.now += timedelta(minutes=1)
        pipeline._until_done(pipeline.watch)
        pipeline.settle()


def incidents(pipeline: Pipeline) -> list[dict]:
    return [case for case in pipeline.cases() if case.get("kind") == "incident"]


def people_of(pipeline: Pipeline) -> set[str]:
    return {signal_id for row in pipeline.rows("members") for signal_id in row["people"]}


def test_a_storm_is_one_incident_with_few_runs_and_writes():
    crm = FakeCrm(accounts={"x:250": strategic(250)})
    with aws() as cloud:
        pipeline = Pipeline(cloud, crm)
        for number in range(400):
            pipeline.send(a_post(number))
        pipeline.settle()
        runs, own = len(pipeline.executions), [case for case in pipeline.cases() if not case.get("kind")]
        watch(pipeline)
        assert len(own) <= 10 and runs - len(own) <= 15
        [incident] = incidents(pipeline)
        assert incident["customer_id"] != customer_id_of("x:0") and "near" in incident["subject"]
        open_cases = pipeline.cases("open")
        assert sorted(case["customer_id"] for case in open_cases) == sorted([incident["customer_id"], customer_id_of("x:250")])
        assert all(case["adopted_by"] == incident["case_key"] for case in pipeline.cases("closed"))
        assert crm.saves - 2 * len(own) <= 15
        rows = pipeline.rows("signal")
        assert len(rows) == 400 and all(row["identity"] for row in rows)
        assert sum(row.get("case_key") == incident["case_key"] for row in rows) + len(own) + 1 >= 400
        assert incident["people"] >= 398 and "customers" in incident["subject"]


def test_others_go_their_way_beside_a_storm():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for number in range(100):
            pipeline.send(a_post(number))
        pipeline.send(a_post(900, "Nobody answers my mails about the broken suitcase wheel, I am angry."))
        pipeline.settle()
        assert any(case["customer_id"] == customer_id_of("x:900") for case in pipeline.cases("open"))


def test_one_by_one_it_is_seen_as_well():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for number in range(30):
            pipeline.send(a_post(number))
            pipeline.settle()
        watch(pipeline)
        assert len(pipeline.cases()) <= 11 and len(pipeline.cases("open")) == 1


def test_different_matters_of_one_category_are_no_storm():
    things = "suitcase seat meal refund voucher website gate lounge crew toilet blanket headset".split()
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for number, thing in enumerate(things):
            others = " ".join(things[(number * 5 + step) % len(things)] for step in (1, 4))
            pipeline.send(a_post(number, f"Angry: flight delayed, and the {thing} with the {others}"))
        pipeline.settle()
        assert not incidents(pipeline) and len(pipeline.cases("open")) == len(things)


def test_copies_from_many_accounts_are_one_coordinated_incident():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for number in range(40):
            pipeline.send(a_post(number, "Angry: never buy from this company, they steal your deposit money"))
        pipeline.settle()
        watch(pipeline)
        [incident] = incidents(pipeline)
        assert incident["why"] == "copies" and pipeline.cases("open") == [incident]


def test_the_switch_turns_it_off():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm(), policy="version: 2\nstorms: {active: false}\n")
        for number in range(14):
            pipeline.send(a_post(number))
        pipeline.settle()
        assert len(pipeline.cases("open")) == 14 and not pipeline.rows("issue")


def test_one_customer_who_repeats_himself_is_no_storm():
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for number in range(20):
            pipeline.send(a_post(number).with_(identities=("x:7",)))
        pipeline.settle()
        assert not incidents(pipeline) and len(pipeline.cases()) == 1
        pipeline.send(a_post(50, "Angry again about the kiosk").with_(identities=("x:7",)))
        pipeline.settle()
        joined = [row["text"] for row in pipeline.rows("history") if row["what"] == "joined"]
        assert joined and joined[-1].startswith("same customer and category; ")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [3, 9, 14, 22, 31, 45, 60])
def test_killed_anywhere_it_ends_alike(call, after):
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for number in range(20):
            pipeline.send(a_post(number, "Angry: the booking page shows an empty basket after payment"))
        pipeline.kill_at(call, after)
        pipeline.settle()
        watch(pipeline, 8)
        [incident] = [case for case in pipeline.cases("open") if case.get("kind")]
        assert pipeline.cases("open") == [incident]
        assert len(people_of(pipeline)) == 20


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(order=st.permutations(range(18)), cuts=st.sets(st.integers(0, 18)), again=st.lists(st.integers(0, 17), max_size=4))
def test_who_belongs_is_the_same_in_any_order(order, cuts, again):
    history = [a_post(number) for number in range(14)]
    history += [a_post(number, "Angry, the other matter: my wheelchair was left behind at gate twelve") for number in (20, 21)]
    history += [a_post(number, text) for number, text in ((30, "Angry that nobody replies"), (31, "Thank you all"))]
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        for place, index in enumerate([*order, *again]):
            pipeline.send(history[index])
            if place in cuts:
                pipeline.settle()
        pipeline.settle()
        watch(pipeline)
        assert people_of(pipeline) == {signal.signal_id for signal in history[:14]}
        assert sorted(case["customer_id"] for case in pipeline.cases("open") if not case.get("kind")) == sorted(
            customer_id_of(f"x:{number}") for number in (20, 21, 30)
        )


class Grave(WordAnalyser):
    """Knows one more word."""

    def _assess(self, text: str) -> Assessment:
        return replace(super()._assess(text), category="security") if "thieves" in text else super()._assess(text)


@pytest.mark.parametrize(("thieves", "incident", "own"), [(range(12), "security", 0), ([9], "service", 1)])
def test_what_is_grave_stands_alone_in_an_incident_about_something_else(thieves, incident, own):
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm(), Grave())
        for number in range(12):
            more = " thieves" if number in thieves else ""
            pipeline.send(a_post(number, "Payments at the kiosk in {city} fail again, card refused twice. Angry! #{n}" + more))
            pipeline.settle()
        watch(pipeline)
        assert [case["category"] for case in incidents(pipeline)] == [incident]
        assert len([case for case in pipeline.cases("open") if not case.get("kind")]) == own


def upgrade(pipeline: Pipeline, number: int) -> None:
    pipeline.crm.accounts[f"x:{number}"] = strategic(number)
    rescore_cases(pipeline.raw_table, [f"x:{number}"], [""], isoformat(pipeline.now))


@pytest.mark.parametrize("number", [2, 11])
def test_who_becomes_a_key_account_while_the_storm_lasts_has_a_case_of_their_own(number):
    """Number 2 had one before it was seen, and was adopted; number 11 never."""
    pipeline = Pipeline(MemoryCloud(), FakeCrm())
    for each in range(14):
        pipeline.send(a_post(each))
        pipeline.settle()
    watch(pipeline)
    assert len(pipeline.cases("open")) == 1
    upgrade(pipeline, number)
    watch(pipeline, 2)
    own = [case for case in pipeline.cases("open") if not case.get("kind")]
    assert [case["customer_id"] for case in own] == [customer_id_of(f"x:{number}")] and own[0]["queue"] == "senior-care"
    upgrade(pipeline, number)
    watch(pipeline, 10)
    assert len(pipeline.cases("open")) == 2


def test_an_incident_stands_while_any_of_its_people_do_though_who_wrote_first_takes_it_back():
    pipeline = Pipeline(MemoryCloud(), FakeCrm())
    for each in range(14):
        pipeline.send(a_post(each))
        pipeline.settle()
    watch(pipeline)
    for gone in (range(6), range(5, 14)):
        for each in gone:
            pipeline.send(a_signal(f"s-{each}", None, action=DELETED, identities=()))
        pipeline.settle()
        pipeline.now += timedelta(days=1)
        watch(pipeline, 2)
        assert len(pipeline.cases("open")) == (gone[0] == 0)


def test_an_incident_that_a_person_closes_within_the_minute_is_told_of_all_the_same_and_comes_to_rest():
    pipeline = Pipeline(MemoryCloud(), FakeCrm())
    for number in range(12):
        pipeline.send(a_post(number))
    pipeline.settle()
    [incident] = incidents(pipeline)
    work_case(pipeline.raw_table, incident["case_key"], {"status": "closed"}, "mo", pipeline.now)
    watch(pipeline, 35)
    runs = len(pipeline.executions)
    watch(pipeline, 10)
    assert len(pipeline.executions) == runs
    assert {row.get("case_key") for row in pipeline.rows("signal")} == {incident["case_key"]}


def test_an_early_post_of_a_thread_that_is_taken_back_does_not_stop_the_watch():
    pipeline = Pipeline(MemoryCloud(), FakeCrm())
    for number in range(12):
        pipeline.send(a_post(number, thread_id="t-1"))
        pipeline.settle()
    pipeline.send(a_signal("s-2", None, action=DELETED, identities=()))
    pipeline.settle()
    watch(pipeline)
    assert [case.get("kind") for case in pipeline.cases("open")] == ["incident"]


def test_an_incident_is_one_case_though_a_policy_does_not_join_by_category():
    pipeline = Pipeline(MemoryCloud(), FakeCrm(), policy="version: 2\njoin: {off: [category]}\n")
    for number in range(20):
        pipeline.send(a_post(number))
    pipeline.settle()
    watch(pipeline)
    assert len(incidents(pipeline)) == 1
