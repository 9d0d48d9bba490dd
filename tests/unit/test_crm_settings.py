"""Settings of an adapter by the types of its dataclass, and fields that a CRM may lack."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from caseline.crm._optional import MissingFieldError, OptionalFields
from caseline.crm._settings import read_settings
from caseline.errors import ConfigError, CrmRejectedError


@dataclass(frozen=True)
class Settings:
    url: str = ""
    leads: bool = False
    overlap: int = 180
    share: float = 0.5
    statuses: tuple[str, ...] = ("Open",)
    fields: Mapping[str, str] = field(default_factory=lambda: {"key": "cx_key", "score": "cx_score"})
    options: Mapping[str, int] = field(default_factory=dict)


def read(**given: Any) -> Settings:
    return read_settings(Settings, "acme", given)


def test_nothing_given_is_all_defaults() -> None:
    assert read() == read(name="acme") == Settings()


def test_values_of_each_type() -> None:
    found = read(url="https://crm.example", leads=True, overlap="60", share=1, statuses=["A", 7], options={"P1": "3"})
    assert found == Settings("https://crm.example", True, 60, 1.0, ("A", "7"), options={"P1": 3})
    assert read(statuses="Only").statuses == ("Only",) and read(url=66.0).url == "66.0"


def test_a_mapping_is_laid_over_its_default() -> None:
    assert read(fields={"score": "", "link": "cx_link"}).fields == {"key": "cx_key", "score": "", "link": "cx_link"}
    assert Settings().fields == {"key": "cx_key", "score": "cx_score"}, "which stays as it was"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"colour": "red"}, "crm.colour is no setting of acme; write one of url, leads"),
        ({"leads": "yes"}, "crm.leads: write true or false"),
        ({"overlap": "soon"}, "crm.overlap: write a whole number"),
        ({"overlap": True}, "crm.overlap: write a whole number"),
        ({"overlap": 1.5}, "crm.overlap: write a whole number"),
        ({"share": "x"}, "crm.share: write a number"),
        ({"url": None}, "crm.url: write a text"),
        ({"url": ["x"]}, "crm.url: write a text"),
        ({"url": True}, "crm.url: write a text"),
        ({"statuses": {"a": 1}}, "crm.statuses: write a list"),
        ({"statuses": 7}, "crm.statuses: write a list"),
        ({"statuses": [["a"]]}, "crm.statuses: write a text"),
        ({"fields": ["a"]}, "crm.fields: write a mapping"),
        ({"fields": {"key": {"a": 1}}}, "crm.fields.key: write a text"),
        ({"options": {"P1": "high"}}, "crm.options.P1: write a whole number"),
    ],
)
def test_a_wrong_setting_says_what_to_write(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**given)
    assert str(caught.value).startswith(words)


def test_what_is_missing_is_left_out_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    optional, asked = OptionalFields("Acme"), list[list[str]]()

    def request() -> str:
        asked.append(optional.of("case", ["key", "Score", "link", "link", ""]))
        for name in ("Score", "link"):
            if name in asked[-1]:
                raise MissingFieldError("case", name)
        return "done"

    with caplog.at_level(logging.WARNING):
        assert optional.attempt(request, ["case.key"]) == optional.attempt(request) == "done"
    assert asked == [["key", "Score", "link"], ["key", "link"], ["key"], ["key"]]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["Acme lacks case.Score", "Acme lacks case.link"]
    assert not optional.has("case", "SCORE") and optional.has("case") and optional.has("case", "key")


def test_what_is_required_is_an_error_that_says_what_to_install() -> None:
    optional = OptionalFields("Acme")

    def request() -> None:
        raise MissingFieldError("case", "key", "by the role Acme")

    with pytest.raises(CrmRejectedError) as caught:
        optional.attempt(request, ["case.key"])
    assert caught.value.field == "case.key" and "by the role Acme" in str(caught.value)


def test_what_goes_on_missing_is_no_endless_loop() -> None:
    def request() -> None:
        raise MissingFieldError("contract", "")

    with pytest.raises(CrmRejectedError):
        OptionalFields("Acme").attempt(request)
