"""`make evaluate`: precision, recall and F1 of assessment, with confusion tables, on our own sets and on the labelled files of a folder.

    python -m tests.evaluation [--data FOLDER] [--unseen] [--learn-from FOLDER] [--quick] [--replay]

FOLDER (or the variable EVALUATION_DATA) holds labelled files; those that are missing are left out. Exits 1 where a figure misses its goal.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from caseline.assessment import Assessment, Text, open_analyser
from caseline.assessment.embedded import EmbeddedAnalyser
from caseline.assessment.embedded.model import sigmoid
from caseline.assessment.emotions import NINE, SETS, find_emotions
from caseline.assessment.language import identify_language
from caseline.assessment.learned import Learned
from caseline.assessment.learning import Label, learn
from caseline.assessment.measures import calibration_error, measure_pairs, read_as
from caseline.assessment.rules import Rules, rules_for
from caseline.assessment.text import clean_text
from caseline.need import decide_need
from caseline.policy import load_policy, shipped_policy
from caseline.signals import Signal

from tests.evaluation.goals import GOALS, tell
from tests.evaluation.own import read_own
from tests.evaluation.replay import replay, tell_replay
from tests.evaluation.sets import LANGUAGES, Row, Sets, sentiment_labels, slug, stars, with_reasons

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
Figures = Iterator[tuple[str, float]]
MISTAKES = 8  # of a confusion table, those that are shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation")
    parser.add_argument("--data", type=Path, default=os.environ.get("EVALUATION_DATA"), help="a folder of labelled files")
    parser.add_argument("--unseen", action="store_true", help="nothing of the folder was trained on: measure on all of it")
    parser.add_argument("--learn-from", type=Path, help="a folder of the same files, that a tenant's model learns from; else four fifths of the first")
    parser.add_argument("--replay", action="store_true", help="play the airline tweets through the whole way to cases, too")
    parser.add_argument("--quick", action="store_true", help="without what has to learn first")
    options = parser.parse_args()
    show_own()
    if options.data is None or not Path(options.data).is_dir():
        print("\nNo folder of labelled files: --data FOLDER or EVALUATION_DATA names one.")
        return 0
    sets = Sets(Path(options.data), options.unseen, options.learn_from)
    figures = dict(measure_folder(sets, options.quick, options.replay))
    print("\n== Goals: name, reached, figure, must / stretch\n")
    for name in GOALS:
        if name in figures:
            print(*tell(name, figures[name]), sep="\n")
    return int(any(GOALS[name].judge(figure) == "MISSED" for name, figure in figures.items() if name in GOALS and name != "U1"))


# ---- tables


def show(title: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A table of labels, and the most frequent mistakes."""
    found = measure_pairs(pairs)
    print(f"\n{title}: n {found['n']}, right {found['accuracy']:.3f}, macro-F1 {found['macro_f1']:.3f}")
    for label, row in found["labels"].items():
        print(f"    {label:32} P {row['precision']:.3f}  R {row['recall']:.3f}  F1 {row['f1']:.3f}  n {row['n']}")
    mistakes = sorted(((n, truth, said) for truth, row in found["confusion"].items() for said, n in row.items() if said != truth), reverse=True)
    if mistakes:
        print("    mistaken: " + "; ".join(f"{truth} for {said} {n}" for n, truth, said in mistakes[:MISTAKES]))
    return found


def show_own() -> None:
    rows = read_own("own.tsv")
    answers = open_analyser("embedded").assess([Text(row["text"], None, row["channel"]) for row in rows])
    both = list(zip(rows, answers, strict=True))
    print("== Our own sets (invented)")
    for language in ("all", *dict.fromkeys(row["language"] for row in rows)):
        pairs = [(row["sentiment"], read_as(said)) for row, said in both if language in ("all", row["language"]) and row["sentiment"] != "*"]
        show(f"sentiment, {language}", pairs)
    for name in ("emotion", "category", "urgency"):
        pairs = [(row[name], getattr(said, name) or "none") for row, said in both if row[name] != "*" and (name != "emotion" or row["language"] == "en")]
        show(name, pairs)
    show("needs a case", [(row["need"], decide_need(shipped_policy(), as_signal(row), said).state) for row, said in both])
    show("language", [(row["language"], said.language or "none") for row, said in both])
    grave = read_own("grave.tsv")
    said = open_analyser("embedded").assess([Text(row["text"], None, "x") for row in grave])
    named = {row["category"] for row in grave}
    show("grave categories (- is none)", [(row["category"], str(a.category) if a.category in named else "-") for row, a in zip(grave, said, strict=True)])


def as_signal(row: Row) -> Signal:
    return Signal(row["channel"], "own", "1", row["kind"], NOW, NOW, public=row["kind"] in ("post", "review"), text=row["text"])


# ---- labelled files


