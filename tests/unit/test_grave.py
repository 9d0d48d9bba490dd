"""Safety, legal, security, outage and cancelling, said in many ways and languages: a missed one is the costliest error."""

from __future__ import annotations

import pytest
from caseline.assessment import Text, open_analyser

from tests.evaluation.own import read_own

GRAVE = ("safety", "legal", "security", "outage", "cancel")


@pytest.fixture(scope="module")
def answers():
    rows = read_own("grave.tsv")
    return list(zip(rows, open_analyser("embedded").assess([Text(row["text"], None, "x") for row in rows]), strict=True))


@pytest.mark.parametrize("category", GRAVE)
def test_grave_words_are_found(answers, category):
    found = [(row["text"], said.category) for row, said in answers if row["category"] == category]
    missed = [text for text, said in found if said not in GRAVE]
    assert len(missed) <= 0.04 * len(found), missed
    assert sum(said == category for _, said in found) >= 0.95 * len(found)


def test_words_that_only_look_grave_are_not(answers):
    alarms = [row["text"] for row, said in answers if row["category"] == "-" and said.category in GRAVE]
    assert not alarms


def test_said_in_many_other_ways_most_is_still_found_and_little_mistaken():
    """Sentences that the signs were widened by: they guard what was reached, and measure nothing."""
    rows = read_own("grave_wide.tsv")
    said = open_analyser("embedded").assess([Text(row["text"], None, "x") for row in rows])
    grave = [(row["text"], answer.category) for row, answer in zip(rows, said, strict=True) if row["category"] != "-"]
    plain = [(row["text"], answer.category) for row, answer in zip(rows, said, strict=True) if row["category"] == "-"]
    missed = [text for text, category in grave if category not in GRAVE]
    alarms = [text for text, category in plain if category in GRAVE]
    assert len(missed) <= 0.04 * len(grave), missed
    assert len(alarms) <= 0.04 * len(plain), alarms


def test_a_language_mistaken_for_another_misses_nothing_grave():
    for stated in ("de", "fr", "es", "it", "pt", "nl"):
        assert open_analyser("embedded").assess([Text("Mi abogado se pondrá en contacto", stated)])[0].category == "legal"


def test_praise_around_it_hides_nothing_grave():
    for text, category in [
        ("Great food, lovely staff, but my son had an allergic reaction and ended up in hospital", "safety"),
        ("Thank you for the quick answer! Sadly someone has been using my account", "security"),
        ("Love the app, but please close my account", "cancel"),
    ]:
        assert open_analyser("embedded").assess([Text(text, "en", "x")])[0].category == category
