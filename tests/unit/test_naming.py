"""Whom a payload that nobody could read names."""

from __future__ import annotations

import json

import pytest
from caseline.naming import identities_in, names, unescaped, word_of

IDENTITIES = ("email:anna@elm.example", "phone:+441632960777", "x:@anna", "x:6001", "facebook:77001122334455")
WORDS = [word_of(identity) for identity in IDENTITIES]


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"from": "Anna@Elm.example"}),
        json.dumps({"text": "so\nanna@elm.example"}),
        "mail=anna%40elm.example",
        "From=whatsapp%3A%2B441632960777",
        json.dumps({"wa_id": "441632960777"}),
        json.dumps({"screen_name": "Anna"}),
        json.dumps({"text": "from:\n@anna!"}),
        "username=anna",
        "user_id=6001",
        "id=9_77001122334455",
        json.dumps({"userName": "anna"}).replace("anna", "\\u0061nna"),
        "<anna@elm.example>",
    ],
)
def test_however_it_is_written(raw: str) -> None:
    assert names({"raw": raw}, WORDS)


@pytest.mark.parametrize(
    "raw", ['{"name": "Anna"}', '{"login": "annabel"}', "bob@anna.example", "id=160010", '{"wa_id": "4416329607770"}', '{"from": "bob@elm.example"}', ""]
)
def test_nobody_else(raw: str) -> None:
    assert not names({"raw": raw}, WORDS) and not names({"raw": raw}, [])


def test_numbers_have_their_plus_or_not() -> None:
    assert set(identities_in(unescaped('{"a": "441632960777", "b": "%2B4930111111", "c": 12345}'))) == {"phone:+441632960777", "phone:+4930111111"}
