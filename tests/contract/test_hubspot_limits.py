"""HubSpot: limits and errors, logins, and what a portal lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import Usage, hubspot
from caseline.errors import ConfigError, CrmAuthError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError

from tests.kit.crms import RECORD
from tests.kit.crms.hubspot import SECRET, HubSpotWorld
from tests.kit.hubspot import PORTAL_ID, PRIVATE_TOKEN, Portal
from tests.kit.scenes import SCHEMA, later


def test_usage_is_the_tighter_window(there: HubSpotWorld) -> None:
    crm = there.adapter()
    crm.save_case(RECORD)
    assert crm.usage == Usage(there.simulator.daily, 650_000, 86_400.0)
    there.simulator.rolling = 3
    crm.save_case(RECORD)
    assert crm.usage == Usage(3, 190, 10.0)


@pytest.mark.parametrize(("window", "seconds"), [("daily", 3_600.0), ("rolling", 10.0)])
def test_each_window_has_its_wait(there: HubSpotWorld, window: str, seconds: float) -> None:
    setattr(there.simulator, window, 0)
    with pytest.raises(CrmRateLimitError) as caught:
        there.adapter().save_case(RECORD)
    assert caught.value.retry_after == seconds


def test_a_portal_that_is_being_moved_is_waited_for(there: HubSpotWorld) -> None:
    there.wire.answer("POST .*/search", 477, {"Retry-After": "120"})
    with pytest.raises(CrmRateLimitError) as caught:
        there.adapter().find_account(["email:ann@example.com"])
    assert caught.value.retry_after == 120


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"errors": 7, "message": "not valid: [1"}', '{"errors": [7, {"context": {"propertyName": 3}}]}'])
def test_an_error_may_look_like_anything(there: HubSpotWorld, body: str) -> None:
    there.simulator.faults.add("answer", "POST .*/objects", status=400, body=body)
    with pytest.raises(CrmRejectedError):
        there.adapter().save_case(replace(RECORD, first=True))


@pytest.mark.parametrize("body", ["[]", "null", "{}", '{"results": 7}', '{"results": [7]}', '{"results": [{"id": "1"}]}', '{"id": "1", "properties": null}'])
def test_an_answer_of_another_shape_is_unavailable(there: HubSpotWorld, body: str) -> None:
    there.simulator.faults.add("answer", "/objects/", status=200, body=body, times=2)
    for act in (lambda: there.adapter().find_account(["email:ann@example.com"]), lambda: there.adapter().save_case(RECORD)):
        with pytest.raises(CrmUnavailableError):
            act()


def test_a_404_that_is_not_hubspots_own_is_no_proof(there: HubSpotWorld) -> None:
    saved = there.adapter().save_case(RECORD)
    there.simulator.faults.add("answer", "PATCH", status=404, body="<html>not here</html>")
    with pytest.raises(CrmUnavailableError):
        there.adapter().save_case(later(saved))
    assert len(there.cases()) == 1


# ---- logging in


def adapter(there: HubSpotWorld, secret: dict[str, Any], **given: Any) -> Any:
    return hubspot.create({"instance_url": there.simulator.url, **given}, secret, clock=there.clock)


def test_a_private_app_has_one_token(there: HubSpotWorld) -> None:
    crm = adapter(there, {"access_token": PRIVATE_TOKEN})
    assert crm.save_case(RECORD).url == f"https://app.hubspot.com/contacts/{PORTAL_ID}/record/0-5/1001"
    there.expire_login()
    before = there.calls()
    with pytest.raises(CrmAuthError, match="put the present one into the secret"):
        crm.save_case(RECORD)
    assert there.calls() - before == 1


def test_a_token_is_renewed_before_it_runs_out(there: HubSpotWorld) -> None:
    crm = there.adapter()
    for seconds in (0, 1_700, 60):
        there.tick(seconds)
        crm.find_account(["email:ann@example.com"])
    assert there.simulator.logins == 2


@pytest.mark.parametrize("secret", [{}, {"client_id": "a", "client_secret": "b"}, {"access_token": 7}, {**SECRET, "refresh_token": ""}])
def test_a_secret_that_lacks_something_is_said(secret: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        hubspot.create({}, secret)


@pytest.mark.parametrize("name", ["nonsense", "case_fields", "notes", "closed_stages", "comments"])
def test_a_wrong_setting_is_said(name: str) -> None:
    wrong = {"nonsense": 1, "case_fields": {"case_key": ""}, "notes": "elsewhere", "closed_stages": {"a": 1}, "comments": ["calls"]}
    with pytest.raises(ConfigError, match=name):
        hubspot.create({name: wrong[name]}, {"access_token": "a"})
    with pytest.raises(ConfigError, match="internal name"):
        hubspot.create({"account_fields": {"tier": "Customer Tier"}}, {"access_token": "a"})


# ---- setting up


def test_what_the_portal_lacks_is_found(there: HubSpotWorld) -> None:
    there.portal.drop_property("contacts", "cx_account_tier")
    there.portal.drop_property("companies", "cx_open_cases")
    there.portal.drop_property("companies", "cx_renewal_date")
    there.portal.properties["tickets"]["cx_case_key"]["hasUniqueValue"] = False
    there.simulator.scopes = ("crm.objects.contacts.read", "tickets")
    found = {finding.name: finding.severity for finding in there.adapter(stages={"closed": "99"}).check(SCHEMA)}
    assert found == {
        "contacts.cx_account_tier": "warning", "companies.cx_open_cases": "warning", "companies.cx_renewal_date": "warning",
        "tickets.cx_case_key": "error", "stage 99": "error", "scope crm.objects.contacts.write": "error",
        "scope crm.objects.companies.read": "error", "scope crm.objects.companies.write": "error",
    }  # fmt: skip
    assert [step.by for step in there.adapter().plan(SCHEMA)] == ["api", "hand", "hand"]
    assert [finding.name for finding in there.adapter(pipeline="7").check(SCHEMA) if finding.name == "pipeline 7"]


def test_an_empty_portal_is_set_up(there: HubSpotWorld) -> None:
    there.portal.properties = Portal().properties
    for step in there.adapter().plan(SCHEMA):
        if step.by == "api":
            there.adapter().apply(step)
    assert {finding.severity for finding in there.adapter().check(SCHEMA)} == {"warning"}
    assert there.portal.properties["tickets"]["cx_case_key"]["hasUniqueValue"] and there.adapter().save_case(RECORD).created
