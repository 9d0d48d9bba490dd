"""Learns a tenant's own model from labelled texts: logistic regression by AdaGrad over the hashed features, in pure Python.

It starts from what the shipped model and the taxonomy say and learns how the tenant's customers differ, so that a few hundred labels already pay.
The same labels give the same bytes, on every machine: labels are sorted, the order of the epochs is drawn from a fixed seed, and nothing runs in parallel.
"""

from __future__ import annotations

import json
import random
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from math import sqrt
from operator import itemgetter, mul

from caseline.assessment import NEGATIVE, Analyser, Assessment, Text
from caseline.assessment.bars import Judged, choose_bars
from caseline.assessment.embedded import EmbeddedAnalyser, Reading, describe
from caseline.assessment.embedded.features import CHARS_WEIGHT, PAIRS_WEIGHT, char_slots, pair_slots, slot, tokenise
from caseline.assessment.embedded.model import WIDTH, Head, load_model, softmax
from caseline.assessment.grave import concept_slots
from caseline.assessment.learned import CATEGORY, SENTIMENT, SENTIMENTS, Learned, category_facts, read_learned, sentiment_facts
from caseline.assessment.taxonomy import UNKNOWN
from caseline.assessment.text import clean_text
from caseline.need_asks import is_mere_enquiry

FEWEST = 3  # texts of a category, that it is learnt
PARTS, PLENTY = 5, 1000  # of the others: each part is judged by a model of the rest, of so many texts one part alone
VALID, NOT_AN_ISSUE = "valid", "not_an_issue"  # outcomes of a case
HELD_BACK = 5  # every fifth text, by its hash: it is never learnt from, and measures this model and all later ones
RARE = 0.65  # a category with a tenth of the texts of the largest counts for 10 to this power: rare ones would never be said otherwise
SLIGHT = 0.01  # an error smaller than this teaches nothing, nor does twice the share of one label among many


@dataclass(frozen=True, order=True)
class Label:
    """What a person said of a text: its sentiment, its category, what became of its case."""

    text: str
    sentiment: str = ""
    category: str = ""
    language: str = ""
    channel: str = ""
    outcome: str = ""

    @property
    def worth(self) -> bool | None:
        """Whether it was worth a case; None where nobody said."""
        if self.outcome:
            return self.outcome == VALID
        return self.sentiment == NEGATIVE if self.sentiment else None

    @property
    def is_held_back(self) -> bool:
        """By the text alone, so that the same words never stand on both sides."""
        return self._draw(0) % HELD_BACK == 0

    @property
    def part(self) -> int:
        """One of PARTS, of those that learnt too."""
        return self._draw(4) % PARTS

    def _draw(self, start: int) -> int:
        words = " ".join(self.text.lower().split())
        return int.from_bytes(sha256(words.encode("utf-8", "replace")).digest()[start : start + 4], "big")


@dataclass(frozen=True)
class Row:
    """A text as numbers, and the index of its label. `size` is how many numbers there are, of which most are 0."""

    slots: Sequence[int]
    values: Sequence[float]
    target: int
    weight: float = 1.0
    size: int = WIDTH + 1

    @cached_property
    def pick(self) -> Callable[[Sequence[float]], tuple[float, ...]]:
        """The weights of the slots, out of those of a class."""
        return itemgetter(*self.slots)


@dataclass(frozen=True)
class Pace:
    """How a head is learnt. `keep` is the share of a weight that is left after a step of its feature, `doubt` the share of each label that goes to all
    of them, `settling` how many epochs are not counted. `pairs`, `chars` and `concepts` are what word pairs, the characters inside words and the concepts
    of signs.txt count for, beside words.
    """

    epochs: int
    rate: float
    keep: float
    doubt: float = 0.0
    settling: int = 3
    pairs: float = PAIRS_WEIGHT
    chars: float = CHARS_WEIGHT
    concepts: float = 0.0


SENTIMENT_PACE = Pace(6, 0.5, 0.9995)
CATEGORY_PACE = Pace(6, 0.3, 0.9995, settling=1, pairs=0.5, concepts=0.4)  # forgets fast, no rare one by heart; chosen by cross-validation over authors
MANY, MANY_PACE = 20, Pace(6, 1.0, 0.9999, doubt=0.2, chars=1.0)  # for more categories than that, which have no rare ones but near neighbours
NAMED_FIRST = 0.5  # what it counts for that the phrases name a category first, beside how often they name each


