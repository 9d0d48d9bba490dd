"""The embedded analyser on plain sentences of customers, and what it must never do."""

from __future__ import annotations

import csv
import importlib.resources
import time
from pathlib import Path

import pytest
from caseline.assessment import Text, open_analyser

DATA = Path(__file__).parent / "data"
ANALYSER = open_analyser("embedded")


def read_rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def assess(text: str, language: str | None = "en", channel: str | None = None):
    return ANALYSER.assess([Text(text, language, channel)])[0]


@pytest.mark.parametrize("row", read_rows("customer_sentences.tsv"), ids=lambda row: row["sentence"][:40])
def test_plain_sentences_come_out_right(row):
    said = assess(row["sentence"], None)
    for name in ("sentiment", "category", "urgency"):
        assert row[name] in ("*", getattr(said, name)), (name, said)
    assert said.language == "en"


@pytest.mark.parametrize("row", read_rows("customer_sentences_other.tsv"), ids=lambda row: row["sentence"][:40])
def test_other_languages_come_out_right(row):
    said = assess(row["sentence"], None)
    assert (said.language, said.sentiment) == (row["language"], row["sentiment"])


def test_an_angry_post_is_strong_and_a_question_is_not():
    assert assess("The service is down again and nobody from support has answered us for days. Really angry.", channel="x").strength >= 0.6
    assert assess("How do I reset my password?", channel="x").strength < 0.2
    assert assess("Great update, everything is faster now. Thank you!", channel="x").strength == 0.0


@pytest.mark.parametrize("channel", [None, "x", "trustpilot", "standard_webhooks"])
def test_probabilities_sum_to_one_and_confidence_is_the_label_s(channel):
    for row in read_rows("customer_sentences.tsv"):
        said = assess(row["sentence"], "en", channel)
        assert said.positive + said.negative + said.neutral + said.mixed == pytest.approx(1, abs=0.001)
        assert said.confidence == getattr(said, said.sentiment) == max(said.positive, said.negative, said.neutral, said.mixed)


def test_a_support_channel_reads_more_negative_than_a_review_channel():
    text = "still at the gate in Leeds, no news"
    assert assess(text, channel="x").negative > assess(text, channel="trustpilot").negative


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no text"), ("   \n\x00", "no text"), ("😀🎉", "no words"), ("https://example.com/a @shop", "no words"), ("12 345", "no words"), ("ok", "too short")],
)
def test_texts_that_say_too_little_are_unscored(text, reason):
    said = assess(text, None)
    assert (said.sentiment, said.unscored, said.strength) == (None, reason, 0.0)
    assert "strength" not in said.to_json()


def test_a_language_it_cannot_read_is_unscored_but_still_named():
    said = assess("サービスが最悪です。返事がありません。", None)
    assert (said.sentiment, said.language, said.unscored) == (None, "ja", "unsupported language: ja")
    assert assess("Usługa nie działa", "pl").unscored == "unsupported language: pl"


def test_rules_run_where_the_model_cannot():
    said = assess("サービス phishing fraud on my account", "ja")
    assert (said.sentiment, said.category, said.urgency) == (None, "security", "critical")


def test_the_language_of_the_platform_stands_unless_it_did_not_know():
    assert assess("Danke", "pt-BR").language == "pt"
    assert assess("Vielen Dank für die schnelle Antwort", "und").language == "de"


def test_emotions():
    assert assess("Thank you so much for your help").emotion == "gratitude"
    assert assess("I am furious, you idiots").emotion in ("anger", "frustration")
    assert assess("Mein Paket ist kaputt", "de").emotion is None


def test_the_model_is_small_and_loads_quickly():
    packed = importlib.resources.files("caseline.assessment.embedded").joinpath("model.bin").read_bytes()
    assert len(packed) <= 1_000_000
    from caseline.assessment.embedded.model import read_model

    started = time.process_time()
    read_model(packed)
    assert time.process_time() - started < 0.5


def test_two_words_have_a_sentiment_only_where_they_take_a_side_plainly():
    assert assess("Terrible service").sentiment == "negative"
    for text in ("ok then", "hi there", "maybe later", "Monday morning"):
        assert assess(text).unscored == "too short"


def test_news_and_polite_complaints_are_told_apart():
    assert assess("The bank reports its figures on Thursday", channel="x").sentiment == "neutral"
    assert assess("Thank you for your mail, unfortunately the invoice is still wrong", channel="email").sentiment == "negative"
