"""Categories and urgency by phrases."""

from __future__ import annotations

import re

import pytest
from caseline.assessment import Assessment
from caseline.assessment.phrases import _read_phrase, compile_phrases
from caseline.assessment.rules import rules_for
from caseline.assessment.taxonomy import EXAMPLES, default_taxonomy, load_taxonomy, read_default, read_example
from caseline.errors import ConfigError
from caseline.policy import load_policy, shipped_policy
from hypothesis import given
from hypothesis import strategies as st

TAXONOMY = default_taxonomy()
CALM = Assessment(sentiment="neutral", neutral=1.0)


def category(text: str, language: str | None = "en", scored: Assessment = CALM) -> str:
    return TAXONOMY.find_category(text, language, scored)


def test_the_shipped_categories_stand_in_order_of_gravity():
    assert TAXONOMY.names == [
        "safety", "legal", "security", "outage", "cancel", "billing", "defect", "delivery", "service", "how_to", "praise", "unknown",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Legally Blonde is on tonight", "unknown"), ("what is the legal drinking age", "how_to"), ("my lawyer will call", "legal"),
        ("such a cool life hack", "unknown"), ("you stole my heart", "unknown"), ("my identity was stolen", "security"),
        ("is there a fire stick remote", "unknown"), ("the battery started smoking", "safety"), ("the laptop battery is fully charged", "unknown"),
        ("Bill Gates spoke", "unknown"), ("please cancel my order", "unknown"), ("please cancel my contract", "cancel"),
        ("i need to cancel a flight", "unknown"), ("are you going to leave today", "unknown"), ("we are going to leave you", "cancel"),
        ("true southern hospitality", "unknown"), ("she was hospitalised", "safety"),
        ("a broken heart", "unknown"), ("the handle is broken", "defect"),
    ],
)
def test_words_that_only_look_like_a_topic(text, expected):
    assert category(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Ich kündige den Vertrag", "de", "cancel"), ("Mon avocat va vous écrire", "fr", "legal"), ("Me robaron la cuenta", "es", "security"),
        ("Il servizio è fuori servizio", "it", "outage"), ("O aparelho pegou fogo", "pt", "safety"), ("Mijn pakket is kwijt", "nl", "delivery"),
    ],
)
def test_other_languages_have_phrases_of_their_own(text, language, expected):
    assert category(text, language) == expected


def test_phrases_are_counted_in_the_order_in_which_categories_are_asked():
    counts = TAXONOMY.count_phrases("refund me: it was charged twice, and the parcel never came", "en")
    assert next(iter(counts)) == category("refund me: it was charged twice, and the parcel never came") == "billing"
    assert counts["billing"] > counts["delivery"] == 1
    assert not TAXONOMY.count_phrases("hello there", "en")


def test_praise_outweighs_a_topic_but_nothing_grave():
    glad = Assessment(sentiment="positive", positive=0.9, neutral=0.1)
    assert category("Thanks for the quick refund", scored=glad) == "praise"
    assert category("Thanks, but my account was hacked", scored=glad) == "security"
    assert category("Thanks for the quick refund", scored=Assessment(sentiment="negative", negative=0.9)) == "billing"


def test_urgency_follows_category_words_and_mood():
    upset = Assessment(sentiment="negative", negative=0.8)
    glad = Assessment(sentiment="positive", positive=0.8)
    assert TAXONOMY.find_urgency("x", "safety", CALM) == "critical"
    assert TAXONOMY.find_urgency("Please help, this is urgent", "unknown", upset) == "high"
    assert TAXONOMY.find_urgency("see you today", "praise", glad) == "low"
    assert TAXONOMY.find_urgency("is it blue?", "unknown", CALM) == "normal"


def test_a_policy_brings_its_own_and_a_mistake_is_named():
    own = read_default() | {"categories": [{"name": "bags", "phrases": {"en": ["lost bag*"]}}]}
    assert load_taxonomy(own).find_category("two lost bags", "en", CALM) == "bags"
    with pytest.raises(ConfigError, match="lost \\(bag"):
        load_taxonomy({"categories": [{"name": "bags", "phrases": {"en": ["lost (bag"]}}]})
    with pytest.raises(ConfigError, match="categories"):
        load_taxonomy({})


OWN = """
version: 2
categories:
  examples: [airline]
  own:
    - {name: lounge, like: service, phrases: {en: ["lounge ~ (full|closed)"]}, except: [lounge wear]}
    - {name: billing, phrases: {en: [tariff letter]}}
    - {name: needles, like: safety, phrases: {en: [needle*]}}
  without: [how_to]
"""


