"""Business time keeps its laws in any zone, over holidays and both changes of the clock; targets are found by brand, clock, channel and band."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from caseline.calendars import DAYS, NOTHING, Calendar, read_week
from caseline.deadlines import FIRST, NEXT, RESOLUTION, calendar_of, due_at, find_target, waited_share
from caseline.errors import ConfigError
from caseline.policy import load_policy
from hypothesis import given, settings
from hypothesis import strategies as st

OFFICE = """
version: 2
sla:
  next: {channels: {email: {P1: 5, P2: 6, P3: 7, P4: 8}}}
  resolution: {targets: {P1: 100, P2: 200, P3: 300, P4: 400}}
  brands: {acme: {first: {targets: {P1: 60, P2: 120, P3: 240, P4: 480}}, resolution: {targets: {P1: 1, P2: 2, P3: 3, P4: 4}}}}
calendars:
  brands: {acme: office}
  named:
    office:
      zone: Europe/Berlin
      hours: {mon: ["09:00-12:00", "13:00-17:00"], fri: ["09:00-12:00"], sun: ["01:00-04:00"]}
      holidays: [2026-12-25]
"""
BERLIN = Calendar("Europe/Berlin", read_week({"sun": ["01:00-04:00"], "mon": ["09:00-12:00", "13:00-17:00"]}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    zone = draw(st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo", "UTC"]))
    week = []
    for _ in DAYS:
        marks = sorted(draw(st.lists(st.integers(0, 96).map(lambda quarter: quarter * 15), max_size=6, unique=True)))
        week.append(tuple(zip(marks[::2], marks[1::2], strict=False)))
    if not any(week):
        week[0] = ((120, 180),)
    near = st.dates(date(2026, 3, 20), date(2026, 11, 10))
    return Calendar(zone, tuple(week), frozenset(draw(st.lists(near, max_size=3))))


moments = st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 10), timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
amounts = st.integers(1, 60 * 60 * 80).map(lambda seconds: timedelta(seconds=seconds))


@settings(deadline=None, max_examples=150)
@given(calendars(), st.tuples(moments, moments, moments).map(sorted))
def test_time_adds_up_and_never_runs_back(calendar, three):
    first, second, third = three
    assert calendar.between(first, third) == calendar.between(first, second) + calendar.between(second, third)
    assert NOTHING <= calendar.between(first, second) <= calendar.between(first, third)
    assert calendar.between(first, second) <= second - first and calendar.between(second, first) == NOTHING


@settings(deadline=None, max_examples=150)
@given(calendars(), moments, amounts, amounts)
def test_adding_is_the_inverse_of_counting(calendar, start, amount, more):
    due = calendar.add(start, amount)
    assert calendar.between(start, due) == amount
    assert calendar.between(start, due - timedelta(seconds=1)) < amount, "no earlier instant will do"
    assert calendar.add(due, more) == calendar.add(start, amount + more)


@pytest.mark.parametrize(
    ("start", "end", "open_for"),
    [
        ("2026-03-28T12:00", "2026-03-29T12:00", 2.0),  # the hour from 02:00 is left out
        ("2026-10-24T12:00", "2026-10-25T12:00", 4.0),  # the hour from 02:00 comes twice
        ("2026-06-06T12:00", "2026-06-07T12:00", 3.0),
        ("2026-06-08T07:00", "2026-06-08T15:00", 7.0),  # two intervals of a Monday
        ("2026-06-08T09:59:59", "2026-06-08T11:00:01", 2 / 3600),  # a second before noon and one after one
    ],
)
def test_days_with_both_changes_of_the_clock(start, end, open_for):
    assert BERLIN.between(at(start), at(end)) == hours(open_for)


def test_an_interval_that_begins_in_the_hour_that_is_left_out_begins_after_it():
    gap = Calendar("Europe/Berlin", read_week({"sun": ["02:30-04:00"]}))
    assert gap.between(at("2026-03-29T00:00"), at("2026-03-29T12:00")) == hours(1)
    assert gap.add(at("2026-03-29T00:00"), hours(0.5)) == at("2026-03-29T01:30")


def test_hours_that_meet_in_the_hour_that_comes_twice_are_counted_once():
    week = Calendar("Europe/Berlin", read_week({"sun": ["01:00-02:30", "02:30-04:00"]}))
    assert week.between(at("2026-10-24T12:00"), at("2026-10-25T12:00")) == hours(4)


def test_targets_by_brand_clock_channel_and_band():
    policy = load_policy(OFFICE)
    assert find_target(policy, FIRST, "P2", ("x",), "acme") == timedelta(minutes=120)
    assert find_target(policy, FIRST, "P2", ("x",), "other") == timedelta(minutes=120)
    assert find_target(policy, FIRST, "P1", ("email",), "other") == timedelta(minutes=60)
    assert find_target(policy, NEXT, "P1", ("email",), "other") == timedelta(minutes=5)
    assert find_target(policy, NEXT, "P3", ("x",), "acme") == timedelta(minutes=240), "as for the first"
    assert find_target(policy, RESOLUTION, "P4", ("x",), "other") == timedelta(minutes=400)
    assert find_target(policy, RESOLUTION, "P4", ("x",), "acme") == timedelta(minutes=4)
    assert find_target(load_policy(), RESOLUTION, "P4", (), "acme") is None and calendar_of(load_policy(), "acme") is None


def test_a_weekend_and_a_holiday_do_not_count():
    policy = load_policy(OFFICE)
    asked = at("2026-12-21T15:30")  # a Monday, half an hour before the end; Friday is the holiday, and opens no more
    assert due_at(policy, asked, "P1", ("x",), "acme") == at("2026-12-27T00:30")
    assert waited_share(policy, asked, at("2026-12-26T12:00"), "P1", ("x",), "acme") == 0.5
    assert due_at(policy, asked, "P1", ("x",), "other") == asked + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("calendars: {default: offise}", "no calendar 'offise'"),
        ("calendars: {brands: {acme: home}}", "calendars.brands.acme"),
        ("calendars: {named: {a: {zone: Europe/Berlim, hours: {mon: ['09:00-10:00']}}}}", "time zone"),
        ("calendars: {named: {a: {zone: UTC, hours: {mon: ['10:00-09:00']}}}}", "earlier time first"),
        ("calendars: {named: {a: {zone: UTC, hours: {mon: ['9 to 5']}}}}", "write one as 09:00-12:30"),
        ("calendars: {named: {a: {zone: UTC, hours: {mon: ['09:00-12:00', '11:00-13:00']}}}}", "overlap"),
        ("calendars: {named: {a: {zone: UTC, hours: {}}}}", "never open"),
    ],
)
def test_a_wrong_calendar_is_told_where_and_why(text, says):
    with pytest.raises(ConfigError, match=says):
        load_policy(f"version: 2\n{text}\n")