def measure_folder(sets: Sets, quick: bool, replayed: bool = False) -> Figures:
    print(f"\n== Labelled files{'' if sets.unseen else '; of sets that trained what ships, the rows held back'}")
    parts = [("airline_tweets.csv", measure_airline), ("app_reviews.csv", measure_reviews), ("tweets_general_sentiment.csv", measure_tweets)]
    parts += [("tweets_8lang_sentiment.csv", measure_languages), ("xed_emotions_8lang.csv", measure_subtitles), ("goemotions.csv", measure_emotions)]
    parts += [("goemotions.csv", measure_fine_emotions)]
    parts += [("urgency_labels.csv", measure_urgency), ("airline_tweets.csv", measure_taxonomy), ("airline_tweets.csv", measure_speed)]
    if sets.unseen:
        parts += [("valence_reviews_tweets.csv", measure_valences)]
    if not quick:
        parts += [("airline_tweets.csv", adapt_sentiment), ("airline_tweets.csv", adapt_reasons), ("app_reviews.csv", adapt_reviews)]
        parts += [("cfpb_complaints.csv", adapt_complaints), ("banking77.csv", adapt_bank)]
    if replayed:
        parts += [("airline_tweets.csv", replay_airline)]
    for name, part in parts:
        if sets.has(name):
            yield from part(sets)


def assess(rows: Sequence[Row], language: str | None, channel: str, column: str = "text") -> list[Assessment]:
    return open_analyser("embedded").assess([Text(row[column], language, channel) for row in rows])


def measure_airline(sets: Sets) -> Figures:
    rows = sets.airline()
    answers = assess(rows, "en", "x")
    found = show("airline tweets, sentiment", [(row["sentiment"], read_as(said)) for row, said in zip(rows, answers, strict=True)])
    print(f"    calibration error {calibration_error([(a.negative, r['sentiment'] == 'negative') for r, a in zip(rows, answers, strict=True)]):.3f}")
    yield from (("S1", found["labels"]["negative"]["f1"]), ("S1p", found["labels"]["negative"]["precision"]), ("S2", found["macro_f1"]))
    needs = [(bool(row["sentiment"] == "negative"), as_post(row), said) for row, said in zip(rows, answers, strict=True)]
    show("airline tweets, needs a case (negative ones do)", [("due" if due else "none", decide_need(shipped_policy(), s, a).state) for due, s, a in needs])


def as_post(row: Row) -> Signal:
    return Signal("x", "acme", "1", "mention", NOW, NOW, public=True, text=row["text"])


def measure_reviews(sets: Sets) -> Figures:
    rows = sets.rows("app_reviews.csv")
    pairs = [(stars(row), read_as(said)) for row, said in zip(rows, assess(rows, "en", "google_play", "review_text"), strict=True)]
    yield "S3", show("app reviews, words alone", pairs)["labels"]["negative"]["f1"]


def measure_tweets(sets: Sets) -> Figures:
    rows = sets.fresh("tweets_general_sentiment.csv")
    pairs = [(row["sentiment"], read_as(said)) for row, said in zip(rows, assess(rows, "en", "google_play"), strict=True)]
    yield "S4", show("general tweets, no support prior", pairs)["macro_f1"]


def measure_valences(sets: Sets) -> Figures:
    rows = [row for row in sets.rows("valence_reviews_tweets.csv") if row["source"] == "tweets"]
    truth = ["negative" if float(r["mean_valence"]) <= -0.5 else "positive" if float(r["mean_valence"]) >= 0.5 else "neutral" for r in rows]
    yield "S4v", show("tweets with valences", [(t, read_as(a)) for t, a in zip(truth, assess(rows, "en", "google_play"), strict=True)])["macro_f1"]


def measure_languages(sets: Sets) -> Figures:
    scores, right = {}, []
    for language in LANGUAGES:
        rows = [row for row in sets.rows("tweets_8lang_sentiment.csv") if row["lang"] == language]
        pairs = [(row["sentiment"], read_as(said)) for row, said in zip(rows, assess(rows, language, "x"), strict=True)]
        scores[language] = show(f"tweets in {language}, sentiment", pairs)["macro_f1"]
        hits = [identify_language(row["text"]) == language for row in rows]
        right.append(sum(hits) / len(hits))
        print(f"    language named right {right[-1]:.3f}")
    others = [score for language, score in scores.items() if language != "en"]
    yield from (("S5", sum(others) / len(others)), ("S5w", min(others)), ("L1t", sum(right) / len(right)))


def measure_subtitles(sets: Sets) -> Figures:
    rows = sets.fresh("xed_emotions_8lang.csv")
    yield "L1", show("subtitles, language", [(row["lang"], identify_language(row["text"])) for row in rows])["accuracy"]


