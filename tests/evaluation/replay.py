"""Airline tweets, posted as signed webhooks in the order of their times, through the whole way to cases; with redeliveries, latecomers and forgeries.

By the shipped policy, but for one case of a customer and brand (`join.by: customer`) and the categories of airlines.
"""

from __future__ import annotations

import base64
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from caseline.assessment import Analyser
from caseline.assessment.measures import measure_pairs
from caseline.channels import open_channel
from caseline.errors import SignatureError
from caseline.signals import Signal, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.evaluation.sets import Row, slug
from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import START, FakeCrm, Pipeline

POLICY = "version: 1\njoin: {by: customer}\ncategories: {examples: [airline]}\n"
AGAIN, LATE, FORGED = 50, 100, 500  # every so many-th message
SURE = 0.6  # agreement of raters from which a negative message has to be a case
OF_COMPLAINTS = frozenset({"complaint", "category", "low-rating", "trouble"})  # why a case was opened, where it was not for a question
_KEY, _OTHER = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
CHANNEL = open_channel("standard_webhooks")

Pair = tuple[str, str]


@dataclass
class Replayed:
    """What came of it: rows of signals and cases, and what was refused."""

    signals: Sequence[Mapping[str, Any]]
    cases: Sequence[Mapping[str, Any]]
    customers: int
    refused: int
    failed: int
    counts: Mapping[str, int]
    again: tuple[int, int]  # signals and cases that a second replay of everything added

    @property
    def reasons(self) -> Mapping[Pair, set[str]]:
        """Why each customer and brand has a case."""
        named = {row["signal_id"]: row for row in self.signals}
        reasons: dict[Pair, set[str]] = defaultdict(set)
        for case in self.cases:
            for row in (named[signal_id] for signal_id in case["signal_ids"] if signal_id in named):
                reasons[(row["author_name"], row["brand"])].add(row["need_reason"])
        return reasons


def replay(rows: Sequence[Row], analyser: Analyser) -> Replayed:
    pipeline = Pipeline(MemoryCloud(), FakeCrm(), analyser, POLICY)
    refused = _post_all(pipeline, rows)
    signals, cases, counts = pipeline.rows("signal"), pipeline.cases(), pipeline.counts()
    _post_all(pipeline, rows)
    again = (len(pipeline.rows("signal")) - len(signals), len(pipeline.cases()) - len(cases))
    return Replayed(signals, cases, len({row["author_name"] for row in signals}), refused, len(pipeline.failed), counts, again)


def _post_all(pipeline: Pipeline, rows: Sequence[Row]) -> int:
    """How many were refused."""
    refused = sum(_post(pipeline, row, request) for row, request in _requests(rows))
    pipeline.drain()
    return refused


def _requests(rows: Sequence[Row]) -> Iterator[tuple[Row, WebhookRequest]]:
    """In the order of their times, but for latecomers; some twice, some with the wrong signature."""
    times = [datetime.fromisoformat(row["created_at"]) for row in rows]
    shift = START - timedelta(minutes=1) - max(times)
    ordered = sorted(zip(times, rows, strict=True), key=lambda pair: (pair[0], pair[1]["tweet_id"]))
    for number, place in _disorder(len(ordered)):
        at, row = ordered[place]
        source = Source("default", row["airline"], secrets=[_KEY if number % FORGED else _OTHER])
        body = {"type": "signal.created", "timestamp": isoformat(at + shift), "data": _signal_of(row, at + shift)}
        request = WebhookRequest("POST", "https://hooks.example.com/default", {}, json.dumps(body).encode(), START)
        yield row, CHANNEL.sign(request, source)
        if number % FORGED == 0 or number % AGAIN == 0:
            yield row, CHANNEL.sign(request, replace(source, secrets=[_KEY]))


def _disorder(count: int) -> Iterator[tuple[int, int]]:
    """Places in another order: every LATE-th comes up to 20 places late."""
    drawn = random.Random(4)
    places = sorted(range(count), key=lambda place: place + (drawn.randrange(1, 20) + 0.5 if place % LATE == LATE - 1 else 0))
    return enumerate(places, 1)


def _signal_of(row: Row, at: datetime) -> Mapping[str, Any]:
    return {
        "id": row["tweet_id"], "kind": "mention", "public": True, "text": row["text"], "occurred_at": isoformat(at),
        "author": {"id": row["author"], "name": row["author"]},
    }  # fmt: skip


