"""How negative a text of this tenant has to be to be worth a case: learnt from what people said of texts that the model had not learnt from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

COMPLAINT, QUESTION = "complaint", "question"
FEWEST = 12  # texts of either kind, that a bar is learnt
FEWEST_ASKED = 6  # enquiries of calm customers, that it is learnt whether they are worth a case
STEPS = [step / 100 for step in range(25, 90, 5)]
BETA = 0.6  # leans to precision: what is grave, trouble, grievances and plain requests have a case below the bar, too
AS_GOOD, DOUBT = 0.01, 0.4  # bars whose score is so near the best are as good, the wider the fewer texts: the middle of them is no accident of a few texts


@dataclass(frozen=True)
class Judged:
    """What the model says of a text that it had not learnt from, and what a person did; `enquires` without a plain request."""

    strength: float
    worth: bool
    enquires: bool = False


def choose_bars(judged: Sequence[Judged]) -> dict[str, float]:
    """`complaint`: the strength from which it is one; `question`: that from which an enquiry counts. Without a bar the policy's count, and all enquiries."""
    worth = sum(text.worth for text in judged)
    if min(worth, len(judged) - worth) < FEWEST:
        return {}
    bar = _choose(judged)
    calm = [text.worth for text in judged if text.enquires and text.strength < bar]
    in_vain = len(calm) >= FEWEST_ASKED and 2 * sum(calm) < len(calm)
    return {COMPLAINT: bar, **({QUESTION: bar} if in_vain else {})}


def _choose(judged: Sequence[Judged]) -> float:
    scores = {step: _score(judged, step) for step in STEPS}
    near = max(scores.values()) - max(AS_GOOD, DOUBT / sqrt(len(judged)))
    good = [step for step, score in scores.items() if score >= near]
    return round(sum(good) / len(good), 2)


def _score(judged: Sequence[Judged], bar: float) -> float:
    """F of precision and recall."""
    opened = sum(text.strength >= bar for text in judged)
    hits = sum(text.strength >= bar and text.worth for text in judged)
    return (1 + BETA**2) * hits / max(1e-9, BETA**2 * sum(text.worth for text in judged) + opened)
