"""The embedded analyser on what strangers send: no exception, and never long."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from caseline.assessment import Text, open_analyser
from hypothesis import given
from hypothesis import strategies as st

ANALYSER = open_analyser("embedded")
ODD = {
    "empty": "", "emoji": "😡", "5,120 bytes": "the parcel is late " * 269, "1 MB": "a" * 1_000_000, "NUL": "bad\x00service\x00again",
    "lone surrogate": "bad \ud83d service", "right to left": "الخدمة سيئة جدا ولا أحد يرد \u202eabc", "10k repeats": "no " * 10_000,
    "punctuation": "?!" * 5_000, "one long word": "burn" * 3_000, "many of one concept": "hand burned " * 900,
    "two concepts far apart": "hand " * 490 + "x " * 40 + "burned " * 300, "all harmless": "hand burned lol " * 300,
    "zero width": "\u200b" * 5_000, "combining": "e\u0301" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("language", [None, "en", "de", "xx"])
def test_odd_texts_are_answered_quickly(name, language):
    ANALYSER.assess([Text("warm up the caches, please", language)])
    started = time.process_time()
    said = ANALYSER.assess([Text(ODD[name], language, "x")])[0]
    assert time.process_time() - started < 0.5  # 50 ms on a machine that is not shared
    assert (said.sentiment is None) == bool(said.unscored)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300), st.sampled_from([None, "en", "fr", "pt-BR", "??"]))
def test_any_text_has_an_answer(text, language):
    said = ANALYSER.assess([Text(text, language)])[0]
    assert 0 <= said.confidence <= 1
    assert said.category in ANALYSER.rules.taxonomy.names


def test_the_same_texts_give_the_same_answers_in_every_process():
    program = (
        "import json; from caseline.assessment import Text, open_analyser; from tests.evaluation.own import read_own;"
        "texts = [Text(row['text'], None, 'x') for name in ('own.tsv', 'grave.tsv') for row in read_own(name)];"
        "print(json.dumps([said.to_json() for said in open_analyser('embedded').assess(texts)]))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
            capture_output=True, check=True,
        ).stdout
        for seed in ("1", "77")
    }
    assert len(answers) == 1
