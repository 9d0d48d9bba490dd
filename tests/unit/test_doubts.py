"""What words seem to say and do not mean: praise beside a trouble, and news that no customer tells of themselves."""

from __future__ import annotations

import pytest
from caseline.assessment import Text, open_analyser

ANALYSER = open_analyser("embedded")


def assess(text: str, channel: str = "x"):
    return ANALYSER.assess([Text(text, None, channel)])[0]


@pytest.mark.parametrize(
    "text",
    [
        "Awesome, thanks. Flight cancelled and nobody at the counter.", "Love being charged twice for one coffee", "Congrats on ruining our honeymoon",
        "Super, schon wieder Verspätung. Danke für nichts.", "Genial, otra vez cancelado el vuelo",
    ],
)
def test_praise_beside_a_trouble_is_no_praise(text):
    said = assess(text)
    assert said.sentiment == "negative"
    assert said.strength >= 0.2


def test_what_was_only_doubted_says_so_and_is_never_sure():
    said = assess("thanks a ton for the great service, an hour on hold")
    assert (said.sentiment, said.conflict) == ("negative", True)
    assert said.confidence <= 0.5
    assert said.positive + said.negative + said.neutral + said.mixed == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    [
        "Flight was delayed but the crew were absolutely wonderful, thank you!", "Can't fault the staff, they were great",
        "I was about to give up, then Maya fixed it in two minutes. Amazing.",
    ],
)
def test_praise_for_help_in_trouble_stays_praise(text):
    assert assess(text).sentiment == "positive"


@pytest.mark.parametrize("text", ["CEO battles to appease angry shareholders after profit warning", "Shares in the carrier slump 5% on weak outlook"])
def test_headlines_are_no_complaints(text):
    assert assess(text).sentiment == "neutral"


def test_whoever_speaks_of_themselves_tells_no_news():
    assert assess("Your CEO should be ashamed, my bag has been lost for two weeks").sentiment == "negative"