def measure_emotions(sets: Sets) -> Figures:
    """Several labels a text: the mean over the nine of the F1 of each. Without unseen texts, the tenth that only the thresholds were tuned on."""
    nine = {fine: coarse for coarse, fines in NINE.items() for fine in fines}
    pairs = sorted((row["text"], tuple(sorted({nine[fine] for fine in row["emotions"].split("|")}))) for row in sets.rows("goemotions.csv"))
    analyser = open_analyser("embedded")
    assert isinstance(analyser, EmbeddedAnalyser)
    head, tally = analyser.model.heads["emotion"], {label: [0, 0, 0] for label in NINE}
    for text, truth in pairs if sets.unseen else pairs[::10]:
        said = {
            label
            for label, logit, bar in zip(head.labels, emotion_logits(analyser, text), head.thresholds, strict=True)
            if sigmoid(logit) >= bar
        }
        for label in NINE:
            tally[label] = [a + b for a, b in zip(tally[label], (label in said and label in truth, label in said, label in truth), strict=True)]
    scores = {label: 2 * hits / max(1, told + true) for label, (hits, told, true) in tally.items()}
    print("\nnine emotions: " + "  ".join(f"{label} {score:.3f}" for label, score in scores.items()))
    yield "E1", sum(scores.values()) / len(scores)


def emotion_logits(analyser: EmbeddedAnalyser, text: str) -> list[float]:
    reading = analyser.read(Text(text, "en"))
    return analyser.model.heads["emotion"].logits(reading.tokens, reading.facts, pairs=reading.pairs) if reading else [-9.0] * 9


def measure_fine_emotions(sets: Sets) -> Figures:
    """What is said when a person asks: of each set the mean of the F1 of its labels."""
    rows = sets.fresh("goemotions.csv")
    answers = [find_emotions(row["text"], "en") for row in rows]
    for name, table in SETS.items():
        told = [set(getattr(said, name)) if said else set() for said in answers]
        true = [{label for label, fines in table.items() if set(fines) & set(row["emotions"].split("|"))} for row in rows]
        yield {"fine": "E1f", "ekman": "E1e", "nine": "E1n"}[name], show_sets(f"emotions when asked, {name}", list(zip(true, told, strict=True)), list(table))


def show_sets(title: str, pairs: Sequence[tuple[set[str], set[str]]], labels: Sequence[str]) -> float:
    """A table of labels of which a text may have several; returns the mean of their F1."""
    scores = []
    print(f"\n{title}: n {len(pairs)}")
    for label in labels:
        hits, told, true = (sum(label in found for found in sets) for sets in zip(*((a & b, b, a) for a, b in pairs), strict=True))
        scores.append(2 * hits / max(1, told + true))
        print(f"    {label:32} P {hits / max(1, told):.3f}  R {hits / max(1, true):.3f}  F1 {scores[-1]:.3f}  n {true}")
    return sum(scores) / len(scores)


def measure_urgency(sets: Sets) -> Figures:
    rows = sets.rows("urgency_labels.csv")
    high = {"critical": "high"}
    pairs = [(high.get(row["urgency"], row["urgency"]), high.get(str(a.urgency), str(a.urgency))) for row, a in zip(rows, assess(rows, "en", "x"), strict=True)]
    yield "U1", show("urgency, three levels", pairs)["macro_f1"]


def airline_rules() -> Rules:
    return rules_for(load_policy("version: 1\ncategories: {examples: [airline]}").categories)


def measure_taxonomy(sets: Sets) -> Figures:
    """Of all categories of a policy with the airline's: another one than the ten reasons counts as unknown."""
    rows, rules = [row for row in sets.airline() if row["reason"]], airline_rules()
    ten = {slug(row["reason"]) for row in rows}
    upset = Assessment(sentiment="negative", negative=0.9)
    said = [rules.find_by_phrases(row["text"], "en", upset) for row in rows]
    found = show("airline reasons by phrases", [(slug(row["reason"]), name if name in ten else "unknown") for row, name in zip(rows, said, strict=True)])
    yield from (("C1", found["accuracy"]), ("C1m", found["macro_f1"]))


def measure_speed(sets: Sets) -> Figures:
    texts = [Text(row["text"], None, "x") for row in sets.airline()][:4000]
    analyser = open_analyser("embedded")
    analyser.assess(texts[:50])
    started = time.process_time()
    analyser.assess(texts)
    yield "P1", len(texts) / (time.process_time() - started)


# ---- what is learnt from a tenant's labels


def teach(labels: Sequence[Label], rules: Rules | None = None) -> tuple[EmbeddedAnalyser, Learned]:
    plain = open_analyser("embedded", rules=rules)
    assert isinstance(plain, EmbeddedAnalyser)
    started = time.process_time()
    learned = learn(labels, plain)
    print(f"\nlearnt from {len(labels)} labels in {time.process_time() - started:.0f} s, {len(learned.packed) / 1000:,.0f} kB")
    return EmbeddedAnalyser(plain.model, Rules(plain.rules.taxonomy, learned), learned), learned