def test_a_policy_adds_categories_of_its_own_and_of_a_trade():
    taxonomy = rules_for(load_policy(OWN).categories).taxonomy
    upset = Assessment(sentiment="negative", negative=0.9)
    for text, expected in [
        ("the lounge was completely full", "lounge"), ("a lounge wear closed shop", "unknown"), ("I got a tariff letter", "billing"),
        ("my refund never came", "flight_booking_problems"), ("they lost my suitcase", "lost_luggage"), ("my lawyer says the lounge was closed", "legal"),
        ("where is the shop", "unknown"),
    ]:
        assert taxonomy.find_category(text, "en", upset) == expected, text
    assert taxonomy.find_urgency("a needle in my soup", "needles", upset) == "critical"
    glad = Assessment(sentiment="positive", positive=0.9)
    assert taxonomy.find_category("thanks, but there is a needle in it", "en", glad) == "needles"


def test_special_categories_have_the_points_floors_and_queues_of_what_they_are_like():
    policy = load_policy(OWN)
    assert (policy.severity["lounge"], policy.severity["lost_luggage"], policy.severity["billing"]) == (7, 8, 11)
    assert "needles" in policy.need.categories
    assert "needles" in policy.floors[0].when.categories
    assert next(rule.queue for rule in policy.routing.rules if "lost_luggage" in rule.categories) == "logistics"
    named = load_policy(OWN + "severity: {safety: 15, legal: 15, security: 15, outage: 13, cancel: 13, billing: 11, defect: 9, delivery: 8, service: 7, "
                              "unknown: 5, how_to: 2, praise: 0, lounge: 1}\n")
    assert named.severity["lounge"] == 1


def test_without_the_section_nothing_changes():
    assert rules_for(shipped_policy().categories).taxonomy is default_taxonomy()
    assert rules_for(load_policy("version: 9").categories) is rules_for(shipped_policy().categories)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_like_general_categories(name):
    policy = load_policy(f"version: 1\ncategories: {{examples: [{name}]}}")
    general = {row["name"] for row in read_default()["categories"]}
    for row in read_example(name)["categories"]:
        assert row["like"] in general
        assert row["name"] in policy.severity
    assert set(read_example(name)["without"]) <= general


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("  without: [servce]", "policy.yaml:3:13: categories.without.0: no general category 'servce'; did you mean 'service'?"),
        ("  examples: [airlines]", "policy.yaml:3:14: categories.examples.0: write 'airline', 'app' or 'finance', not 'airlines'"),
        ("  own: [{name: a, like: servic, phrases: {en: [b]}}]", "policy.yaml:3:19: categories.own.0.like: no category 'servic'"),
        ("  own: [{name: a, phrases: {en: ['(b']}}]", "policy.yaml:3:34: categories.own.0.phrases.en.0: cannot read the phrase '(b'"),
        ("  own: [{name: a, phrases: {}}]", "policy.yaml:3:19: categories.own.0.phrases: write at least one phrase"),
        ("  own: [{name: a b, phrases: {en: [b]}}]", "policy.yaml:3:10: categories.own.0.name: write lower-case letters, digits and underscores, not 'a b'"),
        ("  own: [{name: a, phrase: {en: [b]}}]", "categories.own.0.phrase: unknown key"),
    ],
)
def test_a_mistake_is_told_with_its_place(section, expected):
    with pytest.raises(ConfigError) as caught:
        load_policy(f"version: 1\ncategories:\n{section}\n")
    assert expected in str(caught.value)


WORDS = st.sampled_from(["a", "ab", "b", "ba", "c"])
PHRASES = st.recursive(
    st.one_of(WORDS, st.sampled_from(["a*", "~ b", "b?a", r"\d+", "(a )?b", "[ab]c", "ab ~ c"])),
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda some: f"({'|'.join(some)})"), st.lists(parts, min_size=2, max_size=3).map(" ".join)
    ),
    max_leaves=6,
)


@given(st.lists(PHRASES, min_size=1, max_size=6), st.lists(st.one_of(WORDS, st.just("1")), max_size=10))
def test_phrases_sorted_by_letter_find_what_they_find_in_their_order(phrases, words):
    text, plain = f" {' '.join(words)} ", "|".join(map(_read_phrase, phrases))
    assert compile_phrases(phrases).findall(text) == re.findall(f" (?:{plain})(?= )", text)
