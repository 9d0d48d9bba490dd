"""Trains the weights of assessment/grave.py: `train_grave.py DATA_FOLDER [OUTPUT]`. Needs numpy 2.4.6 and scipy 1.17.1 beside what the product needs.

The sentences are our own (grave_voice.txt, and those that guard the signs). Real messages and templates of ordinary trouble that no phrase or sign calls
grave stand for the ordinary, at little weight, so that few of them sound grave; a word counts the less, the more of these have it.
The same data, libraries and processor give the same bytes.
Whoever changes features.py, the concepts of signs.txt or a sentence trains again.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import zlib
from pathlib import Path

import numpy as np
from corpora import HERE, Example, complaints, customer_voice, expand, read_rows
from scipy.sparse import csr_matrix, diags
from train_embedded import PACKAGE, WIDTH, build_matrix, fit_softmax, one_hot, pack_head

sys.path.insert(0, str(PACKAGE))

from caseline.assessment import Assessment
from caseline.assessment.embedded.features import BESIDE_WEIGHT
from caseline.assessment.grave import MATTERS, NOTHING, concept_slot, find_concepts
from caseline.assessment.rules import Rules
from caseline.assessment.taxonomy import default_taxonomy
from caseline.assessment.text import clean_text

LABELS = (*MATTERS, NOTHING)
PENALTY = 1e-5
TELLING_SCALE = 6.0
TEMPLATE_WEIGHT = 12.0  # a template counts as twelve sentences at most, however many it makes
ORDINARY_EACH, ORDINARY_WEIGHT = 2500, 0.1
COMPLAINTS, TROUBLE_EACH, TROUBLE_WEIGHT = 1500, 12, 0.3  # sentences to a regulator; of each template of customer_voice.txt
BANK_EACH, BANK_WEIGHT = 25, 0.2  # of each intent: messages about accounts and cards of which most are nothing grave
BANK_MATTERS = {
    "compromised_card": "security", "lost_or_stolen_card": "security", "lost_or_stolen_phone": "security", "card_payment_not_recognised": "security",
    "cash_withdrawal_not_recognised": "security", "direct_debit_payment_not_recognised": "security", "terminate_account": "cancel",
}
ORDINARY = (("tweets_general_sentiment.csv", ""), ("goemotions.csv", ""), ("multidogo_turns.csv", ""), ("xed_emotions_8lang.csv", "de es fr it pt"))
GUARDS = HERE.parents[1] / "tests" / "evaluation" / "data"
OWN_INPUTS = (HERE / "grave_voice.txt", GUARDS / "grave.tsv", GUARDS / "grave_wide.tsv")


def read_voice() -> list[Example]:
    """`= matter language` heads the sentences below it; {a|b} is a choice, as in customer_voice.txt."""
    examples, matter, language = [], "", ""
    for line in OWN_INPUTS[0].read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            _, matter, language = line.split()
        elif line and not line.startswith("#"):
            sentences = expand(line)
            weight = min(1.0, TEMPLATE_WEIGHT / len(sentences))
            examples += [Example(" ".join(sentence.split()), (name_label(matter),), weight, language) for sentence in sentences]
    return examples


def read_guards() -> list[Example]:
    rows = (line.split("\t") for path in OWN_INPUTS[1:] for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return [Example(text, (name_label(matter),), 1.0, language) for matter, language, text in rows]


def name_label(matter: str) -> str:
    return NOTHING if matter == "-" else matter


def read_ordinary(folder: Path) -> list[Example]:
    """Real messages in which phrases and signs find nothing grave, a seeded sample of each set, and templates of ordinary trouble."""
    found = [Example(text, (NOTHING,), ORDINARY_WEIGHT) for text in sample_messages(folder)]
    found += [Example(each.text, (NOTHING,), TROUBLE_WEIGHT, each.language) for each in customer_voice(TROUBLE_EACH)]
    rules = Rules(default_taxonomy(), indirect=False)
    return [each for each in found if not rules.taxonomy.is_grave(rules.find_by_phrases(clean_text(each.text), each.language, Assessment()))]


def sample_messages(folder: Path) -> list[str]:
    found = random.Random(COMPLAINTS).sample(sorted({each.text for each in complaints(folder)}), COMPLAINTS)  # noqa: S311
    for name, languages in ORDINARY:
        texts = sorted({row["text"] for row in read_rows(folder, name) if not languages or row["lang"] in languages.split()})
        found += random.Random(name).sample(texts, ORDINARY_EACH)  # noqa: S311
    return found


def read_bank(folder: Path) -> list[Example]:
    intents: dict[str, list[str]] = {}
    for row in read_rows(folder, "banking77.csv"):
        intents.setdefault(row["category"], []).append(row["text"])
    chosen = ((name, text) for name in sorted(intents) for text in sorted(intents[name])[:BANK_EACH])
    return [Example(text, (BANK_MATTERS.get(name, NOTHING),), BANK_WEIGHT) for name, text in chosen]


def build_concepts(texts: list[str]) -> csr_matrix:
    """The blocks that grave.py lays beside the words."""
    data: list[float] = []
    columns: list[int] = []
    ends = [0]
    for text in texts:
        named, meetings = find_concepts(text)
        for slots in ([concept_slot(concept) for concept in named], [concept_slot(*both) for both in meetings]):
            columns += slots
            data += [BESIDE_WEIGHT / max(1, len(slots)) ** 0.5] * len(slots)
        ends.append(len(columns))
    matrix = csr_matrix((np.array(data), np.array(columns), np.array(ends)), shape=(len(texts), WIDTH))
    matrix.sum_duplicates()
    return matrix


def build_rows(texts: list[str]) -> csr_matrix:
    """Words and concepts share the slots; facts of a lexicon there are none."""
    words = build_matrix(texts, {})[:, :WIDTH]
    return (words + build_concepts(texts)).tocsr()


def weigh_slots(rows: csr_matrix) -> np.ndarray:
    """By how few of these ordinary messages have it: else common words would speak for whatever our own sentences happen to say with them."""
    seen = np.asarray((rows != 0).sum(axis=0)).ravel()
    return np.asarray(np.log((rows.shape[0] + 1) / (seen + 1) + 1) / TELLING_SCALE)


def train(folder: Path) -> bytes:
    examples = sorted({*read_voice(), *read_guards(), *read_ordinary(folder), *read_bank(folder)})
    rows = build_rows([clean_text(each.text) for each in examples])
    telling = weigh_slots(rows[[each.weight == ORDINARY_WEIGHT for each in examples]])
    weights, bias = fit_softmax(csr_matrix(rows @ diags(telling)), one_hot(examples, LABELS), np.array([each.weight for each in examples]), PENALTY)
    weights = weights * telling[:, None]
    head, blob = pack_head("grave", LABELS, weights, bias, beside=BESIDE_WEIGHT)
    return zlib.compress(json.dumps({"heads": [head]}, sort_keys=True, separators=(",", ":")).encode() + b"\n" + blob, 9)


if __name__ == "__main__":
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else PACKAGE / "caseline" / "assessment" / "embedded" / "grave.bin"
    packed = train(Path(sys.argv[1]))
    output.write_bytes(packed)
    for name, path in {**{path.name: path for path in OWN_INPUTS}, "grave.bin": output}.items():
        print(f"| {name} | {hashlib.sha256(path.read_bytes()).hexdigest()} |")
    print(f"{output.name}: {len(packed):,} bytes")
