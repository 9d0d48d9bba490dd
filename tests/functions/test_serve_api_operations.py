"""How the product itself does, over the API: the balance, channels, quarantine, the CRM, and reports."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.outbox import Outbox
from caseline.crm import StandingCase
from caseline.crm._guard import OPENS_AT, GuardedCrm
from caseline.errors import CrmAuthError, CrmUnavailableError
from caseline.quarantine import quarantine_row
from caseline.reconciling import Reconciler
from caseline.signals import Rating, isoformat
from caseline.views import Gauges
from caseline_local.cli.report import read_report, say_report

from tests.kit.api import Caller, furnish
from tests.kit.office import NOW, FakeExecutions, FakeMetrics, Office


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
    status, answer = call.post("/crm/reconcile", {})
    assert (status, answer, asked) == (202, {"asked_at": isoformat(office.now)}, ["count"])
    assert call.post("/crm/reconcile", {}, roles="viewer")[0] == 403 and asked == ["count"]
    call.use(office.desk())
    assert call.post("/crm/reconcile", {})[0] == 409


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