def learn(labels: Iterable[Label], analyser: Analyser) -> Learned:
    """A model of all labels given; leave out those that are held back. A head that has fewer than two labels to tell apart is not learnt.

    Only the embedded analyser can learn: a TypeError for another one.
    """
    if not isinstance(analyser, EmbeddedAnalyser):
        raise TypeError("only the embedded analyser learns")
    ordered = sorted(set(labels))
    rows = {label: row for label in ordered if (row := _sentiment_row(label, analyser))}
    found = {SENTIMENT: _learn_sentiment(rows), CATEGORY: _learn_categories(ordered, analyser)}
    bars = choose_bars(list(_judge_unseen(rows))) if found[SENTIMENT] else {}
    return read_learned(pack({name: head for name, head in found.items() if head}, analyser.rules.taxonomy.names, bars))


def _sentiment_row(label: Label, analyser: EmbeddedAnalyser) -> Row | None:
    """Without a target for a text of which only its outcome is known: a bar is learnt from it."""
    if label.worth is None or not (reading := _read(label, analyser)):
        return None
    return _row(reading, sentiment_facts(reading), SENTIMENTS.index(label.sentiment) if label.sentiment else -1, SENTIMENT_PACE)


def _learn_sentiment(rows: Mapping[Label, Row]) -> Head | None:
    weights = _fit_sentiment(list(rows.values()))
    return _head(SENTIMENTS, weights, SENTIMENT_PACE) if weights else None


def _fit_sentiment(rows: Sequence[Row]) -> list[list[float]] | None:
    told = [row for row in rows if row.target >= 0]
    return fit(told, len(SENTIMENTS), SENTIMENT_PACE, start=_generic) if len({row.target for row in told}) > 1 else None


def _judge_unseen(rows: Mapping[Label, Row]) -> Iterator[Judged]:
    """Each text by a model of the others; where there are many, one part of them will do."""
    for part in range(PARTS if len(rows) < PLENTY else 1):
        weights = _fit_sentiment([row for label, row in rows.items() if label.part != part])
        for label, row in rows.items():
            if weights and label.part == part:
                strength = describe(softmax([sum(map(mul, row.pick(each), row.values)) for each in weights])).strength
                yield Judged(strength, bool(label.worth), is_mere_enquiry(label.text))


def _learn_categories(labels: Sequence[Label], analyser: EmbeddedAnalyser) -> Head | None:
    counts = Counter(label.category for label in labels if label.category not in ("", UNKNOWN))  # who could not tell says nothing of what it is about
    names = sorted(name for name, count in counts.items() if count >= FEWEST)
    if len(names) < 2:
        return None
    pace, rows, most = MANY_PACE if len(names) > MANY else CATEGORY_PACE, [], max(counts[name] for name in names)
    for label in labels:
        if label.category in names and (reading := _read(label, analyser)):
            whole = _whole(label, reading)
            facts = _mute_first(_category_facts(whole, analyser.score(reading), analyser), 0, analyser)
            row = _row(whole, facts, names.index(label.category), pace)
            rows.append(replace(row, weight=(most / counts[label.category]) ** RARE))
    if len({row.target for row in rows}) < 2:
        return None
    return _head(names, [_mute_first(each, WIDTH + 1, analyser) for each in fit(rows, len(names), pace)], pace)


def _mute_first(numbers: Sequence[float], start: int, analyser: EmbeddedAnalyser) -> list[float]:
    """While it learns, of the facts; after that, of their weights: so that models read the same facts as ever."""
    end = start + len(analyser.rules.taxonomy.names)
    return [*numbers[:start], *(number * NAMED_FIRST for number in numbers[start:end]), *numbers[end:]]


def _whole(label: Label, reading: Reading) -> Reading:
    """With what the text repeats of others, too: it names what the text is about, as when a category is found."""
    text = clean_text(label.text)
    tokens = tokenise(text)
    return replace(reading, text=text, tokens=tokens, pairs=pair_slots(tokens))


def _category_facts(reading: Reading, scored: Assessment, analyser: EmbeddedAnalyser) -> list[float]:
    rules = analyser.rules
    counts = rules.taxonomy.count_phrases(reading.text, reading.language)
    by_phrases = rules.taxonomy.find_category(reading.text, reading.language, scored, counts)
    return category_facts(by_phrases, counts, scored, rules.taxonomy.names)


def _read(label: Label, analyser: EmbeddedAnalyser) -> Reading | None:
    """The text as the analyser reads it; None for one that it would not score."""
    return analyser.read(Text(clean_text(label.text), label.language or None, label.channel or None))


