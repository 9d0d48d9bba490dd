"""The weights: one file, read once, scored with integer sums. No numpy, no network."""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from importlib.resources import files
from math import exp, sqrt
from operator import itemgetter
from typing import Any

from caseline.assessment.embedded.features import CHARS_WEIGHT, MASK, PAIRS_WEIGHT, char_slots, slot

WIDTH = MASK + 1
MOST_WORDS = 50_000  # of the cache; cleared when full, so that memory is bounded
RAISE = 128  # a weight of -128 to 127 becomes a byte
_RAISED = bytes((weight + RAISE) % 256 for weight in range(256))
MOST_BYTES = 64_000_000  # that a model may be when it is unpacked

Sums = tuple[int, ...]


@dataclass
class Head:
    """One task. `weights` holds a row of int8 for each slot; a sum times `scale` plus `bias` is the logit of a label."""

    labels: Sequence[str]
    scale: Sequence[float]
    bias: Sequence[float]
    facts: Sequence[Sequence[float]]
    weights: array[int]
    thresholds: Sequence[float] = ()
    chars: float = CHARS_WEIGHT
    pairs: float = PAIRS_WEIGHT
    beside: float = 0.0
    words: dict[str, Sums] = field(default_factory=dict)

    def logits(
        self, tokens: Sequence[str], facts: Sequence[float] = (), *, pairs: Sequence[int] = (), beside: Sequence[Sequence[int]] = ()
    ) -> list[float]:
        """One logit a label; each block counts by the square root of its size. `beside` are further blocks, of slots, for a head that learnt with such."""
        wide, words = len(self.labels), self.words
        known = [words.get(token) or self._word(token) for token in tokens]
        *sums, letters = map(sum, zip(*known, strict=True)) if known else (0,)
        blocks = [(1.0, sums[:wide], len(known)), (self.pairs, self._add_rows(pairs), len(pairs)), (self.chars, sums[wide:], letters)]
        blocks += [(self.beside, self._add_rows(slots), len(slots)) for slots in beside if self.beside]
        totals = [0.0] * wide
        for weight, parts, count in blocks:
            if count:
                factor = weight / sqrt(count)
                totals = [total + factor * part for total, part in zip(totals, parts, strict=True)]
        logits = [total * scale + bias for total, scale, bias in zip(totals, self.scale, self.bias, strict=True)]
        for fact, weights in zip(facts, self.facts, strict=False):
            if fact:
                logits = [logit + fact * weight for logit, weight in zip(logits, weights, strict=True)]
        return logits

    @cached_property
    def _columns(self) -> list[bytes]:
        """The weights by label, each raised by RAISE: to pick many bytes out of few columns is much faster than to cut many rows."""
        raised = self.weights.tobytes().translate(_RAISED)
        return [raised[label :: len(self.labels)] for label in range(len(self.labels))]

    def _add_rows(self, slots: Sequence[int]) -> list[int]:
        if not slots:
            return [0] * len(self.labels)
        pick, raised = itemgetter(*slots, 0), RAISE * len(slots)  # of two or more it picks a tuple
        return [sum(pick(column)) - column[0] - raised for column in self._columns]

    def _word(self, token: str) -> Sums:
        """Of the word itself, then of its letters, then how many of these there are."""
        if len(self.words) >= MOST_WORDS:
            self.words.clear()
        letters = char_slots(token)
        self.words[token] = found = (*self._add_rows([slot("w", token)]), *self._add_rows(letters), len(letters))
        return found


@dataclass(frozen=True)
class Model:
    """`digest` tells one file of weights from another, also where both have the same version."""

    version: str
    digest: str
    heads: Mapping[str, Head]
    lexicons: Mapping[str, Mapping[str, float]]


@lru_cache(maxsize=1)
def load_model() -> Model:
    """The shipped model."""
    return read_model(files(__package__).joinpath("model.bin").read_bytes())


def read_model(packed: bytes) -> Model:
    """zlib: one line of JSON, then the int8 weights of each head in turn."""
    facts, heads = read_heads(packed)
    scale = facts["lexicon_scale"]
    lexicons = {name: {word: value / scale for word, value in words.items()} for name, words in facts["lexicons"].items()}
    return Model(facts["version"], sha256(packed).hexdigest()[:16], heads, lexicons)


def read_heads(packed: bytes) -> tuple[dict[str, Any], dict[str, Head]]:
    """The header and the heads of a packed model. Raises ValueError, KeyError, TypeError or zlib.error for what is none."""
    unpacker = zlib.decompressobj()
    header, _, blob = unpacker.decompress(packed, MOST_BYTES).partition(b"\n")
    facts: dict[str, Any] = json.loads(header)
    heads, start = {}, 0
    for head in facts["heads"]:
        end = start + WIDTH * len(head["labels"])
        heads[head["name"]] = _read_head(head, blob[start:end])
        start = end
    if start != len(blob) or not unpacker.eof:
        raise ValueError("it has not as many weights as its heads need")
    return facts, heads


def _read_head(head: Mapping[str, Any], blob: bytes) -> Head:
    shares = (float(head.get("chars", CHARS_WEIGHT)), float(head.get("pairs", PAIRS_WEIGHT)), float(head.get("beside", 0.0)))
    return Head(head["labels"], head["scale"], head["bias"], head["facts"], array("b", blob), head.get("thresholds", ()), *shares)


def softmax(logits: Sequence[float]) -> list[float]:
    top = max(logits)
    shares = [exp(logit - top) for logit in logits]
    total = sum(shares)
    return [share / total for share in shares]


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-max(-50.0, min(50.0, logit))))


