"""Trains the embedded analyser's weights: `train_embedded.py DATA_FOLDER [OUTPUT]`. Needs numpy 2.4.6 and scipy 1.17.1; the product needs neither.

The same data, libraries and processor give the same bytes: inputs are sorted, nothing is drawn at random, one thread.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zlib
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402
from corpora import (  # noqa: E402
    HERE,
    LANGUAGES,
    PACKAGE,
    SENTIMENTS,
    Example,
    emotions,
    english_sentiment,
    languages,
    other_sentiment,
    read_lexicon,
    read_own_lexicon,
)
from scipy.optimize import minimize  # noqa: E402
from scipy.sparse import csr_matrix  # noqa: E402

# isort: split
from caseline.assessment.embedded.features import CHARS_WEIGHT, MASK, char_slots, pair_slots, slot, tokenise  # noqa: E402
from caseline.assessment.embedded.lexicon import NAMES, read_facts  # noqa: E402
from caseline.assessment.emotions import NINE  # noqa: E402

VERSION = "2"
WIDTH = MASK + 1
INPUTS = (  # of the data folder; MODEL_CARD.md has the SHA-256 of each
    "tweets_general_sentiment.csv", "valence_reviews_tweets.csv", "goemotions.csv", "xed_emotions_8lang.csv", "cfpb_complaints.csv",
    "multidogo_turns.csv", "banking77.csv",
)
OWN_INPUTS = (HERE / "customer_voice.txt", HERE / "lexicon" / "own.txt", HERE / "lexicon" / "vader.tsv")
OTHER_PENALTY = 4e-4  # subtitles are far from customers: only what is said often is believed
LEXICON_SCALE = 10  # valences are kept as tenths


def build_matrix(texts: list[str], lexicon: dict[str, float], *, wordy: bool = True, chars: float = CHARS_WEIGHT) -> csr_matrix:
    """Rows of slots and, where `wordy`, pairs and lexicon facts in further columns."""
    data: list[float] = []
    columns: list[int] = []
    ends = [0]
    for text in texts:
        for column, value in read_row(text, lexicon, wordy, chars):
            columns.append(column)
            data.append(value)
        ends.append(len(columns))
    matrix = csr_matrix((np.array(data), np.array(columns), np.array(ends)), shape=(len(texts), WIDTH + len(NAMES)))
    matrix.sum_duplicates()
    return matrix


def read_row(text: str, lexicon: dict[str, float], wordy: bool, chars: float) -> list[tuple[int, float]]:
    tokens = tokenise(text)
    blocks = [([slot("w", token) for token in tokens], 1.0), ([s for token in tokens for s in char_slots(token)], chars)]
    if wordy:
        blocks.append((pair_slots(tokens), 1.0))
    row = [(s, weight / len(slots) ** 0.5) for slots, weight in blocks for s in slots]
    return row + [(WIDTH + i, fact) for i, fact in enumerate(read_facts(tokens, text, lexicon)) if wordy and fact]


def fit_softmax(rows: csr_matrix, targets: np.ndarray, weights: np.ndarray, penalty: float, steps: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression by L-BFGS; `targets` holds class probabilities, a row each."""
    classes, turned = targets.shape[1], rows.T.tocsr()
    share = (weights / weights.sum())[:, None]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = flat.reshape(-1, classes)
        logits = rows @ coefficients[:-1] + coefficients[-1]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = (np.exp(logits) - targets) * share
        gradient = np.vstack([turned @ error + penalty * coefficients[:-1], error.sum(axis=0)])
        return float(-(targets * logits * share).sum() + penalty / 2 * (coefficients[:-1] ** 2).sum()), gradient.ravel()

    return _minimise(loss, (rows.shape[1] + 1, classes), steps)


