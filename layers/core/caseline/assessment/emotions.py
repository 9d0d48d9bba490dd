"""What an English text feels like, finely: the 28 emotions of GoEmotions, from which Ekman's seven and our nine follow by a table.

Its weights are a file of their own, read when a person first asks; what assesses signals never does. How good it is: MODEL_CARD.md in `embedded`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files

from caseline.assessment.embedded.features import pair_slots, tokenise
from caseline.assessment.embedded.lexicon import read_facts
from caseline.assessment.embedded.model import Head, load_model, read_heads, softmax
from caseline.assessment.text import clean_text

Table = Mapping[str, tuple[str, ...]]
Shares = Mapping[str, float]


def _read_table(text: str) -> Table:
    lines = (line.partition(":") for line in text.strip().splitlines())
    return {name.strip(): tuple(fine.split()) for name, _, fine in lines}


NINE = _read_table("""
    anger: anger disgust
    frustration: annoyance disapproval
    disappointment: disappointment sadness grief remorse embarrassment
    worry: fear nervousness
    confusion: confusion curiosity
    gratitude: gratitude relief
    joy: joy amusement excitement love optimism pride admiration approval caring desire
    surprise: surprise realization
    neutral: neutral
""")
EKMAN = _read_table("""
    anger: anger annoyance disapproval
    disgust: disgust
    fear: fear nervousness
    joy: joy amusement approval excitement gratitude love optimism relief pride admiration desire caring
    sadness: sadness disappointment embarrassment grief remorse
    surprise: surprise realization confusion curiosity
    neutral: neutral
""")
FINE: Table = {fine: (fine,) for fine in sorted(fine for fines in NINE.values() for fine in fines)}
SETS: Mapping[str, Table] = {"fine": FINE, "ekman": EKMAN, "nine": NINE}


@dataclass(frozen=True)
class Emotions:
    """Of each set those that reach their bar, likeliest first, with their share of all that is felt (the shares of a set add up to one)."""

    fine: Shares
    ekman: Shares
    nine: Shares

    def __str__(self) -> str:
        said = ", ".join(f"{name} {share:.2f}" for name, share in self.fine.items()) or "nothing plainly"
        return f"{said} (of Ekman's seven: {', '.join(self.ekman) or 'none'})"

    def to_json(self) -> dict[str, dict[str, float]]:
        return asdict(self)


@dataclass(frozen=True)
class Weights:
    """`bars`: by set and label, the share from which a label is said."""

    head: Head
    bars: Mapping[str, Shares]


@lru_cache(maxsize=1)
def load_weights() -> Weights:
    facts, heads = read_heads(files("caseline.assessment.embedded").joinpath("emotions.bin").read_bytes())
    return Weights(heads["fine"], facts["bars"])


def find_emotions(text: str, language: str | None) -> Emotions | None:
    """None for another language than English, and for what holds no word and no sign."""
    cleaned = clean_text(text)
    tokens = tokenise(cleaned)
    if language != "en" or not tokens:
        return None
    weights = load_weights()
    logits = weights.head.logits(tokens, read_facts(tokens, cleaned, load_model().lexicons["en"]), pairs=pair_slots(tokens))
    shares = dict(zip(weights.head.labels, softmax(logits), strict=True))
    return Emotions(**{name: _above(weights.bars[name], add_shares(table, shares)) for name, table in SETS.items()})


def add_shares(table: Table, shares: Shares) -> Shares:
    """The share of a label is the sum of its emotions'."""
    return {label: sum(shares[fine] for fine in fines) for label, fines in table.items()}


def _above(bars: Shares, shares: Shares) -> Shares:
    said = sorted((-share, label) for label, share in shares.items() if share >= bars[label])
    return {label: round(-negated, 4) for negated, label in said}
