"""Cases over the API: the list page by page, a case that explains itself, and what people change of it."""

from __future__ import annotations

import pytest
from caseline.adaptation import labels_of_cases
from caseline.policy import shipped_policy

from tests.kit.api import Caller, furnish, many_cases
from tests.kit.office import Office


def test_a_policy_on_trial_is_told_case_by_case_and_refused_with_its_place(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    status, page = call.post("/policy/simulate", {"policy": "version: 2\nbands: {P1: 3, P2: 2, P3: 1}"})
    assert status == 200 and [case["case_key"] for case in page["cases"]] == [case_key] and page["cases"][0]["proposed"]["band"] == "P1"
    status, refused = call.post("/policy/simulate", {"policy": "bands: {P1: 3}"})
    assert status == 400 and refused["error"]["field"] == "policy" and "version" in refused["error"]["message"]


def test_cases_come_by_priority_a_page_at_a_time(office: Office, call: Caller) -> None:
    keys, seen, query = many_cases(office), [], {"limit": "2", "status": "open", "sort": "priority"}
    while True:
        page = call("/cases", **query)
        seen += page["cases"]
        if not page["next"]:
            break
        query["after"] = page["next"]
    scores = [case["priority"]["score"] for case in seen]
    assert scores == sorted(scores, reverse=True) and sorted(case["case_key"] for case in seen) == sorted(keys)
    assert {"case_key", "customer_id", "brand", "category", "status", "queue", "priority", "crm"} <= set(seen[0])
    assert seen[0]["crm"]["sync"] == "synced" and seen[0]["customer"]["account"]


@pytest.mark.parametrize(("sort", "falling"), [("newest", True), ("waiting", False)])
def test_other_orders_page_as_well(office: Office, call: Caller, sort: str, falling: bool) -> None:
    many_cases(office)
    first = call("/cases", sort=sort, limit="3")
    rest = call("/cases", sort=sort, limit="3", after=first["next"])
    times = [case["opened_at"] for case in first["cases"] + rest["cases"]]
    assert times == sorted(times, reverse=falling) and len(times) == 5 and rest["next"] is None


def test_filters(office: Office, call: Caller) -> None:
    many_cases(office)
    assert {case["queue"] for case in call("/cases", queue="senior-care")["cases"]} == {"senior-care"}
    assert call("/cases", queue="nowhere")["cases"] == [] == call("/cases", status="closed")["cases"]


def test_a_case_explains_itself(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    case = call(f"/cases/{case_key}")
    priority = case["priority"]
    assert sum(line["points"] for line in priority["lines"]) == priority["score"] >= 80 and priority["band"] == priority["auto_band"] == "P1"
    assert {"factor", "points", "max", "value", "source", "as_of", "text"} <= set(priority["lines"][0]) and priority["policy_version"]
    assert case["crm"]["id"] and case["crm"]["sync"] == "synced" and case["queue"] == "senior-care"
    assert [signal["text"] for signal in case["signals"]] == ["Down again, and nobody answers."]
    assert {entry["what"] for entry in case["history"]} == {"opened", "sync"}


def test_a_signal_says_why_it_is_where_it_is_and_what_it_feels_like(office: Office, call: Caller) -> None:
    row = office.signal("x:41", 12, "Down again, I am furious.")
    found = call(f"/signals/{row['signal_id']}")
    assert (found["type"], found["text"]) == ("signal", "Down again, I am furious.")
    assert found["why"]["text"].startswith("needs a case: ")
    assert next(iter(found["why"]["emotions"]["ekman"])) == "anger" and found["why"]["emotions_text"].endswith("(of Ekman's seven: anger)")


def test_a_signal_without_english_words_feels_like_nothing_that_can_be_told(office: Office, call: Caller) -> None:
    for text, language in ((None, "en"), ("Schon wieder kaputt.", "de")):
        row = office.signal(f"x:{language}{bool(text)}", 12, text, language=language)
        assert call(f"/signals/{row['signal_id']}")["why"]["emotions"] is None
    assert call.raw("GET", "/signals/nobody")["statusCode"] == 404


def test_people_set_a_band_and_it_goes_to_the_crm(office: Office, call: Caller) -> None:
    case_key = many_cases(office)[0]
    status, case = call.post(f"/cases/{case_key}", {"band": "P1", "reason": "the press is asking"})
    assert status == 200 and case["priority"]["band"] == "P1" and case["priority"]["auto_band"] == "P4"
    assert case["priority"]["override"]["by"] == "ana@acme.example" and sum(line["points"] for line in case["priority"]["lines"]) == case["priority"]["score"]
    assert case["crm"]["sync"] == "synced" and office.crm.saved[case_key].band == "P1"
    _, case = call.post(f"/cases/{case_key}", {"band": "auto"})
    assert case["priority"]["band"] == "P4" and case["priority"]["override"] is None


def test_what_people_say_a_case_was_stays_on_it_and_is_a_label(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    status, case = call.post(f"/cases/{case_key}", {"status": "closed", "outcome": "valid", "category": "billing"})
    assert status == 200 and (case["status"], case["outcome"], case["corrected"]) == ("closed", "valid", "billing")
    told = {entry["what"]: entry["text"] for entry in case["history"]}
    assert told["outcome"] == "it was an issue" and told["category"] == "outage to billing"
    assert told["sync"] == f"saved in builtin as {case['crm']['number']}"
    assert [label.category for label in labels_of_cases(office.table, shipped_policy())] == ["billing"] and office.crm.saved[case_key].category == "billing"
    assert call.post(f"/cases/{case_key}", {"outcome": "valid", "category": "billing"})[1]["version"] == case["version"]


def test_closing_gives_the_claim_back_and_reopening_takes_it(office: Office, call: Caller) -> None:
    customer_id, case_key = furnish(office)
    assert call.post(f"/cases/{case_key}", {"status": "closed", "note": "Called back."})[0] == 200
    assert call("/cases")["cases"] == [] and call(f"/customers/{customer_id}")["open_cases"] == []
    assert [case["case_key"] for case in call("/cases", status="closed")["cases"]] == [case_key]
    assert call.post(f"/cases/{case_key}", {"status": "open"})[1]["closed_at"] is None
    assert [case["case_key"] for case in call(f"/customers/{customer_id}")["open_cases"]] == [case_key]
    notes = [entry for entry in call(f"/customers/{customer_id}/timeline")["entries"] if entry["type"] == "note"]
    assert [note["summary"] for note in notes] == ["Called back."]


def test_a_case_that_was_taken_over_is_not_reopened(office: Office, call: Caller) -> None:
    customer_id, case_key = furnish(office)
    call.post(f"/cases/{case_key}", {"status": "closed"})
    office.case(customer_id, [office.signal("x:41", 2, "Again!")], "outage")
    status, body = call.post(f"/cases/{case_key}", {"status": "open"})
    assert status == 409 and body["error"]["code"] == "conflict"


def test_a_change_of_what_one_did_not_see_is_a_conflict(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    seen = call(f"/cases/{case_key}")["version"]
    assert call.post(f"/cases/{case_key}", {"owner": "Ben", "version": seen})[0] == 200
    status, body = call.post(f"/cases/{case_key}", {"owner": "Cleo", "version": seen})
    assert status == 409 and call(f"/cases/{case_key}")["owner"] == "Ben", body


def test_a_change_that_changes_nothing_writes_nothing(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    before = office.load_case(case_key)
    assert call.post(f"/cases/{case_key}", {"status": "open", "queue": before["queue"], "band": "auto"})[0] == 200
    assert office.load_case(case_key) == before