def _row(reading: Reading, facts: Sequence[float], target: int, pace: Pace) -> Row:
    found: dict[int, float] = {}
    chars = [index for token in reading.tokens for index in char_slots(token)]
    concepts = concept_slots(reading.text) if pace.concepts else []
    blocks = ([slot("w", token) for token in reading.tokens], 1.0), (reading.pairs, pace.pairs), (chars, pace.chars), (concepts, pace.concepts)
    for slots, weight in blocks:
        for index in slots:
            found[index] = found.get(index, 0.0) + weight / sqrt(len(slots))
    found |= {WIDTH + 1 + i: fact for i, fact in enumerate(facts) if fact}
    found[WIDTH] = 1.0
    return Row(list(found), list(found.values()), target, size=WIDTH + 1 + len(facts))


def _generic(weights: list[list[float]]) -> None:
    """The first facts are the shipped model's logits: to begin with, what it says stands."""
    for index in range(len(weights)):
        weights[index][WIDTH + 1 + index] = 1.0


def fit(rows: Sequence[Row], classes: int, pace: Pace, start: Callable[[list[list[float]]], None] | None = None) -> list[list[float]]:
    """A row of weights for each class: those of the slots, the bias, those of the facts. The mean of the epochs that count."""
    weights = [[0.0] * rows[0].size for _ in range(classes)]
    if start:
        start(weights)
    spread = [1.0] * len(weights[0])
    sums = [[0.0] * len(weights[0]) for _ in range(classes)]
    order, drawn = list(range(len(rows))), random.Random(5)  # noqa: S311 - not a secret
    for epoch in range(pace.epochs):
        drawn.shuffle(order)
        for index in order:
            _step(rows[index], weights, spread, pace)
        if epoch >= pace.settling:
            sums = [[total + weight for total, weight in zip(*pair, strict=True)] for pair in zip(sums, weights, strict=True)]
    kept = pace.epochs - pace.settling
    return [[total / kept for total in row] for row in sums]


def _step(row: Row, weights: Sequence[list[float]], spread: list[float], pace: Pace) -> None:
    slots, values = row.slots, row.values
    errors = softmax([sum(map(mul, row.pick(each), values)) for each in weights])
    if pace.doubt:
        errors = [error - pace.doubt / len(errors) for error in errors]
    errors[row.target] -= 1.0 - pace.doubt
    if row.weight != 1.0:
        errors = [error * row.weight for error in errors]
    energy = sum(map(mul, errors, errors))
    steps = []
    for index, value in zip(slots, values, strict=True):
        spread[index] += value * value * energy
        steps.append(pace.rate * value / sqrt(spread[index]))
    slight = max(SLIGHT, 2 / len(errors)) if len(errors) > MANY else SLIGHT
    for error, each in zip(errors, weights, strict=True):
        if abs(error) > slight:
            for index, step in zip(slots, steps, strict=True):
                each[index] = each[index] * pace.keep - error * step


def _head(labels: Sequence[str], weights: Sequence[Sequence[float]], pace: Pace) -> Head:
    """Weights of the slots as int8 with a scale a label; bias and those of the facts stay numbers."""
    scales = [float(f"{max(1e-9, *map(abs, each[:WIDTH])) / 127:.6g}") for each in weights]
    facts = [[round(each[index], 5) for each in weights] for index in range(WIDTH + 1, len(weights[0]))]
    cells = array("b", bytes(WIDTH * len(labels)))
    for index, (each, scale) in enumerate(zip(weights, scales, strict=True)):
        cells[index :: len(labels)] = array("b", [max(-127, min(127, round(weight / scale))) for weight in each[:WIDTH]])
    return Head(labels, scales, [round(each[WIDTH], 5) for each in weights], facts, cells, chars=pace.chars, pairs=pace.pairs, beside=pace.concepts)


def pack(heads: Mapping[str, Head], names: Sequence[str], bars: Mapping[str, float]) -> bytes:
    """As the shipped model is packed: zlib, one line of JSON, then the weights of each head. `names` are the categories that the phrases know.

    It says over which shipped model it was learnt: over another one its weights mean nothing.
    """
    told = [
        {"name": name, "labels": list(head.labels), "scale": list(head.scale), "bias": list(head.bias), "facts": [list(row) for row in head.facts]}
        | {"chars": head.chars, "pairs": head.pairs, "beside": head.beside}
        for name, head in sorted(heads.items())
    ]
    text = json.dumps({"base": load_model().digest, "heads": told, "names": list(names), "bars": dict(bars)}, sort_keys=True, separators=(",", ":"))
    return zlib.compress(text.encode() + b"\n" + b"".join(head.weights.tobytes() for _, head in sorted(heads.items())), 9)
