"""A few dense facts of a text from a valence lexicon: how much good and bad it says, how loudly, and whether it asks."""

from __future__ import annotations

from collections.abc import Mapping
from math import log1p, sqrt

from caseline.assessment.embedded.features import mark_negated

NAMES = ("good", "bad", "compound", "best", "worst", "late_compound", "first_compound", "shouting", "exclaims", "asks", "length")
_NEGATED = -0.74
_EVEN = 15.0  # the sum of valences at which the compound is about .7


def read_facts(tokens: tuple[str, ...], raw: str, lexicon: Mapping[str, float]) -> tuple[float, ...]:
    """One float for each of NAMES, all of about unit size. `raw` is the text before lower-casing."""
    valences = [_valence(token, negated, lexicon) for token, negated in zip(tokens, mark_negated(tokens), strict=True)]
    good, bad = sum(v for v in valences if v > 0), -sum(v for v in valences if v < 0)
    half = len(valences) // 2
    return (
        log1p(good), log1p(bad), _compound(good - bad), max(valences, default=0.0) / 3, min(valences, default=0.0) / 3,
        _compound(sum(valences[half:])), _compound(sum(valences[:half])),
        _shouting(raw), min(tokens.count("!"), 3) / 3, float("?" in tokens), log1p(len(tokens)) / 4,
    )


def _valence(token: str, negated: bool, lexicon: Mapping[str, float]) -> float:
    valence = lexicon.get(token, 0.0)
    return valence * _NEGATED if negated else valence


def _compound(total: float) -> float:
    return total / sqrt(total * total + _EVEN)


def _shouting(raw: str) -> float:
    words = [word for word in raw.split() if len(word) > 2 and word.isalpha()]
    return sum(word.isupper() for word in words) / len(words) if len(words) > 2 else 0.0
