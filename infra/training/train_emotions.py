"""Trains the weights of the 28 emotions: `train_emotions.py DATA_FOLDER [OUTPUT]`. Libraries and promises as in train_embedded.py.

A tenth of the texts is held back, by the hash of the text, and neither fitted nor tuned on. The bars are tuned on what models say of texts
that they did not see.
"""

from __future__ import annotations

import sys
from pathlib import Path

from corpora import HERE, PACKAGE, part_of, read_lexicon, read_rows  # first: it finds the product
from train_embedded import WIDTH, build_matrix, fit_softmax, pack_head, pack_model, show_digests  # and this keeps numpy to one thread

# isort: split
import numpy as np
from caseline.assessment.emotions import FINE, SETS, Table
from scipy.sparse import csr_matrix, diags

LABELS = tuple(FINE)
HELD_BACK = 0  # of the ten parts
FOLDS = 4
PENALTY = 6e-5
RARE = 0.5  # an emotion counts by its rate to the power of minus this, or the rare ones would hardly be learnt
LEVELS = 31  # of a weight; finer ones are no better, and take twice the room
CHARS_WEIGHT = 1.0


def read_emotions(folder: Path) -> tuple[list[str], np.ndarray]:
    """Texts in order, each once a judgement, and who feels what: a row of shares that add up to one."""
    rows = sorted({(row["text"], row["emotions"]) for row in read_rows(folder, "goemotions.csv")})
    felt = np.array([[float(label in emotions.split("|")) for label in LABELS] for _, emotions in rows])
    return [text for text, _ in rows], felt / felt.sum(axis=1, keepdims=True)


def fit(rows: csr_matrix, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A slot counts by how rare it is, which the weights then hold; the bias gives back to each emotion the rate that `RARE` took."""
    seen = np.asarray((rows != 0).sum(axis=0)).ravel()
    telling = np.log((rows.shape[0] + 1) / (seen + 1) + 1) / 4
    telling[WIDTH:] = 1.0  # facts are no slots
    rate = shares.mean(axis=0)
    weights, bias = fit_softmax(csr_matrix(rows @ diags(telling)), shares, shares @ rate**-RARE, PENALTY, steps=60)
    return weights * telling[:, None], bias + RARE * np.log(rate)


def say(rows: csr_matrix, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    logits = rows @ weights + bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def say_unseen(rows: csr_matrix, shares: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """What is said of each row by a model that saw the other folds."""
    said = np.zeros_like(shares)
    for fold in range(FOLDS):
        out = folds == fold
        said[out] = say(rows[out], *fit(rows[~out], shares[~out]))
    return said


def find_bars(table: Table, said: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    columns = {label: [LABELS.index(fine) for fine in fines] for label, fines in table.items()}
    return {label: best_bar(said[:, mine].sum(axis=1), shares[:, mine].sum(axis=1) > 0) for label, mine in columns.items()}


def best_bar(said: np.ndarray, truth: np.ndarray) -> float:
    """The bar of the best F1: every gap between two shares is tried."""
    order = np.argsort(-said, kind="stable")
    hits, told = np.cumsum(truth[order]), np.arange(1, len(said) + 1)
    best = int(np.argmax(2 * hits / (told + truth.sum())))
    return round(float(said[order][best] + said[order][min(best + 1, len(said) - 1)]) / 2, 4)


def train(folder: Path) -> bytes:
    texts, shares = read_emotions(folder)
    kept = np.array([part_of(text) != HELD_BACK for text in texts])
    folds = np.array([part_of(text, salt="fold") % FOLDS for text in texts])[kept]
    rows, shares = build_matrix(texts, read_lexicon(), chars=CHARS_WEIGHT)[kept], shares[kept]
    said = say_unseen(rows, shares, folds)
    head = pack_head("fine", LABELS, *fit(rows, shares), levels=LEVELS, chars=CHARS_WEIGHT)
    return pack_model([head], bars={name: find_bars(table, said, shares) for name, table in SETS.items()})


if __name__ == "__main__":
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else PACKAGE / "caseline" / "assessment" / "embedded" / "emotions.bin"
    output.write_bytes(train(Path(sys.argv[1])))
    show_digests({"goemotions.csv": Path(sys.argv[1]) / "goemotions.csv", "lexicon/vader.tsv": HERE / "lexicon" / "vader.tsv"}, output)
