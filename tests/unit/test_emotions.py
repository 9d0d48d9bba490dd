"""The 28 emotions, the sets that follow from them, and that nobody pays for them who did not ask."""

from __future__ import annotations

import importlib.resources
import os
import subprocess
import sys
from collections import Counter

import pytest
from caseline.assessment.emotions import EKMAN, FINE, NINE, SETS, add_shares, find_emotions, load_weights
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_robust import ODD

PLAIN = {
    "Thank you so much, you saved my holiday!": ("gratitude", "joy", "gratitude"),
    "You useless idiots, I hate this company": ("anger", "anger", "anger"),
    "I'm sorry, that was my mistake": ("remorse", "sadness", "disappointment"),
    "I am so confused, I don't understand": ("confusion", "surprise", "confusion"),
    "The smell is disgusting": ("disgust", "disgust", "anger"),
    "lol that is hilarious": ("amusement", "joy", "joy"),
    "I love it": ("love", "joy", "joy"),
}


@pytest.mark.parametrize("table", SETS.values(), ids=SETS)
def test_each_of_the_28_stands_in_one_place_of_each_set(table):
    assert len(FINE) == 28
    assert Counter(fine for fines in table.values() for fine in fines) == Counter(list(FINE))


def test_the_sets_are_ekmans_and_ours():
    assert set(EKMAN) == {"anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"}
    assert len(NINE) == 9 and "neutral" in NINE


@pytest.mark.parametrize("text", PLAIN)
def test_plain_feelings_are_named_in_every_set(text):
    found = find_emotions(text, "en")
    assert (next(iter(found.fine)), next(iter(found.ekman)), next(iter(found.nine))) == PLAIN[text]


def test_they_are_said_in_one_line_likeliest_first():
    found = find_emotions("Thank you so much, you saved my holiday!", "en")
    assert list(found.fine.values()) == sorted(found.fine.values(), reverse=True)
    assert str(found).startswith("gratitude 0.") and str(found).endswith("(of Ekman's seven: joy)")


@pytest.mark.parametrize(("text", "language"), [("", "en"), (" \x00 ", "en"), ("Danke sehr", "de"), ("Thank you", None)])
def test_where_they_cannot_be_told_nothing_is_said(text, language):
    assert find_emotions(text, language) is None


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_texts_do_no_harm(text):
    found = find_emotions(text, "en")
    assert found is None or all(0 <= share <= 1 for share in found.fine.values())


@given(st.lists(st.floats(0, 1), min_size=28, max_size=28))
def test_nothing_felt_is_lost_or_doubled_between_sets(shares):
    felt = dict(zip(FINE, shares, strict=True))
    assert all(sum(add_shares(table, felt).values()) == pytest.approx(sum(shares)) for table in SETS.values())


def test_every_label_has_a_bar_and_the_weights_are_small():
    assert {name: set(bars) for name, bars in load_weights().bars.items()} == {name: set(table) for name, table in SETS.items()}
    folder = importlib.resources.files("caseline.assessment.embedded")
    assert sum(len(folder.joinpath(name).read_bytes()) for name in ("model.bin", "emotions.bin")) <= 1_000_000


def test_assessing_never_loads_them_and_every_process_says_the_same():
    program = (
        "import sys; from caseline.assessment import Text, open_analyser;"
        "open_analyser('embedded').assess([Text('Nobody answers, I am furious', None, 'x')] * 30);"
        "assert 'caseline.assessment.emotions' not in sys.modules;"
        "from caseline.assessment.emotions import find_emotions;"
        "print(find_emotions('Nobody answers, I am furious and worried', 'en').to_json())"
    )
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = {
        subprocess.run([sys.executable, "-c", program], env={**os.environ, **path, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "77")
    }
    assert len(said) == 1
