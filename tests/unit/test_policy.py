"""The policy file: the shipped one, a user's own, and what a wrong one is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from caseline.config_text import read_yaml
from caseline.crm import TIERS
from caseline.deadlines import due_at, reply_target, waited_share, ways_of
from caseline.errors import ConfigError
from caseline.policy import SHIPPED, find_contradictions, line_maxima, load_policy

WRONG = read_yaml((Path(__file__).parent / "data/policy_errors.yaml").read_text(encoding="utf-8"), "policy_errors.yaml")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong["text"])[:60])
def test_wrong_policy_is_told_where_and_what_to_write(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        load_policy(wrong["text"])
    for sentence in wrong["says"]:
        assert sentence in str(refused.value)


def test_shipped_policy_is_without_contradiction_and_worth_100_points() -> None:
    policy = load_policy()
    assert list(find_contradictions(policy)) == []
    assert sum(line_maxima(policy).values()) == 100
    assert set(policy.tiers.points) == set(TIERS)


@pytest.mark.parametrize("text", [None, "default", " default\n", SHIPPED.read_text(encoding="utf-8")])
def test_shipped_policy_by_any_name(text: str | None) -> None:
    assert load_policy(text) == load_policy()


def test_json_is_the_same_policy() -> None:
    assert load_policy(json.dumps(load_policy().model_dump(mode="json"))).policy_version == load_policy().policy_version


def test_what_is_left_out_is_as_shipped() -> None:
    policy = load_policy("version: 2026-11-21\nneed: {star_only: false}\nseverity: {unknown: 4, praise: 0, safety: 15, legal: 15, security: 15, outage: 9, "
                         "cancel: 9, billing: 9, defect: 9, delivery: 9}\n")
    assert policy.need.star_only is False and policy.need.negative_from == load_policy().need.negative_from
    assert "how_to" not in policy.severity and policy.known_category("how_to") == "unknown"
    assert policy.version == "2026-11-21"


def test_version_names_exactly_these_numbers() -> None:
    shipped, same, other = load_policy(), load_policy("version: 2"), load_policy("version: 1\nrepeat: {max: 9}")
    assert shipped.weight_hash == same.weight_hash != other.weight_hash
    assert same.policy_version == f"2+{shipped.weight_hash[:8]}"


def test_bands_begin_at_their_scores() -> None:
    bands = load_policy().bands
    assert [bands.band_of(score) for score in (0, 34, 35, 54, 55, 74, 75, 100)] == ["P4", "P4", "P3", "P3", "P2", "P2", "P1", "P1"]


def test_join_window_is_in_hours() -> None:
    assert load_policy().join_window == timedelta(hours=72)


def test_reply_target_is_that_of_the_channel_or_the_kind_where_there_is_one() -> None:
    policy = load_policy("version: 1\nsla: {channels: {postmark: {P1: 45, P2: 60, P3: 240, P4: 720}, email: {P1: 60, P2: 240, P3: 720, P4: 2880}}}")
    ways = [ways_of({"channel": channel, "kind": kind}) for channel, kind in (("x", "post"), ("ses", "email"), ("postmark", "email"))]
    assert [reply_target(policy, "P1", each, "") for each in ways] == [timedelta(minutes=30), timedelta(minutes=60), timedelta(minutes=45)]
    assert due_at(policy, NOON, "P2", ("x", "post"), "") == NOON + timedelta(hours=2)


@pytest.mark.parametrize(
    ("asked", "share"),
    [(None, 0.0), (NOON, 0.0), (NOON - timedelta(minutes=240), 0.5), (NOON - timedelta(hours=16), 2.0), (NOON + timedelta(hours=1), 0.0)],
)
def test_waited_is_the_share_of_the_target(asked: datetime | None, share: float) -> None:
    assert waited_share(load_policy(), asked, NOON, "P3", ("x",), "") == share


def test_what_is_wrong_within_a_section_is_said_in_plain_words() -> None:
    with pytest.raises(ConfigError) as error:
        load_policy("version: 2\ncalendars: {named: {o: {zone: Europe/Nowhere, hours: {mon: ['17:00-09:00']}}}}")
    assert "there is no such time zone; write one as Europe/Berlin, not 'Europe/Nowhere'" in str(error.value)
    assert str(error.value).endswith("write the earlier time first, up to 24:00") and "alue error" not in str(error.value)
