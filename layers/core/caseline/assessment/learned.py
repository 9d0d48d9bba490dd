"""A tenant's own model, learnt from its labels: it corrects what the shipped model says of sentiment, and the taxonomy of category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from caseline.assessment import NEGATIVE, NEUTRAL, POSITIVE, Assessment
from caseline.assessment.embedded.features import pair_slots, tokenise
from caseline.assessment.embedded.model import Head, read_heads, softmax

if TYPE_CHECKING:
    from caseline.assessment.embedded import Reading

SENTIMENT, CATEGORY = "sentiment", "category"
SENTIMENTS = (NEGATIVE, NEUTRAL, POSITIVE)


@dataclass(frozen=True, eq=False)
class Learned:
    """`names` are the categories that the phrases knew when it was learnt: the first facts of the head `category`, in this order."""

    version: str
    heads: Mapping[str, Head]
    names: Sequence[str]
    packed: bytes

    def sentiment_logits(self, reading: Reading) -> list[float] | None:
        head = self.heads.get(SENTIMENT)
        return head.logits(reading.tokens, sentiment_facts(reading), pairs=reading.pairs) if head else None

    def find_category(self, text: str, by_phrases: str, scored: Assessment) -> tuple[str, float] | None:
        """The likeliest category with its probability; None where categories were not learnt."""
        head = self.heads.get(CATEGORY)
        if head is None:
            return None
        tokens = tokenise(text)
        shares = softmax(head.logits(tokens, category_facts(by_phrases, scored, self.names), pairs=pair_slots(tokens)))
        best = max(range(len(shares)), key=shares.__getitem__)
        return head.labels[best], shares[best]


def sentiment_facts(reading: Reading) -> list[float]:
    """What the shipped model says, then what the lexicon does."""
    return [*reading.logits, *reading.facts]


def category_facts(by_phrases: str, scored: Assessment, names: Sequence[str]) -> list[float]:
    """Which category the phrases name, and how the text sounds."""
    return [*(float(name == by_phrases) for name in names), scored.negative, scored.neutral, scored.positive]


def read_learned(packed: bytes) -> Learned:
    """Of the bytes that `learning.pack` made."""
    header, heads = read_heads(packed)
    return Learned(sha256(packed).hexdigest()[:8], heads, header["names"], packed)