def fit_each(rows: csr_matrix, targets: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """One logistic regression a label, positives and negatives of equal mass."""
    turned = rows.T.tocsr()
    rate = targets.mean(axis=0)
    share = np.where(targets > 0, 0.5 / rate, 0.5 / (1 - rate)) / len(targets)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = flat.reshape(-1, targets.shape[1])
        logits = rows @ coefficients[:-1] + coefficients[-1]
        error = (1 / (1 + np.exp(-logits)) - targets) * share
        value = (np.logaddexp(0, logits) - targets * logits) * share
        gradient = np.vstack([turned @ error + penalty * coefficients[:-1], error.sum(axis=0)])
        return float(value.sum() + penalty / 2 * (coefficients[:-1] ** 2).sum()), gradient.ravel()

    return _minimise(loss, (rows.shape[1] + 1, targets.shape[1]))


def _minimise(loss: object, shape: tuple[int, int], steps: int = 90) -> tuple[np.ndarray, np.ndarray]:
    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": 6})
    coefficients = found.x.reshape(shape)
    return coefficients[:-1], coefficients[-1]


def one_hot(examples: list[Example], labels: tuple[str, ...]) -> np.ndarray:
    return np.array([[float(label in e.labels) for label in labels] for e in examples])


def pack_head(
    name: str, labels: tuple[str, ...], weights: np.ndarray, bias: np.ndarray, *, levels: int = 127, **facts: object
) -> tuple[dict[str, object], bytes]:
    """Weights of the slots as int8 with a scale a label; those of the facts and the bias stay numbers."""
    slots = weights[:WIDTH]
    scale = np.abs(slots).max(axis=0) / levels
    header = {
        "name": name, "labels": list(labels), "scale": [float(f"{s:.6g}") for s in scale], "bias": [round(float(b), 4) for b in bias],
        "facts": [[round(float(w), 4) for w in row] for row in weights[WIDTH:]], **facts,
    }
    return header, np.rint(slots / scale).astype(np.int8).tobytes()


def train(folder: Path) -> bytes:
    lexicon, own = read_lexicon(), read_own_lexicon()
    heads = [train_sentiment("sentiment", english_sentiment(folder), lexicon, 6e-6)]
    heads += [train_sentiment("sentiment_other", other_sentiment(folder), own, OTHER_PENALTY, even=True)]
    heads += [train_emotions(emotions(folder), lexicon), train_languages(languages(folder))]
    words = {name: pack_lexicon(entries) for name, entries in (("en", lexicon), ("other", own))}
    return pack_model(heads, lexicons=words, lexicon_scale=LEXICON_SCALE)


def pack_model(heads: list[tuple[dict[str, object], bytes]], **facts: object) -> bytes:
    header = {"version": VERSION, "heads": [head for head, _ in heads], **facts}
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    return zlib.compress(text.encode() + b"\n" + b"".join(blob for _, blob in heads), 9)


def pack_lexicon(lexicon: dict[str, float]) -> dict[str, int]:
    return {word: round(valence * LEXICON_SCALE) for word, valence in sorted(lexicon.items())}


def train_sentiment(
    name: str, examples: list[Example], lexicon: dict[str, float], penalty: float, *, even: bool = False
) -> tuple[dict[str, object], bytes]:
    """`even` gives the three classes equal mass, for sets whose shares say nothing of customers (subtitles are rarely neutral)."""
    rows, targets = build_matrix([e.text for e in examples], lexicon), one_hot(examples, SENTIMENTS)
    shares = np.array([e.weight for e in examples])
    if even:
        shares = shares / (targets @ (targets.T @ shares))
    weights, bias = fit_softmax(rows, targets, shares, penalty)
    return pack_head(name, SENTIMENTS, weights, bias)


def train_emotions(examples: list[Example], lexicon: dict[str, float]) -> tuple[dict[str, object], bytes]:
    labels = tuple(NINE)
    rows, targets = build_matrix([e.text for e in examples], lexicon), one_hot(examples, labels)
    tune = np.arange(len(examples)) % 10 == 0
    weights, bias = fit_each(rows[~tune], targets[~tune], 2e-5)
    chances = 1 / (1 + np.exp(-(rows[tune] @ weights + bias)))
    thresholds = [best_threshold(chances[:, i], targets[tune, i]) for i in range(len(labels))]
    return pack_head("emotion", labels, weights, bias, thresholds=thresholds)


def best_threshold(chances: np.ndarray, truth: np.ndarray) -> float:
    """The threshold of the best F1."""

    def f1(threshold: float) -> float:
        said = chances >= threshold
        return 2 * (said & (truth > 0)).sum() / max(1, said.sum() + truth.sum())

    return round(max((t / 50 for t in range(10, 49)), key=f1), 2)


def train_languages(examples: list[Example]) -> tuple[dict[str, object], bytes]:
    rows = build_matrix([e.text for e in examples], {}, wordy=False)
    weights, bias = fit_softmax(rows, one_hot(examples, LANGUAGES), np.array([e.weight for e in examples]), 1e-5)
    return pack_head("language", LANGUAGES, weights, bias)


def show_digests(inputs: dict[str, Path], output: Path) -> None:
    """Lines as MODEL_CARD.md has them."""
    for name, path in {**inputs, output.name: output}.items():
        print(f"| {name} | {hashlib.sha256(path.read_bytes()).hexdigest()} |")
    print(f"{output.name}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else PACKAGE / "caseline" / "assessment" / "embedded" / "model.bin"
    output.write_bytes(train(Path(sys.argv[1])))
    show_digests({name: Path(sys.argv[1]) / name for name in INPUTS} | {str(path.relative_to(HERE)): path for path in OWN_INPUTS}, output)
