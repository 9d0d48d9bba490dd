"""Salesforce: its error codes, limits, locks and outages as Caseline's errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import Note, Usage
from caseline.errors import CrmAuthError, CrmConflictError, CrmError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError

from tests.kit.crms import RECORD
from tests.kit.crms.salesforce import SalesforceWorld
from tests.kit.salesforce.errors import SalesforceError

ANN = ["email:ann@example.com"]


def answer_of(code: str, message: str = "", status: int = 400, **more: Any) -> dict[str, Any]:
    return {"status": status, "body": [{"errorCode": code, "message": message, **more}], "times": 5}


CODES: list[tuple[dict[str, Any], type[CrmError], str]] = [
    (answer_of("UNABLE_TO_LOCK_ROW"), CrmConflictError, ""),
    (answer_of("DUPLICATE_VALUE", "duplicate value found"), CrmConflictError, ""),
    (answer_of("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403), CrmRateLimitError, ""),
    (answer_of("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.", 403), CrmRateLimitError, ""),
    (answer_of("INSUFFICIENT_ACCESS_OR_READONLY", status=403), CrmAuthError, ""),
    (answer_of("SERVER_UNAVAILABLE", status=503), CrmUnavailableError, ""),
    (answer_of("STRING_TOO_LONG", "Subject: data value too large: my card is 4111", fields=["Subject"]), CrmRejectedError, "Subject"),
    (answer_of("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Priority: bad value", fields=["Priority"]), CrmRejectedError, "Priority"),
    (answer_of("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Origin is required here", fields=["Origin"]), CrmRejectedError, "Origin"),
    (answer_of("REQUIRED_FIELD_MISSING", "Required fields are missing: [Product__c]", fields=["Product__c"]), CrmRejectedError, "Product__c"),
    (answer_of("DUPLICATES_DETECTED", "Use one of these records?"), CrmRejectedError, ""),
    (answer_of("JSON_PARSER_ERROR"), CrmRejectedError, ""),
]


@pytest.mark.parametrize(("answer", "kind", "field"), CODES, ids=lambda value: value["body"][0]["errorCode"] if isinstance(value, dict) else "")
@pytest.mark.parametrize("inside", [False, True], ids=["whole", "part"])
def test_each_code_has_its_error(there: SalesforceWorld, answer: dict[str, Any], kind: type[CrmError], field: str, inside: bool) -> None:
    """Of the call, or of one request in it."""
    if inside:
        there.org.rules["Case"] = [lambda before, after: refuse(answer)]
    else:
        there.simulator.faults.add("answer", "/composite", **answer)
    for first in (True, False):
        with pytest.raises(kind) as caught:
            there.adapter().save_case(replace(RECORD, first=first, notes=(Note("n-1", "words"),)))
        assert getattr(caught.value, "field", "") == field
        assert "4111" not in str(caught.value), "a message may quote what the customer wrote"
    assert there.cases() == [] and there.org.all("CaseComment") == []


def refuse(answer: dict[str, Any]) -> str:
    [error] = answer["body"]
    raise SalesforceError(answer["status"], error["errorCode"], error["message"], error.get("fields"))


def test_the_daily_quota_waits_longer_than_the_concurrent_one(there: SalesforceWorld) -> None:
    crm = there.adapter()
    crm.find_account(ANN)
    there.simulator.limit = there.simulator.used
    with pytest.raises(CrmRateLimitError) as caught:
        crm.find_account(ANN)
    assert caught.value.retry_after == 900
    assert crm.usage == Usage(0, there.simulator.limit, 86_400)


def test_a_locked_row_is_a_conflict(there: SalesforceWorld) -> None:
    crm = there.adapter()
    there.org.locked.add(crm.save_case(RECORD).crm_id)
    with pytest.raises(CrmConflictError):
        crm.save_case(replace(RECORD, version=2))
    there.org.locked.clear()
    crm.save_case(replace(RECORD, version=2))
    assert there.case()["CX_Version__c"] == 2


def test_duplicate_rules_are_overruled_unless_the_org_says_no(there: SalesforceWorld) -> None:
    there.org.find_duplicates = lambda entity, record: [there.org.user]
    with pytest.raises(CrmRejectedError):
        there.adapter(allow_duplicates=False).save_case(RECORD)
    assert there.adapter().save_case(RECORD).created


def test_an_outage_inside_a_composite_answer_is_not_an_empty_one(there: SalesforceWorld, ann: str) -> None:
    part = {"referenceId": "emails", "httpStatusCode": 503, "httpHeaders": {}, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": ""}]}
    for body in ({"compositeResponse": [part]}, {"compositeResponse": []}, {"compositeResponse": None}, [], "text"):
        there.simulator.faults.add("answer", "/composite", status=200, body=body)
        with pytest.raises(CrmUnavailableError):
            there.adapter().find_account(ANN)


def test_an_answer_that_never_ends_is_cut(there: SalesforceWorld) -> None:
    there.simulator.faults.add("answer", "/composite", status=200, body='{"x": "' + "y" * 6_000_000 + '"}')
    with pytest.raises(CrmUnavailableError, match="more than"):
        there.adapter().find_account(ANN)


@pytest.mark.parametrize(("headers", "seconds"), [({}, 0.0), ({"Retry-After": "600"}, 600.0)])
def test_a_salesforce_that_is_down_is_left_alone_only_for_as_long_as_it_says(there: SalesforceWorld, headers: dict[str, str], seconds: float) -> None:
    there.simulator.faults.add("answer", "/services/data", status=503, headers=headers, body=[{"errorCode": "SERVER_UNAVAILABLE", "message": "try again"}])
    with pytest.raises(CrmUnavailableError) as caught:
        there.adapter().find_account(["email:ann@example.com"])
    assert caught.value.retry_after == seconds
