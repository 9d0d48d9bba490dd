"""The weights: one file, read once, scored with integer sums. No numpy, no network."""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from math import exp, sqrt
from typing import Any

from caseline.assessment.embedded.features import BESIDE_WEIGHT, CHARS_WEIGHT, MASK, char_slots, slot

WIDTH = MASK + 1
MOST_WORDS = 50_000  # of the cache; cleared when full, so that memory is bounded
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
    words: dict[str, tuple[Sums, Sums, int]] = field(default_factory=dict)

    def logits(
        self, tokens: Sequence[str], facts: Sequence[float] = (), *, pairs: Sequence[int] = (), beside: Sequence[Sequence[Sums]] = ()
    ) -> list[float]:
        """One logit a label; each block counts by the square root of its size. `beside` are further blocks, of rows."""
        known = [self._word(token) for token in tokens]
        blocks = (
            (1.0, [word for word, _, _ in known], len(known)),
            (1.0, [self.row(pair) for pair in pairs], len(pairs)),
            (self.chars, [chars for _, chars, _ in known], sum(count for _, _, count in known)),
            *((BESIDE_WEIGHT, rows, len(rows)) for rows in beside),
        )
        totals = [0.0] * len(self.labels)
        for weight, rows, count in blocks:
            if count:
                factor = weight / sqrt(count)
                totals = [total + factor * part for total, part in zip(totals, map(sum, zip(*rows, strict=True)), strict=True)]
        logits = [total * scale + bias for total, scale, bias in zip(totals, self.scale, self.bias, strict=True)]
        for fact, weights in zip(facts, self.facts, strict=False):
            if fact:
                logits = [logit + fact * weight for logit, weight in zip(logits, weights, strict=True)]
        return logits

    def row(self, index: int) -> Sums:
        wide = len(self.labels)
        return tuple(self.weights[index * wide : index * wide + wide])

    def _word(self, token: str) -> tuple[Sums, Sums, int]:
        found = self.words.get(token)
        if found is None:
            if len(self.words) >= MOST_WORDS:
                self.words.clear()
            found = self.words[token] = self._read_word(token)
        return found

    def _read_word(self, token: str) -> tuple[Sums, Sums, int]:
        slots = char_slots(token)
        rows = [self.row(s) for s in slots] or [(0,) * len(self.labels)]
        return self.row(slot("w", token)), tuple(map(sum, zip(*rows, strict=True))), len(slots)


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
    return Head(head["labels"], head["scale"], head["bias"], head["facts"], array("b", blob), head.get("thresholds", ()), head.get("chars", CHARS_WEIGHT))


def softmax(logits: Sequence[float]) -> list[float]:
    top = max(logits)
    shares = [exp(logit - top) for logit in logits]
    total = sum(shares)
    return [share / total for share in shares]


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-max(-50.0, min(50.0, logit))))


