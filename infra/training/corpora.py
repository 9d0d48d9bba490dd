"""Reads the licence-clean sets (see ATTRIBUTION.md) as examples, and the lexicons. All is sorted: the order of a file never shows in the weights."""

from __future__ import annotations

import csv
import hashlib
import itertools
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "layers" / "core"
sys.path.insert(0, str(PACKAGE))

from caseline.assessment.embedded.features import tokenise  # noqa: E402
from caseline.assessment.emotions import NINE  # noqa: E402

NEGATIVE, NEUTRAL, POSITIVE = "negative", "neutral", "positive"
SENTIMENTS = (NEGATIVE, NEUTRAL, POSITIVE)
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")  # pl is learnt only to be told apart
TEMPLATE_WEIGHT = 20.0  # a template of one sentence counts as much as one of twenty
_NINE = {fine: coarse for coarse, fines in NINE.items() for fine in fines}
_GOOD, _BAD, _FLAT = {"gratitude", "joy"}, {"anger", "frustration", "disappointment", "worry"}, {"neutral", "confusion"}
_XED_GOOD, _XED_BAD = {"joy", "trust"}, {"anger", "disgust", "sadness", "fear"}
_TROUBLE_INTENTS = (
    "card_not_working contactless_not_working virtual_card_not_working declined_card_payment declined_cash_withdrawal declined_transfer failed_transfer "
    "top_up_failed card_swallowed transaction_charged_twice extra_charge_on_statement card_payment_not_recognised cash_withdrawal_not_recognised "
    "direct_debit_payment_not_recognised compromised_card wrong_amount_of_cash_received Refund_not_showing_up"
)
_TROUBLE = frozenset(_TROUBLE_INTENTS.split())
_PLAIN_INTENTS = (
    "age_limit apple_pay_or_google_pay atm_support card_acceptance card_delivery_estimate card_linking change_pin country_support disposable_card_limits "
    "edit_personal_details exchange_rate exchange_via_app fiat_currency_support get_physical_card getting_spare_card getting_virtual_card "
    "order_physical_card receiving_money supported_cards_and_currencies top_up_by_cash_or_cheque top_up_limits topping_up_by_card verify_my_identity "
    "visa_or_mastercard activate_my_card transfer_timing"
)
_PLAIN = frozenset(_PLAIN_INTENTS.split())


@dataclass(frozen=True, order=True)
class Example:
    """`labels` is one sentiment, some emotions or one language."""

    text: str
    labels: tuple[str, ...]
    weight: float = 1.0
    language: str = "en"


def read_rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def part_of(text: str, salt: str = "") -> int:
    """One of ten, by the text alone, so that what was written twice stays together."""
    return int(hashlib.sha256((salt + text).encode()).hexdigest()[:8], 16) % 10


def is_held_back(text: str) -> bool:
    """A tenth of the general tweets is never trained on, so that it can be measured on."""
    return part_of(text) == 0


def english_sentiment(folder: Path) -> list[Example]:
    readers = (_tweets, _valence, _emotions_as_sentiment, complaints, _bank, _dialogues)
    return sorted({example for read in readers for example in read(folder)} | {e for e in customer_voice() if e.language == "en"})


def other_sentiment(folder: Path) -> list[Example]:
    return sorted({e for e in _subtitles(folder) if e.language not in ("en", "pl")} | {e for e in customer_voice() if e.language != "en"})


def emotions(folder: Path) -> list[Example]:
    rows = read_rows(folder, "goemotions.csv")
    return sorted(Example(r["text"], tuple(sorted({_NINE[e] for e in r["emotions"].split("|")}))) for r in rows)


def languages(folder: Path) -> list[Example]:
    lines = {Example(r["text"], (r["lang"],)) for r in read_rows(folder, "xed_emotions_8lang.csv") if not is_held_back(r["text"])}
    tweets = {Example(r["text"], ("en",), 0.5) for r in read_rows(folder, "tweets_general_sentiment.csv")[:8000]}
    own = {Example(e.text, (e.language,), 0.4 if e.language == "en" else 1.0) for e in customer_voice()}  # short, and mostly English
    return sorted(lines | tweets | own)


