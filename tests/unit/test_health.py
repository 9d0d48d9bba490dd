"""Health, churn signs and departures: each by hand, and the laws that hold for any history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from caseline.crm import Account, Fact
from caseline.health.churn import RULES, find_signs
from caseline.health.departure import explain_departure
from caseline.health.figures import measure
from caseline.health.history import History
from caseline.health.score import find_health
from caseline.policy import load_policy
from caseline.signals import isoformat
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POLICY = load_policy()


def at(days: float) -> str:
    return isoformat(NOW - timedelta(days=days))


def said(days: float, feeling: float | None = -0.8, **more: Any) -> dict[str, Any]:
    """A row of the timeline, so many days ago."""
    name = more.pop("name", f"s{days}")
    mood = {"unscored": "language"} if feeling is None else {"positive": max(0, feeling), "negative": max(0, -feeling), "sentiment": "negative"}
    row = {
        "type": "signal", "signal_id": name, "native_id": name, "state": "live", "direction": "inbound", "channel": "x", "source": "acme",
        "kind": "post", "identity": "IDENTITY#x:1", "brand": "acme",
        "occurred_at": at(days), "at": f"{at(days)}#{name}", "public": True, "need": "due" if feeling is None or feeling < 0 else "none", "category": "service",
        "assessment": mood,
    }  # fmt: skip
    return row | more


def rated(days: float, value: float, metric: str = "nps", high: float = 10) -> dict[str, Any]:
    rating = {"metric": metric, "value": value, "low": 0 if metric == "nps" else 1, "high": high}
    return said(days, None, name=f"{metric}{days}", rating=rating, need="none", kind="survey_response", public=False)


def answered(days: float) -> dict[str, Any]:
    return said(days, None, name=f"r{days}", direction="outbound", need="none", agent="Mo")


def case(days: float, closed: float | None = None, key: str = "", **more: Any) -> dict[str, Any]:
    row = {"type": "case", "case_key": key or f"case-{days}", "brand": "acme", "opened_at": at(days), "first_signal_at": at(days), "priority": {"band": "P4"},
           "channels": ["x"], "status": "open" if closed is None else "closed"}  # fmt: skip
    return row | ({"closed_at": at(closed)} if closed is not None else {}) | more


def account(**facts: Any) -> Account:
    return Account("A-1", "North", facts={name: Fact(value, f"crm.{name}", at(1)) for name, value in facts.items()})


def history(*rows: dict[str, Any], cases: Any = (), known: Account | None = None, now: datetime = NOW, since: Any = None) -> History:
    return History(rows, cases, known, now, since)


def signs(*rows: dict[str, Any], **more: Any) -> dict[str, str]:
    found = find_signs(POLICY, history(*rows, **more))
    assert found
    return {sign["rule"]: sign["text"] for sign in found["signs"]}


def test_a_content_customer_is_well_and_says_how_much_of_that_is_known():
    health = find_health(POLICY, history(said(3, 0.9), rated(2, 10), answered(1)))
    assert health and health["value"] == 98 and health["coverage"] == 0.75
    assert health["missing"] == ["repeats", "deadlines"] and health["text"].startswith("health 98: sentiment +0.90")


def test_who_was_not_heard_or_said_nothing_that_could_be_scored_has_no_health():
    for rows in ((), (said(200),), (said(2, None, need="none"),)):
        health = find_health(POLICY, history(*rows))
        assert health and health["value"] is None and "too little" in health["text"]


def test_two_complaints_that_nobody_sees_to_are_what_takes_most():
    rows = [said(9, case_key="case-9", name="a"), said(8, case_key="case-9", name="b")]
    health = find_health(POLICY, history(*rows, cases=[case(9)]))
    assert health and [(line["part"], line["points"], line["text"]) for line in health["lines"]] == [
        ("sentiment", -28, "sentiment -0.80 over 2 signals"), ("deadlines", -13, "1 of 1 deadline missed"),
        ("unanswered", -9, "2 asks unanswered for 9 days"), ("unresolved", -8, "1 case unresolved, the oldest for 9 days"),
        ("repeats", -6, "1 repeat contact in 30 days"),
    ]  # fmt: skip
    assert health["value"] == 36 and health["lines"][2]["evidence"] == ["a", "b"]


def test_one_mail_that_comes_by_two_ways_is_no_repeat():
    health = find_health(POLICY, history(said(9, name="a"), said(9, name="b", channel="ses")))
    assert health and "no repeat contacts in 30 days" in [line["text"] for line in health["lines"]]


def test_the_trend_is_against_four_weeks_ago_and_revenue_is_at_risk_near_the_renewal():
    known = account(deal_value="1000", currency="EUR", renewal_date="2026-12-01")
    rows = [said(40, 0.9), rated(39, 10), said(2), rated(1, 0)]
    health = find_health(POLICY, history(*rows, cases=[case(2)], known=known))
    assert health and health["trend"]["before"] == 98 and health["trend"]["change"] == health["value"] - 98 < -30
    assert health["at_risk"]["amount"] == pytest.approx(1000 * (100 - health["value"]) / 100)


FEELINGS = st.sampled_from([-0.9, -0.3, 0.0, 0.8, None])
ROWS = st.lists(
    st.one_of(
        st.builds(said, st.integers(0, 120), FEELINGS, name=st.uuids().map(str), category=st.sampled_from(["service", "billing"])),
        st.builds(rated, st.floats(0, 120).map(lambda d: round(d, 3)), st.integers(0, 10)), st.builds(answered, st.integers(0, 120)),
    ), max_size=25, unique_by=lambda row: row["signal_id"],
)  # fmt: skip
CASES = st.lists(st.builds(case, st.integers(30, 100), st.one_of(st.none(), st.integers(0, 29)), st.uuids().map(str)), max_size=4)


@given(rows=ROWS, cases=CASES, seed=st.integers(0, 99))
def test_any_order_is_the_same_health_and_its_lines_sum(rows, cases, seed):
    known = account(renewal_date="2026-12-15", deal_value=10)
    before = history(*rows, cases=cases, known=known)
    shuffled = Random(seed).sample(rows, len(rows)), Random(seed).sample(cases, len(cases))
    after = history(*shuffled[0], cases=shuffled[1], known=known)
    health, churn = find_health(POLICY, before), find_signs(POLICY, before)
    assert health and churn and health["value"] == find_health(POLICY, after)["value"] and churn["score"] == find_signs(POLICY, after)["score"]
    assert 0 <= churn["score"] <= 100 and 0 <= health["coverage"] <= 1
    if health["value"] is not None:
        assert 0 <= health["value"] <= 100 and health["value"] - sum(line["points"] for line in health["lines"]) == 100
        assert all(-line["points"] >= 0 for line in health["lines"])


@given(rows=ROWS, cases=CASES, gone=st.integers(0, 24))
def test_a_deleted_signal_leaves_no_trace(rows, cases, gone):
    erased = [row | {"state": "deleted", "need": "none", "assessment": {"unscored": "deleted"}} if place == gone else row for place, row in enumerate(rows)]
    erased = [{name: value for name, value in row.items() if name != "rating" or row["state"] == "live"} for row in erased]
    without = [row for place, row in enumerate(rows) if place != gone]
    assert find_health(POLICY, history(*erased, cases=cases)) == find_health(POLICY, history(*without, cases=cases))
    assert find_signs(POLICY, history(*erased, cases=cases)) == find_signs(POLICY, history(*without, cases=cases))


def test_one_more_open_case_or_bad_answer_never_makes_it_better():
    rows, worse = [said(3, 0.5), rated(2, 8)], [said(3, 0.5), rated(2, 3)]
    value = lambda *a, **k: find_health(POLICY, history(*a, **k))["value"]  # noqa: E731
    assert value(*rows) > value(*rows, cases=[case(5)]) > value(*rows, cases=[case(5), case(6)]) and value(*rows) > value(*worse)


def test_a_customers_own_figures_are_those_of_a_report():
    rows = [said(9, case_key="case-9"), answered(8), said(3, 0.2, need="due", case_key="case-9", name="b"), rated(2, 9), rated(1, 4, "csat", 5)]
    figures = measure(POLICY, history(*rows, cases=[case(9)]))
    assert [(each["metric"], each["value"], each["scale"]) for each in figures["scores"]] == [("csat", 4, [1, 5]), ("nps", 9, [0, 10])]
    assert figures["response_times"]["first"] == {"n": 1, "mean": 1440, "median": 1440, "p90": 1440} and figures["repeat_contacts"] == 1
    assert [(row["clock"], row["met"], row["missed"]) for row in figures["sla"] if row["level"] == "all"] == [("first", 1, 0), ("next", 0, 1)]


# ---- churn


def test_each_sign_says_what_it_saw():
    assert signs(cases=[case(5), case(9)]) == {"unresolved": "2 cases unresolved"}
    assert signs(said(9), said(8)) == {"unanswered": "2 public posts unanswered for 9 days"}
    assert signs(said(9), answered(8)) == {} and signs(said(1)) == {}
    assert signs(rated(40, 8), rated(30, 8), rated(3, 6)) == {"score_drop": "NPS fell from 8 to 6"}
    assert signs(rated(40, 9), rated(3, 6)) == {"score_drop": "NPS fell from 9 to 6", "detractor": "a promoter before, a detractor now (NPS 6)"}
    assert signs(rated(40, 4, "csat", 5), rated(3, 2, "csat", 5)) == {"score_drop": "CSAT fell from 4 to 2"}
    assert signs(said(9), said(5), said(2), answered(1)) == {"repeats": "3 contacts about service in 30 days"}
    assert signs(said(3, category="cancel"), answered(1)) == {"cancel": "spoke of leaving"}
    moods = [said(60 - day, 0.5, name=f"m{day}") for day in range(3)] + [said(6 - day, -0.1, need="none", name=f"n{day}") for day in range(5)]
    assert signs(*moods) == {"sentiment": "sentiment fell from +0.50 to -0.10"}
    assert signs(*(said(100 - 10 * day, 0.5, name=f"q{day}") for day in range(5))) == {"silence": "silent for 60 days, usually heard every 10"}
    assert signs(said(30, public=False)) == {"silence": "silent for 30 days since a complaint that nobody answered"}


def test_a_reply_in_the_thread_of_another_case_answers_nothing_here():
    post = said(9, case_key="case-9", name="post", thread_id="t")
    mail = said(8, case_key="case-8", name="mail", channel="postmark", thread_id="m", public=False)
    cases = [case(9), case(8)]
    there = answered(7) | {"channel": "postmark", "thread_id": "m"}
    assert [row["native_id"] for row in history(post, mail, there, cases=cases).unanswered] == ["post"]
    for anywhere in (answered(7), there | {"thread_id": "unknown"}):
        assert history(post, mail, anywhere, cases=cases).unanswered == []
    assert history(post | {"case_key": "case-8"}, mail, there, cases=cases).unanswered == [], "one case over two channels"
    note = {"type": "note", "PK": "CASE#case-8", "at": at(7), "occurred_at": at(7), "answers": True}
    assert [row["native_id"] for row in history(post, mail, note, cases=cases).unanswered] == ["post"]
    joined = [case(9), case(8, joined="case-9", closed=7.5)]
    assert history(post, note, cases=joined).unanswered == [], "told on a case that has become one with it"
    assert signs(post, mail, there, cases=cases)["unanswered"] == "a public post unanswered for 9 days"


def test_messages_one_after_the_other_are_one_contact():
    talk = [said(9 - number / 100, kind="message", name=f"m{number}") for number in range(5)]
    assert "repeats" not in signs(*talk, answered(1)) and "repeats" in signs(*(row | {"kind": "post"} for row in talk), answered(1))
    later = [said(day, kind="message", name=f"d{day}") for day in (7, 5)]
    assert signs(*talk, *later, answered(1))["repeats"] == "3 contacts about service in 30 days"


def test_every_sign_has_a_switch_and_a_renewal_near_by_weighs():
    rows = [rated(40, 9), rated(3, 6), said(9), said(8, category="cancel", name="c")]
    for name in RULES:
        off = POLICY.model_copy(update={"churn": POLICY.churn.model_copy(update={"off": [name]})})
        found = find_signs(off, history(*rows))
        assert found and name not in {sign["rule"] for sign in found["signs"]}
    assert find_signs(load_policy("version: 2\nchurn: {active: false}"), history(*rows)) is None
    assert find_health(load_policy("version: 2\nhealth: {active: false}"), history(*rows)) is None
    plain, near = find_signs(POLICY, history(*rows)), find_signs(POLICY, history(*rows, known=account(renewal_date="2027-01-10")))
    assert plain and near and (plain["score"], near["score"]) == (70, 88) and "renewal in 51 days" in near["text"]


def test_a_competitor_is_a_sign_where_the_policy_knows_it():
    policy = load_policy("version: 2\nchurn: {words: [rivalcorp], points: {silence: 3}}")
    found = find_signs(policy, history(said(3, 0.5, text="RivalCorp does this better.")))
    assert found and [(sign["rule"], sign["points"]) for sign in found["signs"]] == [("cancel", 25)]
    named = load_policy("version: 2\nchurn: {words: [SAP, C++]}")
    told = [find_signs(named, history(said(3, 0.5, text=text))) for text in ("I am disappointed.", "SAP's does it.", "Why not c++?")]
    assert [[sign["rule"] for sign in each["signs"]] for each in told if each] == [[], ["cancel"], ["cancel"]]


# ---- after the fact


def test_a_departure_is_told_from_what_was_before_it():
    rows = [said(50, case_key="case-50"), said(45, case_key="case-50", name="again"), rated(60, 9), rated(48, 3), said(2, name="after")]
    rows.append(said(40.1, name="just now, which is not unanswered", category="billing"))
    known, since = account(contract_status="Cancelled", tier="smb"), {"contract_status": at(40)}
    before = history(*rows, cases=[case(50)], known=known, since=since)
    found = explain_departure(POLICY, before)
    assert found and found["since"] == at(40) and found["source"] == "crm.contract_status"
    told = {line["what"]: line["text"] for line in found["lines"]}
    assert told == {
        "unresolved": "1 case unresolved", "unanswered": "2 asks unanswered", "deadlines": "1 deadline missed", "repeats": "1 repeat contact",
        "nps": "NPS from 9 to 3, -15.0 a month",
    }  # fmt: skip
    assert found["text"].startswith(f"Cancelled since {at(40)[:10]}. In the 90 days before: 1 case unresolved; 2 asks")
    assert explain_departure(POLICY, replace(before, account=account(contract_status="active"))) is None
    assert explain_departure(POLICY, history(known=account(lifecycle_stage="Churned")))["text"].endswith("nothing on the timeline foretold it")
