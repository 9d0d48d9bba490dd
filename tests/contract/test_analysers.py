"""What every analyser promises. Analysers are found by looking: a module of the package that has `create`."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import time
from importlib import import_module

import caseline.assessment
import pytest
from caseline.assessment import Text, open_analyser
from caseline.errors import ConfigError, UnavailableError

from tests.kit.comprehend import MOST_BYTES, MOST_DOCUMENTS, FakeComprehend

NAMES = sorted(
    name for _, name, _ in pkgutil.iter_modules(caseline.assessment.__path__) if hasattr(import_module(f"caseline.assessment.{name}"), "create")
)
TEXTS = ["The app crashes all the time", "Thank you, great help", "When do you open?", "The app crashes all the time", "Vielen Dank, super Service"]
HOSTILE = {
    "empty": "", "emoji": "😀", "nul": "bad\x00service", "lone surrogate": "bad \ud800 service", "right to left": "\u202eخدمة سيئة جدا\u202c",
    "1 MB": "angry " * 170_000,
    "10k repeats": "refund " * 10_000, "one word": "a" * 5120, "marks": "!?" * 5000, "brackets": "((((" * 1250,
    "spaces": " " * 5000 + "x", "5 kB": ("not good at all " * 400)[:5120],
    "controls": "".join(map(chr, range(32))) + "late", "link": "http://" + "a" * 5000,
    "combining": "e\u0301\u0302" * 2000, "zalgo": "ab" + "\u0336" * 5000,
}


@pytest.fixture(params=NAMES)
def analyser(request):
    return open_analyser(request.param, client=FakeComprehend(), settings={}, sleep=lambda seconds: None)


def test_both_are_found():
    assert NAMES == ["comprehend", "embedded"]
    with pytest.raises(ConfigError, match="embedded or comprehend"):
        open_analyser("oracle")


def test_order_and_number_are_kept(analyser):
    answers = analyser.assess([Text(text) for text in TEXTS])
    assert [a.sentiment for a in answers] == ["negative", "positive", "neutral", "negative", "positive"]
    assert [a.category for a in answers] == ["defect", "praise", "how_to", "defect", "praise"]
    assert [a.language for a in answers] == ["en", "en", "en", "en", "de"]
    assert analyser.assess([]) == []


@pytest.mark.parametrize("text", ["", "👍", "https://example.com", "no", "12"])
def test_unscored_is_never_neutral(analyser, text):
    said = analyser.assess([Text(text)])[0]
    assert said.sentiment is None
    assert said.unscored
    assert said.strength == 0.0


def test_an_unsupported_language_is_unscored_with_rules_beside_it(analyser):
    said = analyser.assess([Text("Moje konto hacked, fraud", "sw")])[0]
    assert (said.sentiment, said.unscored, said.language) == (None, "unsupported language: sw", "sw")
    assert said.category == "security"


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_texts_are_answered_quickly(analyser, case):
    analyser.assess([Text("warm up the caches", "en")])
    spent = []
    for suffix in ("", "1", "2"):  # the quickest counts: a collection of garbage in a large process may fall into any
        started = time.process_time()
        said = analyser.assess([Text(HOSTILE[case] + suffix), Text("This is a terrible app", "en")])
        spent.append(time.process_time() - started)
        assert len(said) == 2
        assert said[1].sentiment == "negative"
        json.dumps(said[0].to_json())
    assert min(spent) < 0.5  # 50 ms on a quiet machine


def test_an_assessment_survives_json(analyser):
    for said in analyser.assess([Text(text) for text in TEXTS]):
        assert type(said).from_json(json.loads(json.dumps(said.to_json()))) == said


def test_the_same_input_gives_the_same_bytes_in_every_process():
    program = (
        "import json, sys; from caseline.assessment import Text, open_analyser;"
        "print(json.dumps([a.to_json() for a in open_analyser('embedded').assess([Text(t) for t in json.load(sys.stdin)])]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], input=json.dumps(TEXTS), env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# Comprehend alone: what is sent, what is paid, what happens when it fails.


@pytest.fixture
def client():
    return FakeComprehend()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def paid(client, pauses):
    return open_analyser("comprehend", client=client, settings={"cache_size": 50}, sleep=pauses.append)


def english(number: int) -> list[Text]:
    return [Text(f"The order number {'x' * (i + 1)} is late", "en") for i in range(number)]


def test_25_texts_of_a_language_are_one_call(client, paid):
    paid.assess(english(25))
    assert [len(documents) for _, documents in client.calls] == [25]


def test_batches_are_of_one_language_and_at_most_25(client, paid):
    paid.assess([text for pair in zip(english(30), [Text(f"Das Paket {'y' * (i + 1)} fehlt", "de") for i in range(30)], strict=True) for text in pair])
    assert sorted((language, len(documents)) for language, documents in client.calls) == [("de", 5), ("de", 25), ("en", 5), ("en", 25)]
    assert all(len(documents) <= MOST_DOCUMENTS for _, documents in client.calls)


def test_identical_texts_are_paid_once_also_later(client, paid):
    first = paid.assess([Text("Same complaint again", "en")] * 3)
    second = paid.assess([Text("Same complaint again", "en")])
    assert len(client.calls) == 1
    assert client.calls[0][1] == ["Same complaint again"]
    assert first == second * 3


def test_the_cache_is_bounded(client, paid):
    paid.assess(english(60))
    paid.assess(english(60)[:1])
    assert len(client.calls) == 4
    assert len(paid.answers._kept) == 50


def test_long_texts_are_cut_at_a_character(client, paid):
    paid.assess([Text("schön " * 2000, "de"), Text("最悪" * 3000, "ja")])
    for _, documents in client.calls:
        assert all(len(document.encode()) <= MOST_BYTES for document in documents)
        assert all(len(document.encode()) > MOST_BYTES - 4 or len(document) == 5000 for document in documents)


def test_an_error_of_one_document_stays_with_that_document(client, paid):
    texts = english(5)
    client.fail_document(texts[1].text)
    client.fail_document(texts[3].text, "INVALID_REQUEST")
    answers = paid.assess(texts)
    assert [a.unscored for a in answers] == [None, "INTERNAL_SERVER_ERROR", None, "INVALID_REQUEST", None]
    assert [a.sentiment is None for a in answers] == [False, True, False, True, False]
    assert paid.assess([texts[1]])[0].unscored  # an error is not remembered as an answer...
    assert len(client.calls) == 2  # ...but asked again


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException", "ServiceUnavailableException", "TooManyRequestsException"])
def test_a_busy_service_is_tried_again_with_pauses(client, paid, pauses, code):
    client.fail(code, 2)
    assert paid.assess(english(1))[0].sentiment
    assert client.attempts == 3
    assert pauses == [0.2, 0.6]


def test_a_service_that_stays_busy_makes_the_message_wait(client, paid, pauses):
    client.fail("ThrottlingException", 9)
    with pytest.raises(UnavailableError):
        paid.assess(english(3))
    assert client.attempts == 3


def test_a_refusal_of_the_account_is_not_tried_again(client, paid, pauses):
    client.fail("AccessDeniedException")
    with pytest.raises(UnavailableError, match="AccessDenied"):
        paid.assess(english(3))
    assert (client.attempts, pauses) == (1, [])


def test_a_request_refused_for_one_text_is_halved_until_it_stands_alone(client, paid):
    client.fail("TextSizeLimitExceededException")
    assert all(a.sentiment for a in paid.assess(english(4)))
    assert [len(documents) for _, documents in client.calls] == [2, 2]


def test_mixed_is_negative_where_the_negative_side_weighs_as_much(paid, client, monkeypatch):
    scores = {"Positive": 0.2, "Negative": 0.3, "Neutral": 0.1, "Mixed": 0.4}
    monkeypatch.setattr(client, "_read", lambda text, language: {"Sentiment": "MIXED", "SentimentScore": scores})
    said = paid.assess(english(1))[0]
    assert (said.sentiment, said.mixed, said.confidence) == ("negative", 0.4, 0.4)
    scores["Positive"], scores["Negative"] = 0.3, 0.2
    assert paid.assess(english(2))[1].sentiment == "neutral"


def test_nothing_to_score_is_no_call(client, paid):
    paid.assess([Text(""), Text("👍"), Text("Habari ya leo", "sw")])
    assert client.attempts == 0
