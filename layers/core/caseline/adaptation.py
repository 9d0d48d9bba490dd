"""A tenant's own model: learnt from its labels, measured on a share that is never learnt from, installed if it is no worse, put back when wanted.

Where models stand: `caseline.model_shelf`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from caseline.assessment import NEGATIVE, NEUTRAL, Analyser, Text, open_analyser
from caseline.assessment.learned import CATEGORY, SENTIMENT, SENTIMENTS, Learned, read_learned
from caseline.assessment.learning import NOT_AN_ISSUE, VALID, Label, learn, pack
from caseline.assessment.measures import calibration_error, measure_pairs, read_as
from caseline.assessment.rules import rules_for
from caseline.cases.ledger import CLOSED, OPEN
from caseline.config_text import suggest
from caseline.errors import ConfigError, ConflictError, UnfitModelError
from caseline.model_shelf import FOLDER, Report, Shelf
from caseline.policy import Policy
from caseline.signals import isoformat
from caseline.table import Item, Table
from caseline.timeline import load_signals, read_text

FEWEST_MEASURED = 15  # texts held back, that a head may be judged
KEPT = 10  # earlier models that can be put back
COLUMNS = ("text", "sentiment", "category", "outcome", "language", "channel")
_READ_AT_ONCE = 100


@dataclass(frozen=True)
class Adaptation:
    shelf: Shelf
    policy: Policy
    clock: Callable[[], datetime]

    def train(self, labels: Iterable[Label]) -> Report:
        """Learn, measure, and install what is no worse than what stands; the report says which and why."""
        found = sorted(set(labels))
        taught, held = [label for label in found if not label.is_held_back], [label for label in found if label.is_held_back]
        (standing, refused), candidate = self._standing(), learn(taught, self._analyser(None))
        before, after = self._measure(held, standing), self._measure(held, candidate)
        verdicts = {task: _judge(task, candidate, before, after) for task in (SENTIMENT, CATEGORY)}
        chosen = {task for task, verdict in verdicts.items() if verdict == "better"}
        report = {
            "at": isoformat(self.clock()), "labels": len(found), "held_back": len(held), "verdicts": verdicts, "before": before, "after": after,
            "bars": dict(candidate.bars),
            "installed": bool(chosen), "refused": refused,
        }  # fmt: skip
        self._install(_combine(standing, candidate, chosen) if chosen else None, report)
        return report

    def _standing(self) -> tuple[Learned | None, str]:
        """The model that counts, and why it is refused where it may not judge: then a new one is measured against the shipped one."""
        try:
            return self.shelf.current(), ""
        except UnfitModelError as error:
            return None, str(error)

    def _pointer(self) -> Report:
        """What cannot be read is begun anew: it names nothing that could be put back."""
        try:
            return self.shelf.pointer()
        except UnfitModelError:
            return {"current": None, "earlier": [], "last": None}

    def report(self) -> Report:
        """The pointer, and as `refused` why the model it names does not judge."""
        return {**self.shelf.pointer(), "refused": self._standing()[1]}

    def rollback(self) -> Report:
        """The entry that counts from now on; None for the shipped model. ConflictError where there is nothing to go back from."""
        pointer = self.shelf.pointer()
        if pointer["current"] is None:
            raise ConflictError("the shipped model counts already: nothing was installed over it")
        earlier = list(pointer["earlier"])
        entry = earlier.pop() if earlier else None
        self.shelf.point({**pointer, "current": entry, "earlier": earlier})
        return {"current": entry}

    def _install(self, model: Learned | None, report: Report) -> None:
        """The object before the pointer: whoever follows the pointer finds it. A model that is refused leaves its report alone."""
        pointer = self._pointer()
        if model is None:
            self.shelf.point({**pointer, "last": report})
            return
        entry = {
            "key": f"{FOLDER}{model.version}.bin", "sha256": model.digest, "version": model.version, "at": report["at"], "labels": report["labels"],
            "heads": sorted(model.heads),
        }  # fmt: skip
        self.shelf.write(entry["key"], model.packed)
        standing = pointer["current"]
        earlier = [*pointer["earlier"], *([standing] if standing and standing["key"] != entry["key"] else [])][-KEPT:]
        self.shelf.point({"current": entry, "earlier": earlier, "last": report})

    def _analyser(self, learned: Learned | None) -> Analyser:
        return open_analyser("embedded", rules=rules_for(self.policy.categories, learned), learned=learned)

    def _measure(self, held: Sequence[Label], learned: Learned | None) -> Report:
        return measure(self._analyser(learned), held)


def measure(analyser: Analyser, labels: Sequence[Label]) -> Report:
    """What `measure_pairs` says of sentiment and of category, and the calibration error of P(negative)."""
    said = analyser.assess([Text(label.text, label.language or None, label.channel or None) for label in labels])
    both = list(zip(labels, said, strict=True))
    sentiment = measure_pairs([(label.sentiment, read_as(answer)) for label, answer in both if label.sentiment])
    sentiment["calibration_error"] = calibration_error([(answer.negative, label.sentiment == NEGATIVE) for label, answer in both if label.sentiment])
    return {SENTIMENT: sentiment, CATEGORY: measure_pairs([(label.category, answer.category or "") for label, answer in both if label.category])}


def _judge(task: str, candidate: Learned, before: Report, after: Report) -> str:
    """Why a head is installed or not."""
    if task not in candidate.heads:
        return "not learnt: labels of at least two kinds are needed, several of each"
    if after[task]["n"] < FEWEST_MEASURED:
        return f"not judged: {after[task]['n']} labels held back, {FEWEST_MEASURED} are needed; bring more"
    return "better" if _worth(task, after[task]) > _worth(task, before[task]) else "no better than what stands"


def _worth(task: str, measured: Report) -> float:
    """Half for all labels alike, half for what matters most: that a negative text is not missed; that a category is right."""
    rest = measured["labels"].get(NEGATIVE, {}).get("f1", 0.0) if task == SENTIMENT else measured["accuracy"]
    return float(measured["macro_f1"] + rest)


def _combine(standing: Learned | None, candidate: Learned, chosen: set[str]) -> Learned:
    """The chosen heads of the candidate, the others of the model that stands."""
    heads = {**(standing.heads if standing else {}), **{task: candidate.heads[task] for task in chosen}}
    names = candidate.names if CATEGORY in chosen or standing is None else standing.names
    bars = candidate.bars if SENTIMENT in chosen or standing is None else standing.bars
    return read_learned(pack(heads, names, bars if SENTIMENT in heads else {}))


# ---- labels


def label_of(text: str, *, sentiment: str = "", category: str = "", outcome: str = "", language: str = "", channel: str = "") -> Label:
    """An outcome says whether it was a complaint at all, where nobody said the sentiment."""
    judged = {VALID: NEGATIVE, NOT_AN_ISSUE: NEUTRAL}.get(outcome, "")
    return Label(text, sentiment or judged, "" if outcome == NOT_AN_ISSUE else category, language, channel, outcome)


def read_labels(text: str, name: str, policy: Policy) -> list[Label]:
    """Of a CSV with the column `text` and some of the others of COLUMNS. Raises ConfigError with a line for each mistake."""
    reader = csv.DictReader(io.StringIO(text))
    columns = [column.strip().lower() for column in reader.fieldnames or ()]
    if "text" not in columns or not set(columns) & {"sentiment", "category", "outcome"}:
        raise ConfigError(f"{name}:1: write a header with `text` and at least one of sentiment, category, outcome")
    reader.fieldnames = columns
    labels, problems = [], []
    for row in _rows(reader, name):
        known = {column: (row.get(column) or "").strip() for column in COLUMNS}
        if problem := _find_problem(known, policy):
            problems.append(f"{name}:{reader.line_num}: {problem}")
        elif known["text"]:
            labels.append(label_of(**known))
    if problems:
        raise ConfigError("\n".join(problems[:20] + ([f"and {len(problems) - 20} more"] if len(problems) > 20 else [])))
    return labels


def _rows(reader: csv.DictReader[str], name: str) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ConfigError(f"{name}:{reader.line_num}: {error}; a quotation mark that is never closed looks so, too") from None


def _find_problem(row: Mapping[str, str], policy: Policy) -> str:
    for column, allowed in (("sentiment", SENTIMENTS), ("outcome", (VALID, NOT_AN_ISSUE)), ("category", tuple(policy.severity))):
        if row[column] and row[column] not in allowed:
            hint = suggest(row[column], allowed)
            return f"{column}: no {row[column]!r}{hint}" + ("; or add it to the policy's categories" if column == "category" else "")
    return ""


def labels_of_cases(table: Table, policy: Policy) -> Iterator[Label]:
    """What agents said of cases in the CRM: valid or not an issue, another category. A valid case that nobody corrected had the right one."""
    all_rows = (row for status in (OPEN, CLOSED) for row in table.list_rows(f"CASES#{status}"))
    rows = (row for row in all_rows if row.get("signal_ids") and (row.get("outcome") or row.get("corrected")))
    while cases := list(islice(rows, _READ_AT_ONCE)):
        firsts = load_signals(table, [row["signal_ids"][0] for row in cases])
        for case in cases:
            if label := _label_of_case(case, firsts.get(case["signal_ids"][0], {}), policy):
                yield label


def _label_of_case(case: Item, signal: Item, policy: Policy) -> Label | None:
    text, outcome = read_text(signal) if signal else None, case.get("outcome") or ""
    if not text:
        return None
    agreed = outcome == VALID and signal.get("category") in (None, "unknown", case["category"])  # else the case is called after other signals than this
    category = case.get("corrected") or (case["category"] if agreed else "")
    label = label_of(
        text, category=category if policy.known_category(category) != "unknown" else "", outcome=outcome, language=signal.get("language") or "",
        channel=signal.get("channel") or "",
    )  # fmt: skip
    if signal.get("need_reason") != "complaint":  # a question or a grave report is valid without being negative
        label = replace(label, sentiment="")
    return label if label.sentiment or label.category or label.outcome else None
