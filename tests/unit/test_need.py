"""Which signals need a case, from a table of samples; and laws that hold for any signal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from caseline.assessment import Assessment, unscored
from caseline.config_text import read_yaml
from caseline.need import REASONS, Need, decide_need
from caseline.policy import load_policy
from caseline.signals import KINDS, Rating, Signal
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = read_yaml((Path(__file__).parent / "data/needs.yaml").read_text(encoding="utf-8"), "needs.yaml")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def make_signal(sample: dict[str, Any]) -> Signal:
    given_fields = {k: sample[k] for k in ("text", "direction", "action", "attributes") if k in sample}
    metric = sample.get("rating")
    return Signal("x", "acme", "1", sample.get("kind", "post"), NOW, NOW, public=True, rating=Rating(*metric) if metric else None, **given_fields)


def make_assessment(sample: dict[str, Any]) -> Assessment:
    if "sentiment" not in sample:
        return unscored(sample.get("unscored", "no text"), category=sample.get("category"), language=sample.get("language"))
    positive = sample.get("positive", 0.9 if sample["sentiment"] == "positive" else 0.0)
    strength = sample.get("strength", 0.0)
    return Assessment(
        sample["sentiment"], positive, strength, category=sample.get("category"), conflict=sample.get("conflict", False), language=sample.get("language")
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.get('kind', 'post')}: {s.get('text') or s.get('rating') or s.get('action')}")
def test_need_of_sample(sample: dict[str, Any]) -> None:
    need = decide_need(load_policy(), make_signal(sample), make_assessment(sample))
    assert [need.state, need.reason, need.category] == sample["expect"]


def test_policy_switches_off_questions_and_ratings_without_words() -> None:
    policy = load_policy("version: 1\nneed: {questions: false, star_only: false}")
    question = {"text": "How do I export this?", "sentiment": "neutral"}
    stars = {"rating": ["stars", 1, 1, 5], "sentiment": "negative", "strength": 0.5}
    assert decide_need(policy, make_signal(question), make_assessment(question)).reason == "no-ask"
    assert decide_need(policy, make_signal(stars), make_assessment(stars)).reason == "rating-only"


samples = st.fixed_dictionaries(
    {"text": st.one_of(st.none(), st.text(max_size=60)), "kind": st.sampled_from(sorted(KINDS))},
    optional={
        "sentiment": st.sampled_from(["negative", "neutral", "positive", "mixed"]), "strength": st.floats(0, 1),
        "category": st.one_of(st.sampled_from(sorted(load_policy().severity)), st.text(max_size=9)),
        "direction": st.sampled_from(["inbound", "outbound"]), "action": st.sampled_from(["created", "updated", "deleted"]),
        "rating": st.tuples(st.sampled_from(["stars", "nps", "csat", "ces"]), st.floats(0, 10), st.just(0), st.just(10)),
    },
)  # fmt: skip


def need_of(sample: dict[str, Any]) -> Need:
    return decide_need(load_policy(), make_signal(sample), make_assessment(sample))


@given(samples)
def test_every_signal_has_a_need_with_a_reason_in_words(sample: dict[str, Any]) -> None:
    need = need_of(sample)
    assert need.state in ("due", "none") and need.text == REASONS[need.reason]
    assert need.category in load_policy().severity and (need.state, need.category) != ("due", "praise")


@given(samples)
def test_what_the_brand_said_or_was_deleted_never_needs_a_case(sample: dict[str, Any]) -> None:
    assert need_of({**sample, "direction": "outbound"}).state == "none"
    assert need_of({**sample, "action": "deleted"}).state == "none"


def test_each_rule_may_be_switched_off():
    off = load_policy("version: 2\nneed: {off: [courtesy, spam]}\n")
    thanks = make_signal({"text": "Thanks, bye!"})
    assert decide_need(load_policy(), thanks, Assessment()).reason == "courtesy"
    assert decide_need(off, thanks, Assessment()).reason == "unscored"
    assert decide_need(off, make_signal({"text": "Where is it?", "attributes": {"spam": True}}), Assessment()).reason != "spam"