def _tweets(folder: Path) -> Iterator[Example]:
    for row in read_rows(folder, "tweets_general_sentiment.csv"):
        if not is_held_back(row["text"]):
            yield Example(row["text"], (row["sentiment"],))


def _valence(folder: Path) -> Iterator[Example]:
    for row in read_rows(folder, "valence_reviews_tweets.csv"):
        valence = float(row["mean_valence"])
        yield Example(row["text"], (NEGATIVE if valence <= -0.5 else POSITIVE if valence >= 0.5 else NEUTRAL,), 1.0)


def _emotions_as_sentiment(folder: Path) -> Iterator[Example]:
    for example in emotions(folder):
        found = set(example.labels)
        for label, wanted in ((NEGATIVE, _BAD), (POSITIVE, _GOOD), (NEUTRAL, _FLAT)):
            if found <= wanted:
                yield Example(example.text, (label,), 0.5)


def complaints(folder: Path) -> Iterator[Example]:
    """Sentences of the complaints to a regulator."""
    for row in read_rows(folder, "cfpb_complaints.csv"):
        for sentence in re.split(r"(?<=[.!?])\s+", row["narrative"])[:12]:
            if 20 < len(sentence) < 300:
                yield Example(sentence, (NEGATIVE,), 0.3)


def _bank(folder: Path) -> Iterator[Example]:
    for row in read_rows(folder, "banking77.csv"):
        if row["category"] in _TROUBLE | _PLAIN:
            yield Example(row["text"], (NEGATIVE if row["category"] in _TROUBLE else NEUTRAL,), 0.4)


def _dialogues(folder: Path) -> Iterator[Example]:
    trouble = {"reportbrokensoftware", "reportbrokenphone", "reportlostcard", "disputecharge"}
    for row in read_rows(folder, "multidogo_turns.csv"):
        thanks = row["intent"] == "thankyou"
        if row["intent"] not in trouble:
            yield Example(row["text"], (POSITIVE if thanks else NEUTRAL,), 0.3)


def _subtitles(folder: Path) -> Iterator[Example]:
    for row in read_rows(folder, "xed_emotions_8lang.csv"):
        found = set(row["emotions"].split("|"))
        good, bad = found & _XED_GOOD, found & _XED_BAD
        if not (good and bad) and not is_held_back(row["text"]):
            yield Example(row["text"], (POSITIVE if good else NEGATIVE if bad else NEUTRAL,), 1.0, row["lang"])


def customer_voice(most: int = 60) -> list[Example]:
    """Our own templates, each expanded to at most `most` sentences."""
    examples = []
    for line in (HERE / "customer_voice.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            label, language, template = line.split("\t")
            sentences = expand(template)
            chosen = random.Random(template).sample(sentences, min(most, len(sentences)))  # noqa: S311
            weight = max(1.0, TEMPLATE_WEIGHT / len(chosen))
            examples += [Example(" ".join(s.split()), (label,), weight, language) for s in chosen]
    return sorted(set(examples))


def expand(template: str) -> list[str]:
    """Every combination of the choices; choices may nest."""
    inner = re.search(r"\{([^{}]*)\}", template)
    if not inner:
        return [template]
    rests = (template[: inner.start()] + choice + template[inner.end() :] for choice in inner[1].split("|"))
    return list(dict.fromkeys(itertools.chain.from_iterable(expand(rest) for rest in rests)))


def read_own_lexicon() -> dict[str, float]:
    """Our own words of the other languages, all in one."""
    lexicon = {}
    for line in (HERE / "lexicon" / "own.txt").read_text(encoding="utf-8").splitlines():
        valence, _, words = line.partition("\t")
        lexicon.update({form: float(valence) for word in words.split() for form in expand(word) if tokenise(form) == (form,)})
    return lexicon


def read_lexicon() -> dict[str, float]:
    """Single words of the VADER lexicon that our tokens can meet."""
    lines = (HERE / "lexicon" / "vader.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines)
    return {word: round(float(valence), 1) for word, valence in pairs if tokenise(word) == (word,)}