def _post(pipeline: Pipeline, row: Row, request: WebhookRequest) -> bool:
    """Whether it was refused: then nothing of it goes on."""
    source = Source("default", row["airline"], secrets=[_KEY])
    try:
        CHANNEL.verify(request, source)
    except SignatureError:
        return True
    signals = [signal for signal in CHANNEL.parse(request, source) if isinstance(signal, Signal)]
    pipeline.send(*signals, brand=row["airline"])
    return False


# ---- what it is held against


def gold_of(rows: Sequence[Row]) -> dict[Pair, bool]:
    """Whether a customer has to have a case with a brand; pairs whose raters were not sure are left out."""
    found: dict[Pair, list[float]] = defaultdict(list)
    for row in rows:
        found[(row["author"], row["airline"])] += [float(row["sentiment_conf"])] if row["sentiment"] == "negative" else []
    return {pair: bool(shares) for pair, shares in found.items() if not shares or max(shares) >= SURE}


def score(gold: Mapping[Pair, bool], found: set[Pair]) -> tuple[float, float, float]:
    hits = sum(wanted and pair in found for pair, wanted in gold.items())
    precision, recall = hits / max(1, sum(pair in found for pair in gold)), hits / max(1, sum(gold.values()))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def pairs_of_categories(rows: Sequence[Row], replayed: Replayed) -> list[tuple[str, str]]:
    """The reason that most negative messages of a customer and brand have, and the category of the case, of the case with most signals.

    Messages of which raters could not tell the reason have none, nor then has a customer who wrote nothing else.
    """
    reasons: dict[Pair, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["reason"] and slug(row["reason"]) != "unknown" and float(row["sentiment_conf"]) >= SURE:
            reasons[(row["author"], row["airline"])][slug(row["reason"])] += 1
    by_id = {row["signal_id"]: row for row in replayed.signals}
    said: dict[Pair, tuple[int, str]] = {}
    for case in replayed.cases:
        for row in (by_id[signal_id] for signal_id in case["signal_ids"][:1] if signal_id in by_id):
            pair = (row["author_name"], row["brand"])
            said[pair] = max(said.get(pair, (0, "")), (len(case["signal_ids"]), case["category"]))
    return [(counted.most_common(1)[0][0], said[pair][1]) for pair, counted in reasons.items() if pair in said]


def tell_replay(title: str, rows: Sequence[Row], replayed: Replayed) -> Iterator[tuple[str, float]]:
    """Prints what came of it; the figures are (precision, recall, F1) of cases for complaints, and of all cases."""
    gold, reasons = gold_of(rows), replayed.reasons
    complaints = score(gold, {pair for pair, why in reasons.items() if why & OF_COMPLAINTS})
    whole = score(gold, set(reasons))
    doubled = sum(count > 1 for count in Counter(_keys(replayed)).values())
    categories = measure_pairs(pairs_of_categories(rows, replayed))
    print(f"\n{title}: {len(rows)} messages of {len(gold)} customers and brands; {replayed.refused} forged ones refused")
    print(f"    stored {len(replayed.signals)}, redeliveries that added nothing {replayed.counts['duplicates']}, cases {len(replayed.cases)}")
    print(f"    a second replay of everything added {replayed.again[0]} messages and {replayed.again[1]} cases; runs that failed {replayed.failed}")
    print(f"    customers and brands with two open cases of one kind {doubled}; messages whose case is not known {_unlinked(replayed)}")
    for name, (precision, recall, f1) in (("for a complaint", complaints), ("with those for a question", whole)):
        print(f"    cases {name}: P {precision:.3f} R {recall:.3f} F1 {f1:.3f}")
    print(f"    category of the case: n {categories['n']}, right {categories['accuracy']:.3f}, macro-F1 {categories['macro_f1']:.3f}")
    yield from zip("PRF", complaints, strict=True)
    yield from zip(("allP", "allR", "allF"), whole, strict=True)
    yield from (("acc", categories["accuracy"]), ("macro", categories["macro_f1"]))
    lost = abs(len(replayed.signals) - len(rows)) + sum(map(abs, replayed.again)) + doubled + replayed.failed + _unlinked(replayed)
    yield "exact", float(lost)


def _keys(replayed: Replayed) -> Iterator[tuple[str, str, bool]]:
    """Of open cases: safety, legal and security have a case of their own beside the other."""
    for case in replayed.cases:
        if case["status"] == "open" and not case.get("kind"):
            alone = case["category"] in ("safety", "legal", "security")
            yield case["customer_id"], case["brand"], case["category"] if alone else ""


def _unlinked(replayed: Replayed) -> int:
    cases = {case["case_key"] for case in replayed.cases}
    return sum((row["need"] == "due" and "case_key" not in row) or row.get("case_key", next(iter(cases), "")) not in cases for row in replayed.signals)
