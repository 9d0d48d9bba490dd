"""Words, ratings and the platform's own score, weighed together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from caseline.assessment import Text, open_analyser
from caseline.assessment.combine import assess_signals, read_rating
from caseline.signals import Rating, Signal
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Counting:
    """The embedded analyser, remembering what it was asked."""

    def __init__(self):
        self.batches: list[list[Text]] = []
        self._embedded = open_analyser("embedded")

    def assess(self, texts):
        self.batches.append(list(texts))
        return self._embedded.assess(texts)


def signal(number: int = 0, **facts) -> Signal:
    return Signal(**{"channel": "trustpilot", "source": "acme", "native_id": str(number), "kind": "review", "occurred_at": NOW, "received_at": NOW, **facts})


def stars(value: float) -> Rating:
    return Rating("stars", value, 1, 5)


def assess(one: Signal):
    return assess_signals(Counting(), [one])[0]


@pytest.mark.parametrize(
    ("value", "sentiment", "strength"),
    [(1, "negative", 0.5), (2, "negative", 0.25), (3, "neutral", 0.0), (4, "positive", 0.0), (5, "positive", 0.0)],
)
def test_stars_without_words_speak_at_half_confidence_and_cost_nothing(value, sentiment, strength):
    analyser = Counting()
    said = assess_signals(analyser, [signal(rating=stars(value))])[0]
    assert (said.sentiment, said.confidence, said.strength, said.unscored) == (sentiment, 0.5, strength, None)
    assert analyser.batches == []


@pytest.mark.parametrize(
    ("rating", "sentiment"),
    [
        (Rating("nps", 0, 0, 10), "negative"), (Rating("nps", 6, 0, 10), "negative"),
        (Rating("nps", 7, 0, 10), "neutral"), (Rating("nps", 9, 0, 10), "positive"),
        (Rating("csat", 1, 1, 5), "negative"),
        (Rating("csat", 5, 1, 5), "positive"), (Rating("ces", 2, 1, 7), "negative"), (Rating("ces", 7, 1, 7), "positive"),
    ],
)
def test_other_ratings(rating, sentiment):
    assert read_rating(rating).sentiment == sentiment


@given(st.floats(0, 10), st.floats(0, 10), st.sampled_from(["stars", "csat", "ces"]))
def test_a_better_rating_never_reads_worse(a, b, metric):
    low, high = (read_rating(Rating(metric, value, 0, 10)) for value in sorted((a, b)))
    assert low.positive - low.negative <= high.positive - high.negative


def test_words_that_contradict_the_stars_lose():
    said = assess(signal(text="Great job, absolutely wonderful, thank you so much", rating=stars(1)))
    assert (said.sentiment, said.conflict) == ("negative", True)
    assert said.confidence <= 0.5
    said = assess(signal(text="Terrible awful useless service", rating=stars(5)))
    assert (said.sentiment, said.conflict) == ("positive", True)


def test_words_that_agree_with_the_stars_stand():
    said = assess(signal(text="Terrible awful useless service, never again", rating=stars(1)))
    assert (said.sentiment, said.conflict) == ("negative", False)
    assert said.confidence > 0.5


def test_neutral_words_beside_one_star_lean_to_the_star():
    said = assess(signal(text="Where can I find the manual?", rating=stars(1)))
    assert (said.sentiment, said.conflict, said.category) == ("negative", False, "how_to")


def test_words_without_a_score_leave_it_to_the_stars():
    said = assess(signal(text="👎", rating=stars(1)))
    assert (said.sentiment, said.confidence, said.unscored) == ("negative", 0.5, None)


def test_the_platform_s_score_replaces_the_analyser():
    analyser = Counting()
    said = assess_signals(analyser, [signal(kind="call", text="My account was hacked, please help", provider_sentiment=-0.8)])[0]
    assert (said.sentiment, said.strength, said.category, said.urgency, said.model) == ("negative", 0.8, "security", "critical", "platform")
    assert analyser.batches == []
    assert assess(signal(kind="call", provider_sentiment=0.0)).sentiment == "neutral"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"direction": "outbound"}, "outbound"), ({"kind": "reaction", "text": "👍"}, "reaction"), ({"kind": "repost", "text": "awful"}, "repost"),
        ({"action": "deleted"}, "deleted"), ({"kind": "pointer"}, "pointer"), ({}, "no text"), ({"text": "  "}, "no text"),
    ],
)
def test_what_no_customer_says_is_unscored_and_free(facts, reason):
    analyser = Counting()
    said = assess_signals(analyser, [signal(**{"text": None, **facts})])[0]
    assert (said.sentiment, said.unscored) == (None, reason)
    assert analyser.batches == []


def test_one_batch_for_all_that_need_it_and_the_order_kept():
    analyser = Counting()
    signals = [
        signal(0, text="Worst company ever"), signal(1, rating=stars(5)), signal(2, text="Thank you, great team", channel="x", language="en"),
        signal(3, direction="outbound", text="We are sorry"), signal(4, text="What are your opening hours?"),
    ]
    answers = assess_signals(analyser, signals)
    assert [a.sentiment for a in answers] == ["negative", "positive", "positive", None, "neutral"]
    assert [[text.text for text in batch] for batch in analyser.batches] == [["Worst company ever", "Thank you, great team", "What are your opening hours?"]]
    assert analyser.batches[0][1] == Text("Thank you, great team", "en", "x")


def test_no_signals_no_call():
    analyser = Counting()
    assert assess_signals(analyser, []) == []
    assert analyser.batches == []
