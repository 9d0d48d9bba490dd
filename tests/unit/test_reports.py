"""Figures by their definitions, to the last rounding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.policy import load_policy
from caseline.reports.contacts import repeat_contacts
from caseline.reports.rounding import mean, percent, round_away
from caseline.reports.scores import effort, net_promoters, satisfaction
from caseline.reports.waits import adherence, clock_facts, response_times
from caseline.signals import isoformat
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday
POLICY = load_policy()


def at(hours: float) -> str:
    return isoformat(NOW + timedelta(hours=hours))


def rating(value: float, person: str, metric: str = "nps", low: float = 0, high: float = 10, when: float = -1, wave: str = "s") -> dict[str, Any]:
    facts = {"metric": metric, "value": value, "low": low, "high": high, "person": person, "wave": wave, "brand": "acme", "at": at(when)}
    return {"id": f"{person}{when}{metric}", **facts}


def answers(*values: float, **more: Any) -> list[dict[str, Any]]:
    return [rating(value, f"p{number}", **more) for number, value in enumerate(values)]


def test_halves_are_rounded_away_from_zero_and_only_at_the_end():
    assert [round_away(number) for number in (0.5, 1.5, 2.5, -0.5, -2.5, 0.49)] == [1, 2, 3, -1, -3, 0]
    assert (percent(1, 8), percent(1, 3), percent(0, 0)) == (12.5, 33.3, None)
    assert mean([0.1, 0.2, 0.3]) == 0.2 and mean([]) is None


def test_nps_counts_a_zero_and_what_is_no_answer_does_not_count():
    found = net_promoters([*answers(0, 6, 7, 8, 9, 10, 10, 10), rating(9.5, "half"), rating(5, "other scale", high=5, low=1), rating(11, "a"), rating(-1, "b")])
    assert (found["value"], found["promoters"], found["passives"], found["detractors"], found["n"]) == (25, 4, 2, 2, 8)
    assert found["off_scale"] == 4 and satisfaction([rating(6, "a", "csat", 1, 5)]) == [] and found["margin"] == 57.5
    assert net_promoters(answers(0))["value"] == -100 and net_promoters([])["value"] is None


def test_nps_takes_the_latest_answer_of_a_person_to_a_survey():
    two = [rating(2, "ann", when=-5), rating(10, "ann", when=-1), rating(3, "ann", when=-2, wave="another")]
    found = net_promoters(two)
    assert (found["promoters"], found["detractors"], found["superseded"]) == (1, 1, 1)


def test_nps_rounds_half_away_from_zero():
    assert net_promoters(answers(*[0] * 1, *[8] * 7))["value"] == -13  # -12.5
    assert net_promoters(answers(*[10] * 1, *[8] * 7))["value"] == 13


def test_a_trend_is_told_only_where_it_is_more_than_chance():
    low, high = answers(*[0] * 20, *[10] * 20), answers(*[10] * 40)
    assert net_promoters(high, low)["trend"] == "up" and net_promoters(low, high)["trend"] == "down"
    assert net_promoters(high[:29], low)["trend"] is None
    assert net_promoters(low, answers(*[0] * 19, *[10] * 21))["trend"] is None


def test_csat_is_the_share_of_fours_and_fives_and_scales_are_not_mixed():
    found = satisfaction([*answers(*[4] * 75, *[5] * 75, *[1] * 100, metric="csat", low=1, high=5), *answers(80, 90, metric="csat", low=0, high=100)])
    assert [(each["scale"], each["value"], each["n"]) for each in found] == [([0, 100], 85, 2), ([1, 5], 60, 250)]


def test_ces_says_which_end_is_easy():
    agreement, old = effort(answers(5, 7, 4, 1, metric="ces", low=1, high=7)), effort(answers(1, 2, 5, 4, metric="ces", low=1, high=5))
    assert (agreement[0]["value"], agreement[0]["mean"], "higher is easier" in agreement[0]["method"]) == (50, 4.25, True)
    assert (old[0]["value"], old[0]["mean"], "lower is easier" in old[0]["method"]) == (50, 3, True)


# ---- waits


def ask(hours: float, sentiment: str = "negative", name: str = "") -> dict[str, Any]:
    said = {"sentiment": sentiment} if sentiment else {"unscored": "language"}
    return {"signal_id": name or f"s{hours}", "occurred_at": at(hours), "direction": "inbound", "channel": "x", "assessment": said}


def case(**more: Any) -> dict[str, Any]:
    priority = {"band": "P3"}
    return {"case_key": "case-1", "brand": "acme", "status": "open", "opened_at": at(-100), "channels": ["x"], "priority": priority, **more}


def facts(asks: list[Any], replies: list[float], policy: Any = POLICY, **more: Any) -> list[dict[str, Any]]:
    return list(clock_facts(policy, case(**more), asks, [at(hours) for hours in replies], NOW))


def table(found: list[Any], since: float = -1000, until: float = 0.001) -> dict[tuple[str, str], tuple[int, int, int, Any]]:
    rows = adherence(found, at(since), at(until))
    return {(row["clock"], row["level"]): (row["met"], row["missed"], row["open"], row["adherence"]) for row in rows}


def test_the_first_reply_and_the_next_ones_are_clocks_of_their_own():
    found = facts([ask(-50), ask(-49), ask(-30, "positive"), ask(-4, "")], [-44, -21])
    assert [(fact["clock"], fact["state"], fact["level"]) for fact in found[:3]] == [
        ("first", "met", "negative"), ("next", "missed", "positive"), ("next", "open", "unscored"),
    ]  # fmt: skip
    assert table(found)[("next", "all")] == (0, 1, 1, 0) and table(found)[("first", "negative")] == (1, 0, 0, 100)
    assert response_times(found, at(-100), at(0))["first"] == {"n": 1, "mean": 360, "median": 360, "p90": 360}


def test_what_nobody_answers_is_missed_when_it_was_due_and_counts_in_that_window():
    found = facts([ask(-20)], [])
    assert (found[0]["state"], found[0]["at"]) == ("missed", at(-12))
    assert table(found, -12, -11)[("first", "negative")] == (0, 1, 0, 0) and not table(found, -11, 0)
    assert table(found, -30, -12.5) == {}


def test_a_late_answer_is_missed_when_it_was_due_not_when_it_came():
    found = facts([ask(-20)], [-2])
    assert (found[0]["state"], found[0]["at"], found[0]["minutes"]) == ("missed", at(-12), 1080)
    assert response_times(found, at(-3), at(0))["first"]["n"] == 1


def test_a_deadline_that_was_missed_stands_whatever_the_band_is_by_now_but_a_reply_in_time_that_came_late_was_in_time():
    miss = {"clock": "first", "since": at(-20), "due_at": at(-19.5), "band": "P1"}
    assert facts([ask(-20)], [-19])[0]["state"] == "met"
    assert [(fact["state"], fact["at"]) for fact in facts([ask(-20)], [-19], missed=[miss])][:1] == [("missed", at(-19.5))]
    assert facts([ask(-20)], [-19.6], missed=[miss])[0]["state"] == "met"


def test_a_deleted_ask_has_no_clock():
    assert facts([], [-2], missed=[{"clock": "first", "since": at(-20), "due_at": at(-19.5), "band": "P1"}]) == []


def test_resolution_runs_from_the_first_ask_and_a_reopened_case_is_not_resolved():
    policy = load_policy('version: 2\nsla: {resolution: {targets: {P1: 60, P2: 60, P3: 600, P4: 600}}}\ncalendars: {default: office, named: {office: '
                         '{zone: UTC, hours: {thu: ["08:00-18:00"], fri: ["08:00-18:00"]}}}}')  # fmt: skip
    closed = facts([ask(-28)], [], policy, status="closed", closed_at=at(-3))  # Thursday 8:00 to Friday 9:00
    assert (closed[-1]["clock"], closed[-1]["minutes"], closed[-1]["state"], closed[-1]["at"]) == ("resolution", 660, "missed", at(-18))
    assert facts([ask(-28)], [], policy)[-1]["until"] is None


# ---- contacts


def contact(hours: float, person: str = "ann", category: str = "billing", case_key: str = "c1") -> dict[str, Any]:
    return {"at": at(hours), "brand": "acme", "person": person, "category": category, "case_key": case_key}


def test_a_repeat_is_the_same_person_about_the_same_within_the_days():
    contacts = [contact(-24 * 20), contact(-24 * 8), contact(-24 * 2), contact(-1), contact(-1, "bob"), contact(-1, category="defect", case_key="c2")]
    resolved = {"brand": "acme", "person": "ann", "category": "billing", "resolved_at": at(-24 * 3)}
    rows = repeat_contacts(contacts, [resolved, resolved | {"person": "bob"}], at(-24 * 9), at(0), 7)
    billing, defect = rows
    assert (billing["contacts"], billing["repeats"], billing["rate"], billing["contacts_per_case"]) == (4, 2, 50, 4)
    assert (billing["resolved"], billing["first_contact_resolution"]) == (2, 0)
    assert (defect["contacts"], defect["repeats"], defect["first_contact_resolution"]) == (1, 0, None)


@given(hours=st.lists(st.integers(-400, 0), max_size=30), people=st.lists(st.sampled_from("ab"), min_size=30, max_size=30))
def test_repeats_agree_with_looking_at_every_pair(hours: list[int], people: list[str]):
    contacts = [contact(hour, person) for hour, person in zip(hours, people, strict=False)]
    inside = [(hour, person) for hour, person in zip(hours, people, strict=False) if -200 <= hour < 0]
    pairs = list(zip(hours, people, strict=False))
    repeats = sum(any(person == other and 0 < hour - earlier <= 168 for earlier, other in pairs) for hour, person in inside)
    rows = repeat_contacts(contacts, [], at(-200), at(0), 7)
    assert [(row["contacts"], row["repeats"]) for row in rows] == ([(len(inside), repeats)] if inside else [])


@pytest.mark.parametrize("order", [1, -1])
def test_sums_agree_whatever_the_order(order: int):
    found = facts([ask(-50), ask(-30, "positive"), ask(-4, "")][::order], [-21, -44][::order])
    rows = adherence(found[::order], at(-100), at(0.1))
    for clock in ("first", "next"):
        levels = [row for row in rows if row["clock"] == clock and row["level"] != "all"]
        total = next(row for row in rows if row["clock"] == clock and row["level"] == "all")
        assert all(total[name] == sum(row[name] for row in levels) for name in ("due", "met", "missed", "open"))
