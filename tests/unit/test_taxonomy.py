"""Categories and urgency by phrases."""

from __future__ import annotations

import pytest
from caseline.assessment import Assessment
from caseline.assessment.taxonomy import default_taxonomy, load_taxonomy, read_default
from caseline.errors import ConfigError

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
