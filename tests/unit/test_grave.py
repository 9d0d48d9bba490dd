"""Safety, legal, security, outage and cancelling, said in many ways and languages: a missed one is the costliest error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from caseline.assessment import Assessment, Text, open_analyser
from caseline.assessment.grave import MOST_WORDS, weigh_grave
from caseline.assessment.rules import rules_for
from caseline.explanations import say_need
from caseline.need import decide_need
from caseline.policy import load_policy, shipped_policy
from caseline.signals import Signal

from tests.evaluation.own import read_own

GRAVE = ("safety", "legal", "security", "outage", "cancel")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def mention(text):
    return Signal("x", "acme", "1", "mention", NOW, NOW, public=True, text=text)


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


INDIRECT = [
    ("Since the engineer serviced the boiler we all wake with a thumping head and the dog won't get up", "safety"),
    ("Two weeks, then a judge can read your clause aloud", "legal"),
    ("The app greets me as Beatrix and shows me her orders", "security"),
    ("We have signed with another supplier from May, so this invoice is the last", "cancel"),
    ("The whole road sits in the dark, the school as well", "outage"),
    ("Aus dem Hahn kommt nichts, im ganzen Haus nicht, und nebenan auch nicht", "outage"),
]
ONLY_SOUNDS_SO = [
    "Nein, ich will gar nicht kündigen, ganz im Gegenteil", "That chorus ought to be illegal, play it again",
    "No me quiero dar de baja, al contrario, estoy feliz",
    "My flight to Oslo was cancelled, please book me on the next one", "J'allais partir mais votre collègue a tout réglé, je reste",
]


@pytest.mark.parametrize(("text", "category"), INDIRECT)
def test_what_is_told_without_its_words_is_found_and_opens_a_case_that_says_why(text, category):
    said = open_analyser("embedded").assess([Text(text, None, "x")])[0]
    need = decide_need(shipped_policy(), mention(text), said)
    assert (said.category, need.state) == (category, "due")
    assert said.because and set(said.because.split()) <= set(text.lower().replace(",", "").split())
    told = say_need({"need": "due", "need_reason": "category", "category": category, "assessment": said.to_json()})
    assert told.endswith(f"({category}, because of: {said.because})")


@pytest.mark.parametrize("text", ONLY_SOUNDS_SO)
def test_words_that_are_not_meant_are_no_alarm(text):
    said = open_analyser("embedded").assess([Text(text, None, "x")])[0]
    assert said.category not in GRAVE and not said.because


def test_the_model_beside_the_phrases_has_a_switch_and_takes_a_tenant_s_own_phrases_at_their_word():
    off = rules_for(load_policy("version: 1\ncategories: {indirect: false}").categories)
    assert off.complete(INDIRECT[2][0], "en", Assessment()).category not in GRAVE
    own = rules_for(load_policy("version: 1\ncategories: {own: [{name: legal, phrases: {en: [ought to be illegal]}}]}").categories)
    assert own.complete(ONLY_SOUNDS_SO[1], "en", Assessment()).category == "legal"


ENOUGH = [("hacked!", "security"), ("@acme FRAUD!!! 😡", "security"), ("Data breach?", "security"), ("betrug!", "security"), ("Lawsuit.", "legal")]


@pytest.mark.parametrize(("text", "category"), ENOUGH)
def test_a_word_that_is_enough_opens_a_case_where_nothing_else_is_said(text, category):
    said = open_analyser("embedded").assess([Text(text, None, "x")])[0]
    assert (said.category, bool(said.because)) == (category, True)
    assert decide_need(shipped_policy(), mention(text), said).state == "due"


@pytest.mark.parametrize("text", ["hack day was fun", "fraud? no, a great film", "thanks!", "late!", "@hacked hello"])
def test_the_same_word_among_others_or_as_a_name_is_not_enough(text):
    assert open_analyser("embedded").assess([Text(text, None, "x")])[0].category not in GRAVE


def test_who_complains_means_the_words_that_sound_grave():
    text = "your system is down and after twenty minutes on hold Mia wants to charge me a fee?!"
    assert open_analyser("embedded").assess([Text(text, "en", "x")])[0].category == "outage"


def test_what_is_too_long_is_left_to_the_phrases():
    assert weigh_grave("word " * MOST_WORDS) and not weigh_grave("word " * (MOST_WORDS + 1)) and not weigh_grave("")
