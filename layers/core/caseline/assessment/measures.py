"""How good answers are: precision, recall, F1, calibration, and who is mistaken for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from caseline.assessment import MIXED, NEGATIVE, NEUTRAL, Assessment

Pairs = Sequence[tuple[str, str]]  # truth, said


def score_label(pairs: Pairs, label: str) -> dict[str, float]:
    """`{precision, recall, f1, n}` of one label; n is how often it is true."""
    hits = sum(truth == said == label for truth, said in pairs)
    true, told = sum(truth == label for truth, _ in pairs), sum(said == label for _, said in pairs)
    precision, recall = hits / max(1, told), hits / max(1, true)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4), "n": true}


def measure_pairs(pairs: Pairs) -> dict[str, Any]:
    """`{n, accuracy, macro_f1, labels: {label: {precision, recall, f1, n}}, confusion: {truth: {said: n}}}`. Macro over the labels that occur."""
    labels = {label: score_label(pairs, label) for label in sorted({truth for truth, _ in pairs})}
    confusion: dict[str, dict[str, int]] = {}
    for (truth, said), count in sorted(Counter(pairs).items()):
        confusion.setdefault(truth, {})[said] = count
    return {
        "n": len(pairs), "accuracy": round(sum(truth == said for truth, said in pairs) / max(1, len(pairs)), 4),
        "macro_f1": round(sum(row["f1"] for row in labels.values()) / max(1, len(labels)), 4), "labels": labels, "confusion": confusion,
    }  # fmt: skip


def calibration_error(chances: Sequence[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error: how far chances are from how often it came true, by bins of equal width."""
    total = 0.0
    for low in range(bins):
        inside = [(chance, came) for chance, came in chances if min(int(chance * bins), bins - 1) == low]
        total += abs(sum(chance for chance, _ in inside) - sum(came for _, came in inside))
    return round(total / max(1, len(chances)), 4)


def read_as(assessment: Assessment) -> str:
    """A mixed text counts for its heavier side; an unscored one as neutral, so that nothing is left out."""
    if assessment.sentiment == MIXED:
        return NEGATIVE if assessment.negative >= assessment.positive else NEUTRAL
    return assessment.sentiment or NEUTRAL
