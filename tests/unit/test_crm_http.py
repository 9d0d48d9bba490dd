"""HTTP to CRMs: addresses, waiting times, texts and query languages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.crm._http import HttpApi, check_base_url
from caseline.crm._text import fit_text
from caseline.crm.salesforce._soql import phone_search, quote, quote_like
from caseline.errors import ConfigError, CrmUnavailableError
from caseline.limits import MAX_RETRY_AFTER, parse_retry_after
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.salesforce.soql import Condition, matches, parse, parse_search

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("url", ["https://acme.my.salesforce.com", "https://acme.my.salesforce.com/", "http://127.0.0.1:8080", "http://localhost:1"])
def test_good_addresses(url: str) -> None:
    assert check_base_url("crm", url) == url.rstrip("/")


@pytest.mark.parametrize("url", ["", "acme.example", "http://acme.example", "ftp://acme.example", "https://", "https://a@b.example", "https://a.example?x=1"])
def test_bad_addresses(url: str) -> None:
    with pytest.raises(ConfigError):
        check_base_url("crm", url)


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example/", "@evil.example/", ""])
def test_no_path_leads_to_another_host(path: str) -> None:
    with pytest.raises(CrmUnavailableError):
        HttpApi("crm", "https://a.example", session=object()).call("GET", path)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0), (" 3 ", 3.0), ("0", 0.0), ("1.5", 1.5), ("99999999", MAX_RETRY_AFTER),
        ("Sat, 21 Nov 2026 10:01:00 GMT", 60.0), ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        (None, None), ("", None), ("-5", None), ("soon", None), ("1e400", MAX_RETRY_AFTER), ("12abc", None), ("\u0663", 3.0),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_retry_after_crashes(value: str) -> None:
    found = parse_retry_after(value, NOW)
    assert found is None or (0 <= found <= MAX_RETRY_AFTER and not math.isnan(found))


@settings(deadline=None)
@given(st.integers(0, 80_000))
def test_an_http_date_counts_from_now(seconds: int) -> None:
    assert parse_retry_after((NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT"), NOW) == seconds


@settings(deadline=None)
@given(st.text(), st.integers(1, 40))
def test_text_fits(text: str, limit: int) -> None:
    fitted = fit_text(text, limit)
    assert len(fitted.encode("utf-16-le")) // 2 <= limit
    assert fit_text(fitted, limit) == fitted
    assert not set(fitted) & {"\x00", "\ud800"}


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60), st.sampled_from(["", "x", "' OR Name != '"]))
def test_a_value_in_a_query_is_only_ever_that_value(text: str, other: str) -> None:
    where = parse(f"SELECT Id FROM Contact WHERE Email = {quote(text)} AND Name LIKE {quote_like(text)}").where
    assert (where[0], where[1]) == ("AND", Condition("Email", "=", text))
    get: Any = lambda row, path: row[path]  # noqa: E731
    assert matches(where, {"Email": text, "Name": f"a{text}b"}, get)
    assert text.casefold() in other.casefold() or not matches(where[2], {"Name": other}, get)


@settings(deadline=None)
@given(st.lists(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), min_size=1, max_size=4))
def test_a_phone_search_holds_digits_only(numbers: list[str]) -> None:
    terms, scope, entity, columns = parse_search(phone_search(numbers))
    assert (terms, scope, entity, columns) == ([*dict.fromkeys(number[1:] for number in numbers)], "PHONE", "Contact", ["Id"])


@pytest.mark.parametrize(("wanted", "other"), [("50%off", "50 percent off"), ("a_b", "axb"), ("a\\%", "a\\b"), ("it's", "its")])
def test_no_character_of_a_value_is_a_wildcard(wanted: str, other: str) -> None:
    where = parse(f"SELECT Id FROM Contact WHERE Name LIKE {quote_like(wanted)}").where
    get: Any = lambda row, path: row[path]  # noqa: E731
    assert matches(where, {"Name": f"<{wanted}>"}, get) and not matches(where, {"Name": other}, get)
