"""Measures the shipped analyser on labelled files: `measure.py DATA_FOLDER`. The figures of MODEL_CARD.md come from here."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from corpora import SENTIMENTS, is_held_back, read_rows  # first: it finds the product

# isort: split
from caseline.assessment import Assessment, Text, open_analyser
from caseline.assessment.embedded import EmbeddedAnalyser, create
from caseline.assessment.language import identify_language

Labelled = list[tuple[str, str]]


def score(truth: Sequence[str], said: Sequence[str], label: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of one label."""
    hits = sum(a == b == label for a, b in zip(truth, said, strict=True))
    precision, recall = hits / max(1, said.count(label)), hits / max(1, truth.count(label))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def macro(truth: Sequence[str], said: Sequence[str]) -> float:
    labels = sorted(set(truth))
    return sum(score(truth, said, label)[2] for label in labels) / len(labels)


def read_as(assessment: Assessment) -> str:
    """A mixed text counts for its heavier side; an unscored one as neutral, so that nothing is left out."""
    if assessment.sentiment == "mixed":
        return "negative" if assessment.negative >= assessment.positive else "neutral"
    return assessment.sentiment or "neutral"


def calibration_error(truth: Sequence[str], chances: Sequence[float], bins: int = 10) -> float:
    """Expected calibration error of P(negative)."""
    total = 0.0
    for low in range(bins):
        inside = [i for i, chance in enumerate(chances) if min(int(chance * bins), bins - 1) == low]
        if inside:
            total += abs(sum(chances[i] for i in inside) - sum(truth[i] == "negative" for i in inside))
    return total / len(truth)


def measure(analyser: EmbeddedAnalyser, name: str, rows: Labelled, language: str | None, channel: str | None) -> None:
    answers = analyser.assess([Text(text, language, channel) for text, _ in rows])
    truth, said = [label for _, label in rows], [read_as(answer) for answer in answers]
    precision, recall, f1 = score(truth, said, "negative")
    error = calibration_error(truth, [answer.negative for answer in answers])
    print(f"{name:28} n {len(rows):6} macro-F1 {macro(truth, said):.3f}  negative P {precision:.3f} R {recall:.3f} F1 {f1:.3f}  ECE {error:.3f}")


def stars(row: dict[str, str]) -> str:
    value = int(row["star_rating"])
    return "negative" if value < 3 else "neutral" if value == 3 else "positive"


def measure_sentiment(analyser: EmbeddedAnalyser, folder: Path) -> None:
    airline = [(r["text"], r["sentiment"]) for r in read_rows(folder, "airline_tweets.csv")]
    reviews = [(r["review_text"], stars(r)) for r in read_rows(folder, "app_reviews.csv")]
    tweets = [(r["text"], r["sentiment"]) for r in read_rows(folder, "tweets_general_sentiment.csv") if is_held_back(r["text"])]
    measure(analyser, "airline, support prior", airline, "en", "x")
    measure(analyser, "app reviews, review prior", reviews, "en", "google_play")
    measure(analyser, "general tweets, held back", tweets, "en", "x")
    measure(analyser, "general tweets, review prior", tweets, "en", "google_play")
    for language, rows in itertools.groupby(sorted(read_rows(folder, "tweets_8lang_sentiment.csv"), key=by_language), key=by_language):
        if language in ("de", "en", "es", "fr", "it", "pt"):
            measure(analyser, f"tweets, {language}", [(r["text"], r["sentiment"]) for r in rows], language, "x")


def by_language(row: dict[str, str]) -> str:
    return row["lang"]


def measure_languages(folder: Path) -> None:
    lines = [(r["text"], r["lang"]) for r in read_rows(folder, "xed_emotions_8lang.csv") if is_held_back(r["text"])]
    tweets = [(r["text"], r["lang"]) for r in read_rows(folder, "tweets_8lang_sentiment.csv") if r["lang"] in ("de", "en", "es", "fr", "it", "pt")]
    for name, rows in (("subtitles, held back", lines), ("tweets", tweets)):
        print(f"language of {name:20} n {len(rows):6} accuracy {share(identify_language(text) == language for text, language in rows):.3f}")


def share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found)


def measure_urgency(analyser: EmbeddedAnalyser, folder: Path) -> None:
    rows = read_rows(folder, "urgency_labels.csv")
    high = {"critical": "high"}
    truth = [high.get(r["urgency"], r["urgency"]) for r in rows]
    said = [high.get(a.urgency or "", a.urgency or "") for a in analyser.assess([Text(r["text"], "en", "x") for r in rows])]
    print(f"urgency, 3 levels            n {len(rows):6} macro-F1 {macro(truth, said):.3f}  high P/R/F1 {score(truth, said, 'high')}")


def measure_speed(folder: Path) -> None:
    texts = [Text(r["text"], None, "x") for r in read_rows(folder, "airline_tweets.csv")]
    started = time.process_time()
    analyser = create()
    analyser.assess(texts[:1])
    cold = time.process_time()
    analyser.assess(texts)
    rate = len(texts) / (time.process_time() - cold)
    print(f"speed: cold load and first text {cold - started:.2f} s, then {rate:,.0f} texts/s of one core, language unknown")


if __name__ == "__main__":
    data = Path(sys.argv[1])
    measure_speed(data)
    opened = open_analyser("embedded")
    assert isinstance(opened, EmbeddedAnalyser)
    assert SENTIMENTS
    measure_sentiment(opened, data)
    measure_languages(data)
    measure_urgency(opened, data)