def adapt_sentiment(sets: Sets) -> Figures:
    train, test = sets.taught("airline_tweets.csv", "author")
    found = show_adapted("airline tweets, adapted", train, test)
    yield from (("S6", found["macro_f1"]), ("S6n", found["labels"]["negative"]["f1"]), ("K1", found["calibration_error"]))
    draws = [show_adapted(f"with 200 labels, draw {seed}", random.Random(seed).sample(train, 200), test) for seed in range(5)]
    yield "S7", sum(draw["macro_f1"] for draw in draws) / 5
    yield "S7n", sum(draw["labels"]["negative"]["f1"] for draw in draws) / 5


def show_adapted(title: str, train: Sequence[Row], test: Sequence[Row]) -> dict[str, Any]:
    analyser, _ = teach(sentiment_labels(train))
    answers = analyser.assess([Text(row["text"], "en", "x") for row in test])
    found = show(title, [(row["sentiment"], read_as(said)) for row, said in zip(test, answers, strict=True)])
    found["calibration_error"] = calibration_error([(a.negative, r["sentiment"] == "negative") for r, a in zip(test, answers, strict=True)])
    print(f"    calibration error {found['calibration_error']:.3f}")
    return found


def adapt_category(title: str, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], channel: str, rules: Rules | None = None) -> dict[str, Any]:
    """What the learnt head says, whatever the phrases find grave: these labels know nothing of it."""
    analyser, learned = teach([Label(text, category=label, language="en", channel=channel) for text, label in train], rules)
    pairs = []
    for text, label in test:
        reading = analyser.read(Text(text, "en", channel))
        scored = analyser.score(reading) if reading else Assessment()
        by_phrases = analyser.rules.find_by_phrases(text, "en", scored)
        counts = analyser.rules.taxonomy.count_phrases(text, "en")
        likely = learned.find_category(clean_text(text), by_phrases, counts, scored) if reading else None
        pairs.append((label, likely[0] if likely else by_phrases))
    if len(learned.heads["category"].labels) > 20:
        found = measure_pairs(pairs)
        print(f"{title}: n {found['n']}, right {found['accuracy']:.3f}, macro-F1 {found['macro_f1']:.3f}")
        return found
    return show(title, pairs)


def adapt_reasons(sets: Sets) -> Figures:
    for agreed, names in ((0.0, ("C2", "C2m")), (0.66, ("C2s", "C2sm"))):
        both = sets.taught("airline_tweets.csv", "author")
        told = [[(row["text"], slug(row["reason"])) for row in with_reasons(rows, agreed)] for rows in both]
        found = adapt_category(f"airline reasons, adapted, agreement from {agreed}", *told, "x", airline_rules())
        yield from zip(names, (found["accuracy"], found["macro_f1"]), strict=True)


def adapt_reviews(sets: Sets) -> Figures:
    rules = rules_for(load_policy("version: 1\ncategories: {examples: [app]}").categories)
    told = [[(row["review_text"], row["issue_category"]) for row in rows] for rows in sets.taught("app_reviews.csv", "review_id")]
    yield "C3a", adapt_category("app issues, adapted", *told, "google_play", rules)["accuracy"]


def adapt_complaints(sets: Sets) -> Figures:
    rules = rules_for(load_policy("version: 1\ncategories: {examples: [finance]}").categories)
    told = [[(row["narrative"], row["product"]) for row in rows] for rows in sets.taught("cfpb_complaints.csv", "complaint_id")]
    yield "C3c", adapt_category("products complained of, adapted", *told, "email", rules)["accuracy"]


def adapt_bank(sets: Sets) -> Figures:
    told = [[(row["text"], row["category"]) for row in rows] for rows in sets.taught("banking77.csv", "text")]
    yield "C3b", adapt_category("bank intents, adapted", *told, "email")["accuracy"]


# ---- the whole way


def replay_airline(sets: Sets) -> Figures:
    """With the shipped model, and with one that learnt sentiment and reasons of other authors."""
    train, test = sets.taught("airline_tweets.csv", "author")
    found = dict(tell_replay("replayed, shipped model", test, replay(test, open_analyser("embedded", rules=airline_rules()))))
    yield from ((f"C4{name}", figure) for name, figure in found.items())
    labels = [Label(row["text"], row["sentiment"], slug(row["reason"]) if row["reason"] else "", "en", "x") for row in train]
    adapted, _ = teach(labels, airline_rules())
    found = dict(tell_replay("replayed, adapted model", test, replay(test, adapted)))
    yield from ((f"C4a{name}", figure) for name, figure in found.items())


if __name__ == "__main__":
    sys.exit(main())
