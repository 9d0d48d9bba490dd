"""What is to be reached. `must` and `stretch` as (figure, at least); calibration error is the one that has to be small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    name: str
    what: str
    must: float
    stretch: float
    baseline: str
    at_most: bool = False

    def judge(self, figure: float) -> str:
        def reaches(wanted: float) -> bool:
            return figure <= wanted if self.at_most else figure >= wanted

        return "stretch" if reaches(self.stretch) else "must" if reaches(self.must) else "MISSED"


GOALS = {
    goal.name: goal
    for goal in (
        Goal("S1", "airline, support prior: F1 of negative", 0.77, 0.82, "VADER .57, hashed linear .789, commercial services < .79"),
        Goal("S1p", "the same: precision of negative", 0.80, 0.80, "VADER .90"),
        Goal("S2", "airline: macro-F1", 0.575, 0.66, "VADER .446, hashed linear .589"),
        Goal("S3", "app reviews, words alone: F1 of negative", 0.77, 0.84, "VADER .627, hashed linear .793"),
        Goal("S4", "general tweets: macro-F1", 0.68, 0.72, "VADER .628, hashed linear .70"),
        Goal("S4v", "tweets with valences: macro-F1", 0.71, 0.76, "hashed linear .74"),
        Goal("S5", "de, es, fr, it, pt: mean macro-F1", 0.48, 0.58, "word lists .490"),
        Goal("S5w", "the worst of them", 0.43, 0.58, "word lists .452"),
        Goal("S6", "adapted to an airline: macro-F1", 0.74, 0.79, "stacked linear .754"),
        Goal("S6n", "the same: F1 of negative", 0.865, 0.89, "stacked linear .875"),
        Goal("S7", "adapted with 200 labels: macro-F1, mean of 5 draws", 0.65, 0.72, "stacked linear .673"),
        Goal("S7n", "the same: F1 of negative", 0.81, 0.86, "stacked linear .825"),
        Goal("K1", "the adapted airline: calibration error of P(negative)", 0.06, 0.03, ".056", at_most=True),
        Goal("E1", "nine emotions, of each text: macro-F1", 0.56, 0.61, "one-vs-rest linear .589"),
        Goal("E1n", "nine emotions, when a person asks: macro-F1", 0.56, 0.61, "one-vs-rest linear .589"),
        Goal("E1e", "Ekman's seven, when a person asks: macro-F1", 0.55, 0.61, "one-vs-rest linear .581"),
        Goal("E1f", "28 emotions, when a person asks: macro-F1", 0.42, 0.48, "one-vs-rest linear .451"),
        Goal("C1", "airline, ten reasons by the shipped taxonomy: accuracy", 0.50, 0.58, "keyword rules .523"),
        Goal("C1m", "the same: macro-F1", 0.44, 0.52, "keyword rules .466"),
        Goal("C2", "airline, nine reasons, adapted: accuracy", 0.64, 0.72, "linear and rules .669"),
        Goal("C2m", "the same: macro-F1", 0.54, 0.62, "linear and rules .576"),
        Goal("C2s", "the same, reasons that raters agree on: accuracy", 0.73, 0.80, ".759"),
        Goal("C2sm", "the same: macro-F1", 0.61, 0.70, ".655"),
        Goal("C3a", "app issues, adapted: accuracy", 0.69, 0.76, ".723"),
        Goal("C3c", "products complained of, adapted: accuracy", 0.81, 0.87, ".835"),
        Goal("C3b", "77 bank intents, adapted: accuracy", 0.90, 0.93, ".915"),
        Goal("C4P", "replayed to cases, those for complaints, customer and brand: precision", 0.82, 0.84, ".841"),
        Goal("C4R", "the same: recall", 0.78, 0.82, ".822"),
        Goal("C4F", "the same: F1", 0.81, 0.83, ".832, VADER .679"),
        Goal("C4allP", "every case counts, also those for a question: precision", 0.82, 0.84, ".841"),
        Goal("C4allR", "the same: recall", 0.78, 0.82, ".822"),
        Goal("C4allF", "the same: F1", 0.81, 0.83, ".832"),
        Goal("C4acc", "category of these cases: accuracy", 0.48, 0.58, "rules .508"),
        Goal("C4macro", "the same: macro-F1", 0.45, 0.52, "rules .484"),
        Goal("C4exact", "messages and cases lost, doubled, or added by a second replay", 0, 0, "0", at_most=True),
        Goal("C4aP", "replayed with an adapted model: precision", 0.87, 0.89, ".891"),
        Goal("C4aF", "the same: F1", 0.88, 0.91, ".897"),
        Goal("C4aallP", "every case counts, also those for a question: precision", 0.87, 0.89, ".891"),
        Goal("C4aallF", "the same: F1", 0.88, 0.91, ".897"),
        Goal("C4aacc", "category of these cases: accuracy", 0.63, 0.72, "adapted .659"),
        Goal("C4amacro", "the same: macro-F1", 0.55, 0.63, "adapted .588"),
        Goal("C4aexact", "lost, doubled or added, as above", 0, 0, "0", at_most=True),
        Goal("U1", "urgency, three levels: macro-F1 (120 labels of one person: reported only)", 0.60, 0.72, "keyword rules .56"),
        Goal("L1", "language of subtitles", 0.92, 0.96, "n-grams .941"),
        Goal("L1t", "language of tweets, mean", 0.94, 0.96, ".92-.99"),
        Goal("P1", "texts a second of one core", 2000, 5000, "4,000-5,600"),
    )
}


def tell(name: str, figure: float) -> Iterator[str]:
    goal = GOALS[name]
    shown = f"{figure:,.0f}" if figure > 10 else f"{figure:.3f}"
    wanted = f"{'<=' if goal.at_most else '>='} {goal.must:g} / {goal.stretch:g}"
    yield f"{name:10}{goal.judge(figure):9}{shown:>7}  {wanted:18} {goal.what}; baseline: {goal.baseline}"
