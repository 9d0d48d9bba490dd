"""The embedded analyser: a small hashed linear model in pure Python. No network, no numpy, the same bytes everywhere.

How it was trained and how good it is: MODEL_CARD.md beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caseline.assessment import MIXED, NEGATIVE, NEUTRAL, POSITIVE, Assessment, Text, unscored
from caseline.assessment.embedded.features import pair_slots, tokenise
from caseline.assessment.embedded.lexicon import read_facts
from caseline.assessment.embedded.model import Model, load_model, sigmoid, softmax
from caseline.assessment.text import clean_text, own_words, why_unscored

if TYPE_CHECKING:
    from caseline.assessment.learned import Learned
    from caseline.assessment.rules import Rules

OTHER_LANGUAGES = frozenset({"de", "es", "fr", "it", "nl", "pt"})
TEMPERATURE = 1.3  # logits are divided by it: the least calibration error over three development sets (1.0 to 2.5 tried)
SUPPORT_SHIFT = 1.25  # added to the negative logit: people write to a support channel about trouble
REVIEW_SHIFT = 0.7  # reviewers praise more often than those who write to support
REVIEW_CHANNELS = frozenset({"trustpilot", "google_play", "app_store", "google_business", "yelp", "tripadvisor"})
OTHER_SHIFT = (0.0, 0.6, 0.0)  # subtitles know few neutral lines; chosen on development sets, by the language that is told worst
MIXED_FROM = 0.35  # both sides at least this likely


@dataclass(frozen=True)
class Reading:
    """A text as the model reads it. `logits` are tempered, with the prior of the channel: of negative, neutral and positive."""

    text: str
    language: str | None
    channel: str | None
    tokens: tuple[str, ...]
    facts: Sequence[float]
    pairs: Sequence[int]
    logits: Sequence[float]


@dataclass(frozen=True)
class EmbeddedAnalyser:
    """`learned` is the tenant's own model, where there is one: it has the last word on sentiment."""

    model: Model
    rules: Rules
    learned: Learned | None = None

    @property
    def name(self) -> str:
        return f"embedded-{self.model.version}" + (f"+{self.learned.version}" if self.learned else "")

    def assess(self, texts: Sequence[Text]) -> list[Assessment]:
        return [self._assess_one(text) for text in texts]

    def _assess_one(self, text: Text) -> Assessment:
        """What is repeated of others names what it is about, but not how this customer feels; a tenant's model has learnt what to make of it."""
        cleaned = clean_text(text.text)
        language, own = self.rules.find_language(cleaned, text.language), cleaned if self.learned else own_words(cleaned)
        reason = why_unscored(own) or self._why_unsupported(language)
        scored = unscored(reason, language=language, model=self.name) if reason else self.score(self._read(own, language, text.channel))
        return self.rules.complete(cleaned, language, self.rules.doubt(own, scored))

    @staticmethod
    def _why_unsupported(language: str | None) -> str | None:
        return None if language == "en" or language in OTHER_LANGUAGES else f"unsupported language: {language}"

    def read(self, text: Text) -> Reading | None:
        """None for a text that would stay unscored."""
        cleaned = clean_text(text.text)
        language = self.rules.find_language(cleaned, text.language)
        return None if why_unscored(cleaned) or self._why_unsupported(language) else self._read(cleaned, language, text.channel)

    def _read(self, cleaned: str, language: str | None, channel: str | None) -> Reading:
        tokens, english = tokenise(cleaned), language == "en"
        facts, pairs = read_facts(tokens, cleaned, self.model.lexicons["en" if english else "other"]), pair_slots(tokens)
        logits = self.model.heads["sentiment" if english else "sentiment_other"].logits(tokens, facts, pairs=pairs)
        return Reading(cleaned, language, channel, tokens, facts, pairs, shift_prior(logits, channel, english))

    def score(self, reading: Reading) -> Assessment:
        """Sentiment and, of English, emotion."""
        own = self.learned.sentiment_logits(reading) if self.learned else None
        emotion = find_emotion(self.model, reading.tokens, reading.facts, reading.pairs) if reading.language == "en" else None
        bars = {f"{name}_from": bar for name, bar in self.learned.bars.items()} if self.learned and own else {}
        return describe(softmax(own or reading.logits), language=reading.language, emotion=emotion, model=self.name, **bars)


def shift_prior(logits: Sequence[float], channel: str | None, english: bool = True) -> list[float]:
    """Tempered logits of negative, neutral and positive, with the prior of the channel and of the language."""
    shift = REVIEW_SHIFT if channel in REVIEW_CHANNELS else SUPPORT_SHIFT
    shifts = (shift, 0.0, 0.0) if english else OTHER_SHIFT
    return [(logit + by) / TEMPERATURE for logit, by in zip(logits, shifts, strict=True)]


def describe(shares: Sequence[float], **facts: Any) -> Assessment:
    """The assessment of three probabilities: mixed takes what both sides share where both are likely."""
    negative, neutral, positive = shares
    both = min(negative, positive)
    mixed = both if both >= MIXED_FROM else 0.0
    values = {NEGATIVE: negative - mixed / 2, NEUTRAL: neutral, POSITIVE: positive - mixed / 2, MIXED: mixed}
    label = max(values, key=lambda name: values[name])
    rounded: dict[str, Any] = {name: round(value, 4) for name, value in values.items()}
    return Assessment(sentiment=label, confidence=rounded[label], **rounded, **facts)


def find_emotion(model: Model, tokens: tuple[str, ...], facts: Sequence[float], pairs: Sequence[int]) -> str:
    """The emotion that is furthest above its threshold; neutral when none reaches it."""
    head = model.heads["emotion"]
    chances = [sigmoid(logit) for logit in head.logits(tokens, facts, pairs=pairs)]
    margin, label = max((chance - bar, label) for chance, bar, label in zip(chances, head.thresholds, head.labels, strict=True))
    return label if margin >= 0 else NEUTRAL


def create(
    *, settings: Mapping[str, Any] | None = None, rules: Rules | None = None, learned: Learned | None = None, **_unused: Any
) -> EmbeddedAnalyser:
    """Takes what every analyser is offered and needs none of it. Raises nothing."""
    from caseline.assessment.rules import default_rules  # the rules identify languages with this package's model

    return EmbeddedAnalyser(load_model(), rules or default_rules(), learned)
