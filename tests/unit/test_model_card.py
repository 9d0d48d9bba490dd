"""The model card pins what the shipped model was made of."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EMBEDDED = ROOT / "layers" / "core" / "caseline" / "assessment" / "embedded"
PINNED = dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (EMBEDDED / "MODEL_CARD.md").read_text(encoding="utf-8"), re.MULTILINE))
OURS = {name: EMBEDDED / name for name in ("model.bin", "emotions.bin", "grave.bin")}
OURS |= {name: ROOT / "infra" / "training" / name for name in ("customer_voice.txt", "grave_voice.txt", "lexicon/own.txt", "lexicon/vader.tsv")}


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_is_what_the_card_says(name):
    assert hashlib.sha256(OURS[name].read_bytes()).hexdigest() == PINNED[name]


def test_every_set_that_trains_is_pinned_and_none_that_may_not():
    assert {name for name in PINNED if name.endswith(".csv")} == {
        "tweets_general_sentiment.csv", "valence_reviews_tweets.csv", "goemotions.csv", "xed_emotions_8lang.csv", "cfpb_complaints.csv",
        "multidogo_turns.csv", "banking77.csv",
    }
    assert not any(word in " ".join(PINNED) for word in ("airline", "app_reviews", "8lang_sentiment"))
