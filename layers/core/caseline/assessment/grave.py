"""What is grave but told without its words ("candles tonight, the whole street"), by a small linear model beside the phrases and signs.

It sees words, pairs of words, the letters inside words, and the concepts of signs.txt with what they stand beside. infra/training/train_grave.py makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import combinations

from caseline.assessment.embedded.features import pair_slots, slot, tokenise
from caseline.assessment.embedded.model import Head, read_heads
from caseline.assessment.signs import find_places
from caseline.assessment.text import fold_words

MATTERS = ("safety", "legal", "security", "cancel", "outage")
NOTHING = "nothing"
FOUND_FROM = -0.4  # log-odds against nothing from which a matter is found that no phrase names; what stands for nothing is much in training
MEANT_FROM = -0.6  # below it, words that sound grave are not meant so
UPSET_FROM = -1.4  # the same where the customer complains: who does plays with such words less often
FEWEST_WORDS, MOST_WORDS = 2, 40  # words, tokens: it learnt short messages; in a long one something always sounds like something
MOST_CONCEPTS = 30  # of a text whose pairs count
TELLING, LETTERS = 3, 4  # words that are named as a reason, and letters from which a word may be one

Odds = Mapping[str, float]


@lru_cache(maxsize=64)
def weigh_grave(cleaned: str) -> Odds:
    """The log-odds of each matter against nothing grave; empty for a text that is too short or too long to say."""
    tokens = tokenise(cleaned)
    if len(tokens) > MOST_WORDS or sum(token[0].isalpha() for token in tokens) < FEWEST_WORDS:
        return {}
    head = _load_head()
    said = dict(zip(head.labels, head.logits(tokens, pairs=pair_slots(tokens), beside=_read_concepts(cleaned)), strict=True))
    return {matter: said[matter] - said[NOTHING] for matter in MATTERS}


def name_concepts(cleaned: str) -> list[str]:
    return sorted(find_places(fold_words(cleaned)))[:MOST_CONCEPTS]


def find_concepts(cleaned: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The concepts that are named, and every two of them."""
    named = name_concepts(cleaned)
    return named, list(combinations(named, 2))


def concept_slots(cleaned: str) -> list[int]:
    """Of each concept that is named."""
    return [concept_slot(concept) for concept in name_concepts(cleaned)]


@lru_cache(maxsize=8192)
def concept_slot(concept: str, beside: str = "") -> int:
    return slot("kk", f"{concept} {beside}") if beside else slot("k", concept)


def _read_concepts(cleaned: str) -> list[list[int]]:
    named, meetings = find_concepts(cleaned)
    return [[concept_slot(concept) for concept in named], [concept_slot(concept, beside) for concept, beside in meetings]]


def find_telling(cleaned: str, matter: str) -> str:
    """The words that speak most for a matter, in the order of the text."""
    head, tokens = _load_head(), tokenise(cleaned)
    able = [index for index, token in enumerate(tokens) if len(token) >= LETTERS and token.isalpha()] or range(len(tokens))
    speaking = sorted(able, key=lambda index: (-_speak(head, tokens[index], matter), index))[:TELLING]
    return " ".join(tokens[index] for index in sorted(speaking))


def _speak(head: Head, token: str, matter: str) -> float:
    odds = dict(zip(head.labels, head.logits([token]), strict=True))
    return odds[matter] - odds[NOTHING]


@lru_cache(maxsize=1)
def _load_head() -> Head:
    return read_heads(files(__package__).joinpath("embedded/grave.bin").read_bytes())[1]["grave"]
