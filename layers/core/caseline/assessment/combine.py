"""What a signal's text, its rating and the platform's own score say together. Paid analysis is asked last, and once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from caseline.assessment import MIXED, NEGATIVE, NEUTRAL, POSITIVE, Analyser, Assessment, Text, unscored
from caseline.assessment.rules import Rules, default_rules
from caseline.signals import DELETED, OUTBOUND, OWN_CHANNEL, Rating, Signal

RATING_CONFIDENCE = 0.5  # of a rating without words, and at most that where words and rating disagree
NEUTRAL_BELOW = 0.25  # a score this near to zero takes no side
SILENT_KINDS = frozenset({"reaction", "repost", "pointer"})
RATED, PLATFORM = "rating", "platform"
_NPS = {0: -1.0, 1: -1.0, 2: -1.0, 3: -0.8, 4: -0.6, 5: -0.5, 6: -0.4, 7: 0.0, 8: 0.2, 9: 0.7, 10: 1.0}  # 0-6 detracts, 9-10 promotes
_OPPOSITE = {NEGATIVE: POSITIVE, POSITIVE: NEGATIVE}


def assess_signals(analyser: Analyser, signals: Sequence[Signal], rules: Rules | None = None) -> list[Assessment]:
    """One assessment a signal, in order. One call of the analyser for all texts that need it, none when none does."""
    rules = rules or default_rules()
    found = {index: known for index, signal in enumerate(signals) if (known := assess_without_analyser(signal, rules))}
    asked = [index for index in range(len(signals)) if index not in found]
    texts = [Text(signals[index].text or "", signals[index].language, signals[index].channel) for index in asked]
    answers = analyser.assess(texts) if texts else []
    for index, answer in zip(asked, answers, strict=True):
        found[index] = weigh_rating(signals[index], answer, rules)
    return [found[index] for index in range(len(signals))]


def assess_without_analyser(signal: Signal, rules: Rules) -> Assessment | None:
    """What needs no analysis: what no customer says, what the platform scored, a rating without words. None for a text to analyse."""
    if reason := why_silent(signal):
        return unscored(reason)
    if signal.channel == OWN_CHANNEL:
        return unscored("found by Caseline", category=str(signal.attributes.get("category") or "unknown"))
    text = (signal.text or "").strip()
    if text and signal.provider_sentiment is not None:
        return weigh_rating(signal, rules.complete(text, signal.language, read_score(signal.provider_sentiment, PLATFORM)), rules)
    if text:
        return None
    return assess_wordless(signal, rules)


def why_silent(signal: Signal) -> str | None:
    """Signals that are not a customer's own words."""
    if signal.action == DELETED:
        return "deleted"
    if signal.direction == OUTBOUND:
        return OUTBOUND
    return signal.kind if signal.kind in SILENT_KINDS else None


def assess_wordless(signal: Signal, rules: Rules) -> Assessment:
    if signal.rating:
        return rules.complete("", signal.language, read_rating(signal.rating))
    if signal.provider_sentiment is not None:
        return rules.complete("", signal.language, read_score(signal.provider_sentiment, PLATFORM))
    return unscored("no text")


def rate(rating: Rating) -> float:
    """-1 (worst) to 1 (best): the promoter's bands for NPS, the place on the scale otherwise."""
    if rating.metric == "nps" and (rating.low, rating.high) == (0, 10):
        return _NPS.get(round(rating.value), 0.0)
    return max(-1.0, min(1.0, 2 * rating.fraction - 1))


def read_rating(rating: Rating) -> Assessment:
    """Sentiment of stars, NPS, CSAT or CES alone, at half confidence."""
    return replace(read_score(rate(rating) * RATING_CONFIDENCE, RATED, NEUTRAL_BELOW * RATING_CONFIDENCE), confidence=RATING_CONFIDENCE)


def read_score(score: float, model: str, neutral_below: float = NEUTRAL_BELOW) -> Assessment:
    """A score of -1..1 as probabilities: its size is the mass of its side, the rest is neutral."""
    size = min(1.0, abs(score))
    label = NEUTRAL if size < neutral_below else NEGATIVE if score < 0 else POSITIVE
    bad, good = (size, 0.0) if score < 0 else (0.0, size)
    confidence = size if label != NEUTRAL else 1 - size
    return Assessment(
        sentiment=label, negative=round(bad, 4), positive=round(good, 4), neutral=round(1 - size, 4), confidence=round(confidence, 4), model=model
    )


def weigh_rating(signal: Signal, said: Assessment, rules: Rules) -> Assessment:
    """The words with the rating beside them: a rating stands in for words without a score, and wins where they contradict it."""
    if not signal.rating:
        return said
    rated = read_rating(signal.rating)
    if said.sentiment is None:
        return _judge(signal, replace(rated, emotion=said.emotion, language=said.language), rules)
    if said.sentiment == _OPPOSITE.get(rated.sentiment or ""):
        return _judge(signal, replace(rated, language=said.language, conflict=True), rules)
    if rated.sentiment == NEUTRAL or said.sentiment == rated.sentiment:
        return said
    return _judge(signal, replace(_average(said, rated), emotion=said.emotion, language=said.language), rules)


def _judge(signal: Signal, scored: Assessment, rules: Rules) -> Assessment:
    """Category and urgency again, as they follow from the sentiment."""
    return rules.complete(signal.text or "", signal.language, scored)


def _average(said: Assessment, rated: Assessment) -> Assessment:
    """Neutral or mixed words beside a rating that takes a side: the rating's side, by the mean of both."""
    values: dict[str, Any] = {name: round((getattr(said, name) + getattr(rated, name)) / 2, 4) for name in (NEGATIVE, NEUTRAL, POSITIVE, MIXED)}
    return Assessment(sentiment=rated.sentiment, confidence=RATING_CONFIDENCE, model=said.model, **values)
