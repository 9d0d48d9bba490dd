"""The API's contract: shapes, pages, merges, counts, changes and refusals, on the product's own rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from caseline.cases.outbox import Outbox
from caseline.crm import StandingCase
from caseline.crm._guard import OPENS_AT, GuardedCrm
from caseline.customers import Claimed, link
from caseline.errors import CrmAuthError, CrmUnavailableError, UnavailableError
from caseline.quarantine import quarantine_row
from caseline.reconciling import Reconciler
from caseline.signals import Rating, isoformat
from caseline.table import Table
from caseline.views import Gauges
from caseline_local.cli.report import read_report, say_report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.serve_api import app
from tests.kit.aws import FakeCloud, aws, create_table
from tests.kit.office import NOW, FakeExecutions, FakeMetrics, Office, rest_event

TOKEN = {"Authorization": "Bearer t"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    with aws() as cloud:
        yield cloud


@pytest.fixture
def office(cloud: FakeCloud) -> Office:
    """In a table of its own."""
    name = f"Caseline-{uuid4()}"
    create_table(cloud.client("dynamodb"), name)
    return Office(Table(cloud.client("dynamodb"), name))


@pytest.fixture
def call(office: Office, monkeypatch: pytest.MonkeyPatch) -> Any:
    return Caller(office, monkeypatch)


class Caller:
    def __init__(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.use(office.desk())

    def use(self, desk: Any) -> None:
        self.desk = desk
        self._monkeypatch.setattr(app, "desk", lambda: desk)

    def raw(self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None, **more: Any) -> dict[str, Any]:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        return app.handler(rest_event(method, f"/api/v1{path}", query, text, **({"Authorization": "Bearer t"} | more)), None)

    def __call__(self, path: str, **query: str) -> dict[str, Any]:
        response = self.raw("GET", path, query)
        assert response["statusCode"] == 200, response["body"]
        return json.loads(response["body"])

    def post(self, path: str, body: Any = None, **more: Any) -> tuple[int, dict[str, Any]]:
        response = self.raw("POST", path, body=body, **more)
        return response["statusCode"], json.loads(response["body"])


def furnish(office: Office) -> tuple[str, str]:
    account = office.account("Halden Mills", "strategic", "2500000", renews_in=27)
    customer_id = office.customer("Ines Falk", ["x:41", "email:ines@halden.example"], account)
    complaint = office.signal("x:41", 12, "Down again, and nobody answers.", reach=300)
    office.signal("email:ines@halden.example", 600, "How do I add a user?", 0.0, channel="postmark", kind="email", public=False)
    office.signal("x:41", 5, "We are on it.", 0.0, direction="outbound", agent="Care", author_name=None)
    return customer_id, office.case(customer_id, [complaint], "outage", account)

NUMBERS = count()


def test_the_command_line_reports_the_same_and_says_it_in_lines(office: Office, call: Any) -> None:
    rows = [office.signal("email:ann@north.example", minutes, "Nobody answers.") for minutes in (5000, 4000)]
    office.signal("email:ann@north.example", 3000, "We are on it.", 0.0, direction="outbound", agent="Mo")
    office.case(office.customer("Ann", ["email:ann@north.example"]), rows)
    for value in (10, 0):
        office.signal("email:ann@north.example", 60 + value, None, None, kind="survey_response", rating=Rating("nps", value, 0, 10), channel=f"s{value}")
    api = type("Api", (), {"get": lambda self, *path, **query: call(f"/{'/'.join(path)}", **{name: value for name, value in query.items() if value})})()
    found = read_report(api, {"from": None, "to": None, "brand": "acme"})
    assert {**found, "as_of": ""} == {**call("/metrics", **{"from": found["from"], "to": found["to"], "brand": "acme"}), "as_of": ""}
    lines = list(say_report(found))
    assert lines[1] == "NPS    0 ± 138.6 (n 2: 1 promote, 1 detract)"
    assert "first       median 2000 min, p90 2000 min, mean 2000 min (n 1)" in lines
    assert "service      50 % of 2 contacts repeat, 2 a case; none resolved" in lines


def test_a_report_says_its_window_and_refuses_what_is_no_time(office: Office, call: Any) -> None:
    row = office.signal("email:ann@north.example", 90, "Nobody answers.")
    office.case(office.customer("Ann", ["email:ann@north.example"]), [row])
    report = call("/metrics")
    assert (report["brands"], report["to"], report["nps"]["value"]) == (["acme"], isoformat(NOW), None)
    assert {(line["clock"], line["level"], line["due"] + line["open"]) for line in report["sla"]} == {("first", "negative", 1), ("first", "all", 1)}
    page = call("/metrics/facts", brand="acme", **{"from": "2026-11-01"})
    while page["next"]:
        page = call("/metrics/facts", brand="acme", to=page["to"], after=page["next"], **{"from": page["from"]})
    wrong = [{"from": "yesterday"}, {"from": "2026-11-02", "to": "2026-11-01"}, {"after": "nonsense"}]
    answers = [call.raw("GET", "/metrics/facts", query) for query in wrong]
    assert [(found["statusCode"], json.loads(found["body"])["error"]["field"]) for found in answers] == [(400, "from"), (400, "from"), (400, "after")]


def test_customers_are_found_by_any_identity_in_any_case(office: Office, call: Caller) -> None:
    customer_id, _ = furnish(office)
    for identity in ("x:41", "email:ines@halden.example", "email:Ines@Halden.example"):
        found = call("/customers", identity=identity)["customers"]
        assert found == [{"customer_id": customer_id, "name": "Ines Falk", "identities": ["x:41", "email:ines@halden.example"]}]
    assert call("/customers", identity="x:nobody") == {"customers": []}


def test_a_customer_has_account_facts_with_their_origin_metrics_and_open_cases(office: Office, call: Caller) -> None:
    customer_id, case_key = furnish(office)
    customer = call(f"/customers/{customer_id}")
    assert customer["account"]["name"] == "Halden Mills" and customer["account"]["match"] == "exact"
    assert set(customer["account"]["facts"]["tier"]) == {"value", "source", "as_of"}
    assert customer["metrics"]["signals"] == 3 and customer["metrics"]["sentiment"] == {"negative": 1, "neutral": 1}
    assert [case["case_key"] for case in customer["open_cases"]] == [case_key]


def test_a_policy_on_trial_is_told_case_by_case_and_refused_with_its_place(office: Office, call: Caller) -> None:
    _, case_key = furnish(office)
    status, page = call.post("/policy/simulate", {"policy": "version: 2\nbands: {P1: 3, P2: 2, P3: 1}"})
    assert status == 200 and [case["case_key"] for case in page["cases"]] == [case_key] and page["cases"][0]["proposed"]["band"] == "P1"
    status, refused = call.post("/policy/simulate", {"policy": "bands: {P1: 3}"})
    assert status == 400 and refused["error"]["field"] == "policy" and "version" in refused["error"]["message"]


def test_the_timeline_merges_identities_newest_first_and_only_signals_have_text(office: Office, call: Caller) -> None:
    customer_id, case_key = furnish(office)
    entries = call(f"/customers/{customer_id}/timeline")["entries"]
    assert [entry["type"] for entry in entries] == ["signal", "case", "signal", "signal", "link"] or [entry["type"] for entry in entries] == [
        "signal",
        "signal",
        "case",
        "signal",
        "link",
    ]
    assert [entry["occurred_at"] for entry in entries] == sorted((entry["occurred_at"] for entry in entries), reverse=True)
    assert all(("text" in entry) == (entry["type"] == "signal") and ("summary" in entry) == (entry["type"] != "signal") for entry in entries)
    signal = next(entry for entry in entries if entry["type"] == "signal" and entry["case_key"])
    assert signal["case_key"] == case_key and signal["need"] == "due" and signal["assessment"]["sentiment"] == "negative" and signal["direction"] == "inbound"


def test_long_texts_come_back_whole(office: Office, call: Caller) -> None:
    customer_id = office.customer("Long Writer", ["x:77"])
    office.signal("x:77", 3, "word " * 2000)
    assert call(f"/customers/{customer_id}/timeline")["entries"][0]["text"] == "word " * 2000


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=25, unique=True), limit=st.integers(1, 7))
def test_pages_show_each_entry_once_in_order(office: Office, times: list[tuple[int, int]], limit: int) -> None:
    number = next(NUMBERS)  # another person in each example
    identities = [f"x:{number}", f"phone:{number}", f"email:{number}@b.example"]
    customer_id = office.customer("Three Ways", identities)
    for identity, minutes in times:
        office.signal(identities[identity], minutes, "hello", 0.0)
    seen = [(entry["occurred_at"], entry["signal_id"]) for entry in every_entry(office, customer_id, limit) if entry["type"] == "signal"]
    assert len(seen) == len(set(seen)) == len(times)
    assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)


def every_entry(office: Office, customer_id: str, limit: int) -> Iterator[dict[str, Any]]:
    desk, cursor = office.desk(), None
    while True:
        page = desk.read_timeline(customer_id, str(limit), cursor)
        assert len(page["entries"]) <= limit
        yield from page["entries"]
        cursor = page["next"]
        if not cursor:
            return


def test_pages_do_not_shift_when_new_entries_arrive(office: Office, call: Caller) -> None:
    customer_id = office.customer("Busy", ["x:5"])
    for minutes in range(10, 16):
        office.signal("x:5", minutes, f"{minutes}", 0.0)
    first = call(f"/customers/{customer_id}/timeline", limit="3")
    office.signal("x:5", 1, "late arrival", 0.0)
    second = call(f"/customers/{customer_id}/timeline", limit="200", before=first["next"])
    assert [entry["text"] for entry in first["entries"] + second["entries"] if entry["type"] == "signal"] == ["10", "11", "12", "13", "14", "15"]


def test_after_a_merge_the_older_id_stands_and_the_other_still_resolves(office: Office, call: Caller) -> None:
    older = office.customer("Ann", ["x:1"], minutes=900)
    younger = office.customer("Ann M", ["email:ann@b.example"], minutes=100)
    complaint = office.signal("email:ann@b.example", 50, "Broken.")
    case_key = office.case(younger, [complaint])
    link(office.table, Claimed(["x:1", "email:ann@b.example"], "crm:builtin:7", isoformat(office.now), "verified"))
    assert call(f"/customers/{younger}")["customer_id"] == older == call(f"/customers/{older}")["customer_id"]
    assert call("/cases")["cases"][0]["customer_id"] == call(f"/cases/{case_key}")["customer_id"] == older
    assert [entry["text"] for entry in call(f"/customers/{younger}/timeline")["entries"] if entry["type"] == "signal"] == ["Broken."]


def test_people_join_customers_and_split_them_again(office: Office, call: Caller) -> None:
    ann, other = office.customer("Ann", ["x:1"], minutes=900), office.customer("Ann M", ["email:ann@b.example"], minutes=100)
    _, kept = call.post(f"/customers/{other}/merge", {"with": ann, "why": "same voice"})
    assert kept["customer_id"] == ann and [(link["identity"], link["why"]) for link in kept["links"]] == [("x:1", None), ("email:ann@b.example", "same voice")]
    _, parted = call.post(f"/customers/{ann}/split", {"identity": "email:Ann@B.example", "why": "her mother"})
    assert parted == {"stayed": ann, "left": other} and call(f"/customers/{other}")["identities"] == ["email:ann@b.example"]
    assert call.post(f"/customers/{ann}/merge", {})[1]["error"]["field"] == "with"
    [split] = call(f"/customers/{ann}")["splits"]
    assert split["other"] == other and split["text"].startswith("split by ana@acme.example: her mother; they had been joined on 2026-11-21 by ana@acme.example")
    assert call.post(f"/customers/{ann}/merge", {"with": "x:nobody"})[0] == 404
    again = call.post(f"/customers/{ann}/merge", {"with": "email:ann@b.example", "why": "it was her"})[1]
    assert sorted(entry["what"] for entry in call(f"/customers/{ann}/timeline")["entries"]) == ["linked", "split"], "told on both timelines, shown once"
    assert again["links"][-1]["text"] == "joined on 2026-11-21 by ana@acme.example: it was her" and again["splits"][0]["other"] is None
    assert call.post(f"/customers/{ann}/split", {})[0] == 409


def test_a_person_is_exported_and_erased(office: Office, call: Caller) -> None:
    customer = office.customer("Ann", ["x:1"])
    office.signal("x:1", 5, "A wombat broke it.")
    assert "wombat" in json.dumps(call(f"/customers/{customer}/export"))
    assert call.post(f"/customers/{customer}/erase", {})[1]["error"]["field"] == "confirm"
    status, told = call.post(f"/customers/{customer}/erase", {"confirm": customer})
    assert status == 200 and told["erased"]["signal"] == 1 and call.post(f"/customers/{customer}/erase", {"confirm": customer})[0] == 404


def many_cases(office: Office) -> list[str]:
    keys = []
    for number, (strength, tier) in enumerate([(0.9, "trial"), (0.5, "strategic"), (0.7, "smb"), (0.3, "mid"), (0.95, "enterprise")]):
        account = office.account(f"Firm {number}", tier, renews_in=200)
        customer_id = office.customer(f"Person {number}", [f"x:{number}"], account)
        keys.append(office.case(customer_id, [office.signal(f"x:{number}", 10 + number, "It is broken.", strength)], account=account))
    return keys


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


def count(office: Office, **counts: int) -> None:
    office.table.put({"PK": "COUNTS", "SK": "ALL", "sources": {"x/acme": counts | {"last_event": "2026-11-21T14:00:00.000000Z"}}})


def test_the_balance_holds_and_at_rest_nothing_is_under_way(office: Office, call: Caller) -> None:
    count(office, recorded=5, revised=1, duplicates=2, quarantined=1)
    call.use(office.desk(gauges=Gauges(FakeMetrics({("Accepted", "x/acme"): [4, 5]}), FakeExecutions(), "machine", ("triage",))))
    stats = call("/stats")
    assert stats["total"] == {"accepted": 9, "recorded": 5, "revised": 1, "duplicates": 2, "quarantined": 1, "in_flight": 0, "pending": 0}
    assert stats["sources"]["x/acme"]["accepted"] == 9 and stats["as_of"]


def test_what_moves_is_seen_at_each_stage(office: Office, call: Caller) -> None:
    count(office, recorded=1)
    customer_id = office.customer("Ann", ["x:1"])
    office.case(customer_id, [office.signal("x:1", 1, "Broken.")], push=False)
    metrics = FakeMetrics({("Accepted", "x/acme"): [3], ("IteratorAge", "triage"): [1500, 0]})
    call.use(office.desk(gauges=Gauges(metrics, FakeExecutions(3), "machine", ("triage", "publish"))))
    total = call("/stats")["total"]
    assert total["in_flight"] == 2 and total["pending"] == 1 + 3 + 1


def test_channels_show_configured_sources_and_those_that_were(office: Office, call: Caller) -> None:
    office.table.put({"PK": "COUNTS", "SK": "ALL", "sources": {"trustpilot/old": {"recorded": 3, "last_event": "2026-11-20T10:00:00.000000Z"}}})
    call.use(office.desk(gauges=Gauges(FakeMetrics({("Rejected", "x/acme"): [7]}), FakeExecutions(), "machine", ())))
    by_name = {f"{row['channel']}/{row['source']}": row for row in call("/channels")["channels"]}
    assert by_name["x/acme"]["rejected"] == 7 and by_name["x/acme"]["configured"] and by_name["x/acme"]["last_event"] is None
    assert by_name["trustpilot/old"]["recorded"] == 3 and not by_name["trustpilot/old"]["configured"]


def quarantined(office: Office) -> str:
    envelope = {"channel": "x", "source": "acme", "brand": "acme", "received_at": isoformat(office.now)}
    row = quarantine_row(envelope, {"reason": "no id", "field": "data.id", "raw": "{}", "whole": True}, "delivery-1", office.now - office.ago(1))
    office.table.put(row)
    return str(row["id"])


def test_quarantine_is_listed_shown_replayed_and_dropped(office: Office, call: Caller) -> None:
    quarantine_id, replayed = quarantined(office), []
    call.use(office.desk(replay=replayed.append))
    assert [item["id"] for item in call("/quarantine")["quarantine"]] == [quarantine_id]
    assert call(f"/quarantine/{quarantine_id}")["raw"] == "{}"
    assert call.post(f"/quarantine/{quarantine_id}/replay")[0] == 202 and replayed[0]["id"] == quarantine_id
    assert call.post(f"/quarantine/{quarantine_id}/drop")[0] == 200
    assert call("/quarantine")["quarantine"] == [] and call(f"/quarantine/{quarantine_id}")["raw"] is None
    assert call.post(f"/quarantine/{quarantine_id}/replay")[0] == 409


# ---- the CRM


def test_a_crm_that_is_well_says_little(office: Office, call: Caller) -> None:
    furnish(office)
    call.use(office.desk(crm_name="salesforce"))
    seen = call("/crm")
    assert (seen["name"], seen["remote"], seen["state"], seen["unsynced"], seen["waiting"], seen["last_poll"]) == ("salesforce", True, "up", 0, [], None)
    assert seen["since"] is seen["until"] is seen["remaining"] is seen["reconciliation"] is None and seen["as_of"] == isoformat(office.now)


def test_a_crm_that_is_down_says_since_when_and_what_waits(office: Office, call: Caller) -> None:
    customer_id = office.customer("Ines Falk", ["x:41"])
    case_key = office.case(customer_id, [office.signal("x:41", 12, "Down again")], "outage", push=False)
    seen = break_down(office, call)
    assert seen["state"] == "down" and seen["since"] == isoformat(office.now) and seen["why"] == "CrmAuthError"
    assert seen["unsynced"] == 1 and seen["errors"] == {"CrmAuthError": 1}
    assert [(case["case_key"], case["error"]) for case in seen["waiting"]] == [(case_key, "CrmAuthError")]


def test_a_crm_that_wants_less_says_until_when_and_what_is_left(office: Office, call: Caller) -> None:
    until = int(office.now.timestamp()) + 90
    office.table.put({"PK": "CRM#hubspot", "SK": "LIMITS", "until": until, "remaining": 900, "allowed": 10_000, "usage_until": until})
    office.table.put({"PK": "CURSOR#crm/hubspot", "SK": "CURSOR", "polled_at": until - 120})
    call.use(office.desk(crm_name="hubspot"))
    seen = call("/crm")
    assert seen["state"] == "limited" and seen["until"] == isoformat(office.now + timedelta(seconds=90)) and seen["since"] is None
    assert (seen["remaining"], seen["allowed"], seen["scarce"]) == (900, 10_000, True)
    assert seen["last_poll"] == isoformat(office.now - timedelta(seconds=30))


def test_the_last_count_is_told_with_its_differences_and_when_the_next_failed(office: Office, call: Caller) -> None:
    furnish(office)
    call.use(office.desk(crm_name="other"))
    Reconciler(office.table, Standing([StandingCase("c-9", "case-strange", "open")]), lambda: office.now).reconcile()
    report = call("/crm")["reconciliation"]
    assert (report["at"], report["here"], report["there"], report["count"]) == (isoformat(office.now), 1, 1, 1)
    assert [(found["kind"], found["case_key"]) for found in report["differences"]] == [("unknown", "case-strange")]
    with pytest.raises(CrmUnavailableError):
        Reconciler(office.table, Standing(None), lambda: office.now).reconcile()
    after = call("/crm")["reconciliation"]
    assert after == report | {"failed_at": isoformat(office.now), "why": "CrmUnavailableError"}
    call.use(office.desk(crm_name="builtin"))
    assert call("/crm")["reconciliation"] is None, "it was another CRM's"


def test_writers_have_both_sides_counted(office: Office, call: Caller) -> None:
    asked: list[str] = []
    call.use(office.desk(crm_name="salesforce", ask_count=lambda: asked.append("count")))
    status, answer = call.post("/crm/reconcile", {}, **TOKEN)
    assert (status, answer, asked) == (202, {"asked_at": isoformat(office.now)}, ["count"])
    assert call.post("/crm/reconcile", {}, roles="viewer")[0] == 403 and asked == ["count"]
    call.use(office.desk())
    assert call.post("/crm/reconcile", {}, **TOKEN)[0] == 409


class Standing:
    """A CRM in which these cases stand; None if it does not answer."""

    name = "other"

    def __init__(self, cases: list[StandingCase] | None) -> None:
        self.cases = cases

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        if self.cases is None:
            raise CrmUnavailableError("down")
        return self.cases, ""


def break_down(office: Office, call: Caller) -> dict[str, Any]:
    """What the API says after a case could not be saved a few times."""

    class Refusing:
        name, native_upsert, usage = "salesforce", True, None

        def save_case(self, record: Any) -> Any:
            raise CrmAuthError("who are you?")

    [case] = call("/cases")["cases"]
    for _ in range(OPENS_AT):
        with pytest.raises(CrmAuthError):
            Outbox(office.table, GuardedCrm(Refusing(), office.table, lambda: office.now), lambda: office.now, str).push(case["case_key"])
    call.use(office.desk(crm_name="salesforce"))
    return call("/crm")
