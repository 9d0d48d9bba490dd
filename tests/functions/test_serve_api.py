"""What the API refuses, whatever is asked for: wrong fields, parameters and cursors, what is not there, who may not, and what is down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from caseline.errors import UnavailableError

from tests.kit.api import Caller, furnish, many_cases
from tests.kit.office import Office


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"band": "P9"}, "band"),
        ({"band": "P1"}, "reason"),
        ({"band": "P1", "reason": "  "}, "reason"),
        ({"status": "gone"}, "status"),
        ({"queue": "a b"}, "queue"),
        ({"note": ""}, "note"),
        ({"owner": 7}, "owner"),
        ({"outcome": "maybe"}, "outcome"),
        ({"outcome": ["valid"]}, "outcome"),
        ({"category": "nosuch"}, "category"),
        ({"category": 7}, "category"),
        ({"colour": "red"}, "colour"),
        ({"version": True}, "version"),
        ("[1]", "body"),
        ("{", "body"),
        ("[" * 5000, "body"),
    ],
)
def test_a_wrong_field_is_named(office: Office, call: Caller, body: Any, field: str) -> None:
    _, case_key = furnish(office)
    status, answer = call.post(f"/cases/{case_key}", body)
    assert status == 400 and answer["error"]["field"] == field and answer["error"]["code"] == "bad_request" and answer["error"]["correlation_id"] == "req-1"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/cases", {"limit": "0"}, "limit"),
        ("/cases", {"limit": "201"}, "limit"),
        ("/cases", {"limit": "ten"}, "limit"),
        ("/cases", {"limit": "\u0663"}, "limit"),
        ("/cases", {"after": "!!"}, "after"),
        ("/cases", {"after": "W10"}, "after"),
        ("/cases", {"status": "odd"}, "status"),
        ("/cases", {"sort": "odd"}, "sort"),
        ("/customers", {}, "identity"),
        ("/quarantine", {"before": "x"}, "before"),
    ],
)
def test_a_wrong_parameter_is_named(call: Caller, path: str, query: dict[str, str], field: str) -> None:
    response = call.raw("GET", path, query)
    assert response["statusCode"] == 400 and json.loads(response["body"])["error"]["field"] == field


def test_a_cursor_of_another_list_is_refused(office: Office, call: Caller) -> None:
    customer_id, _ = furnish(office)
    many_cases(office)
    cursor = call("/cases", limit="1")["next"]
    assert call.raw("GET", f"/customers/{customer_id}/timeline", {"before": cursor})["statusCode"] == 400
    assert call.raw("GET", "/cases", {"after": cursor, "sort": "newest"})["statusCode"] == 400


@pytest.mark.parametrize("path", ["/customers/cus_none", "/customers/cus_none/timeline", "/cases/none", "/quarantine/none", "/nothing/here"])
def test_what_is_not_there_is_404(call: Caller, path: str) -> None:
    response = call.raw("GET", path)
    assert response["statusCode"] == 404 and json.loads(response["body"])["error"]["code"] == "not_found"


def test_readers_may_not_write_and_a_cookie_alone_must_come_from_our_pages(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    change = {"owner": "Eve"}
    assert call.post(f"/cases/{case_key}", change, roles="viewer")[0] == 403
    assert call.post(f"/cases/{case_key}", change, roles="")[0] == 403
    assert call.post(f"/cases/{case_key}", change, Authorization="", Origin="https://evil.example")[0] == 403
    assert call.post(f"/cases/{case_key}", change, Authorization="", Sec_Fetch_Site="cross-site", Origin="https://care.example")[0] == 403
    assert call.post(f"/cases/{case_key}", change, Authorization="")[0] == 403
    assert call.post(f"/cases/{case_key}", change, Authorization="", Sec_Fetch_Site="same-origin", Origin="https://care.example")[0] == 200


def test_answers_are_never_cached(call: Caller) -> None:
    headers = call.raw("GET", "/cases")["multiValueHeaders"]
    assert headers["Cache-Control"] == ["no-store"] and headers["X-Correlation-Id"] == ["req-1"]


def test_a_service_that_is_down_is_503_and_no_text_of_it_leaks(office: Office, call: Caller) -> None:
    class Down:
        def list_rows(self, *_: Any, **__: Any) -> Any:
            raise UnavailableError("the table answered InternalServerError")

    call.use(replace(office.desk(), table=Down()))
    response = call.raw("GET", "/cases")
    assert response["statusCode"] == 503 and "InternalServerError" not in response["body"] and response["multiValueHeaders"]["Retry-After"]
