"""Signs: concepts near each other, in any order."""

from __future__ import annotations

import pytest
from caseline.assessment.signs import read_signs, shipped_signs
from caseline.assessment.text import fold_words

SIGNS = read_signs(
    """
# who
body: hand, hands, eye*
body: mano
hurt: burn*, cut, swelled shut
joke: lol
safety = hurt & body / 3 ! joke
safety = in flames
in flames: in flames, en feu
outage = dark & dark / 5
dark: dark
""".splitlines()
)


def find(text: str) -> list[str]:
    return sorted(SIGNS.find(fold_words(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It burned my hand", ["safety"]), ("my HAND, burnt!", ["safety"]), ("la mano, burned", ["safety"]), ("both eyelids swelled shut", ["safety"]),
        ("burned it, then there was nothing left in my hand", []), ("burned my hand lol", []), ("the hand", []), ("", []),
        ("the car was in flames", ["safety"]), ("flames in", []), ("len feu", []), ("the den is dark", []), ("dark and dark", ["outage"]),
    ],
)
def test_concepts_near_each_other_are_a_sign(text, expected):
    assert find(text) == expected


def test_a_joke_far_away_does_not_hide_what_is_meant():
    assert find("burned my hand " + "and so on " * 10 + "lol") == ["safety"]


def test_what_french_and_italian_elide_is_read():
    assert find("lœil") == []
    signs = read_signs(["supply: internet", "gone: plus", "outage = gone & supply / 2"])
    assert signs.find(fold_words("plus d'internet")) == {"outage"}


def test_every_shipped_sign_is_made_of_concepts_that_are_named():
    shipped = shipped_signs()
    named = {*shipped.lexicon.words.values(), *shipped.lexicon.beginnings.values()}
    known = {concept for concepts in named for concept in concepts}
    known |= {concept for seconds in shipped.lexicon.runs.values() for runs in seconds.values() for _, concept in runs}
    used = {concept for signs in shipped.by_concept.values() for sign in signs for concept in (*sign.needs, *sign.harmless)}
    assert used <= known
    assert not known - used
