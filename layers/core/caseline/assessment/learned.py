"""A tenant's own model, learnt from its labels: it corrects what the shipped model says of sentiment, and the taxonomy of category."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import log2
from typing import TYPE_CHECKING

from caseline.assessment import NEGATIVE, NEUTRAL, POSITIVE, Assessment
from caseline.assessment.embedded.features import pair_slots, tokenise
from caseline.assessment.embedded.lexicon import NAMES as FACTS
from caseline.assessment.embedded.model import Head, load_model, read_heads, softmax
from caseline.assessment.grave import concept_slots
from caseline.errors import UnfitModelError

if TYPE_CHECKING:
    from caseline.assessment.embedded import Reading

SENTIMENT, CATEGORY = "sentiment", "category"
SENTIMENTS = (NEGATIVE, NEUTRAL, POSITIVE)
LOUD = 2.0  # what a phrase of the taxonomy that is found counts for, beside a word: few labels name a rare category, its phrases do


@dataclass(frozen=True, eq=False)
class Learned:
    """`names` are the categories that the phrases knew when it was learnt: the facts of the head `category` go by them, in this order."""

    version: str
    heads: Mapping[str, Head]
    names: Sequence[str]
    packed: bytes
    bars: Mapping[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return sha256(self.packed).hexdigest()

    @property
    def knows_categories(self) -> bool:
        return CATEGORY in self.heads

    def sentiment_logits(self, reading: Reading) -> list[float] | None:
        head = self.heads.get(SENTIMENT)
        return head.logits(reading.tokens, sentiment_facts(reading), pairs=reading.pairs) if head else None

    def find_category(self, text: str, by_phrases: str, counts: Mapping[str, int], scored: Assessment) -> tuple[str, float] | None:
        """The likeliest category with its probability; None where categories were not learnt."""
        head = self.heads.get(CATEGORY)
        if head is None:
            return None
        tokens = tokenise(text)
        facts, beside = category_facts(by_phrases, counts, scored, self.names), [concept_slots(text)] if head.beside else ()
        shares = softmax(head.logits(tokens, facts, pairs=pair_slots(tokens), beside=beside))
        best = max(range(len(shares)), key=shares.__getitem__)
        return head.labels[best], shares[best]


def sentiment_facts(reading: Reading) -> list[float]:
    """What the shipped model says, then what the lexicon does."""
    return [*reading.logits, *reading.facts]


def category_facts(by_phrases: str, counts: Mapping[str, int], scored: Assessment, names: Sequence[str]) -> list[float]:
    """Which category the phrases name first, how the text sounds, and how often the phrases of each are found."""
    first, sound = [float(name == by_phrases) for name in names], (scored.negative, scored.neutral, scored.positive)
    return [*first, *sound, *(LOUD * log2(1 + counts.get(name, 0)) for name in names)]


def read_learned(packed: bytes) -> Learned:
    """Of the bytes that `learning.pack` made over the shipped model that is here. Raises UnfitModelError for any others."""
    try:
        header, heads = read_heads(packed)
        base, names = header["base"], [str(name) for name in header["names"]]
        bars = {str(name): float(bar) for name, bar in header.get("bars", {}).items()}
        whole = all(_is_whole(name, head, names) for name, head in heads.items())
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise UnfitModelError(f"it cannot be read as a model ({type(error).__name__})") from error
    if base != load_model().digest:
        raise UnfitModelError("it was learnt over another shipped model: train again")
    if not whole:
        raise UnfitModelError("its heads are not those of a tenant's model")
    return Learned(sha256(packed).hexdigest()[:8], heads, names, packed, bars)


def _is_whole(task: str, head: Head, names: Sequence[str]) -> bool:
    """Whether a head has a number for each of its labels and of the facts that it is asked with; older ones know nothing of how often phrases are found."""
    older = len(names) + len(SENTIMENTS)
    wide, facts = len(head.labels), {SENTIMENT: (len(SENTIMENTS) + len(FACTS),), CATEGORY: (older, older + len(names))}.get(task, ())
    fits = len(head.facts) in facts and wide == len(head.scale) == len(head.bias) and all(len(row) == wide for row in head.facts)
    return fits and (task != SENTIMENT or tuple(head.labels) == SENTIMENTS)
