"""What the console's pages show of cases, customers and the CRM, and in which words."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from caseline.console import pages
from caseline.console.wording import mood_of, name_of, say_ago, say_amount, say_day, say_money, say_rating, say_renewal, say_since
from caseline.signals import isoformat

from tests.kit.browser import Visit, furnish
from tests.kit.office import HOSTILE, NOW, Office


def test_the_queue_says_who_what_why_and_since_when(office: Office, visit: Visit) -> None:
    furnish(office)
    page = visit("")
    for words in (
        "P1 Urgent",
        "Ines Falk",
        "Halden Mills",
        "Strategic · €2.5M · renewal in 27 d",
        "key account unhappy",
        "12 min",
        "senior-care",
        "1000",
        "in the CRM",
    ):
        assert words in re.sub(r"(P\d)(\w)", r"\1 \2", page.plain), words


def test_tabs_filters_and_pages_stand_in_the_address(office: Office, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", "4")
    for number in range(6):
        customer_id = office.customer(f"Person {number:02}", [f"x:{number}"])
        office.case(customer_id, [office.signal(f"x:{number}", 10 + number, "It is broken.", 0.6)])
    assert "Nothing urgent is waiting" in visit("").plain
    first = visit("?tab=open")
    following = next(str(link["href"]) for link in first.all("a") if link.get("rel") == "next")
    second = visit(following.removeprefix("/console"))
    names = re.findall(r"Person \d\d", first.text + second.text)
    assert len(names) == len(set(names)) == 6
    assert "Nothing matches" in visit("?tab=open&queue=nowhere").plain


def test_a_case_is_explained_line_by_line(office: Office, visit: Visit) -> None:
    _, case_key = furnish(office)
    page = visit(f"/cases/{case_key}")
    case = office.desk().show_case(case_key)
    for line in case["priority"]["lines"]:
        assert line["text"] in page.plain and line["source"] in page.plain
    points = [int(number) for number in re.findall(r"\+?(\d+) of \d+", page.plain)]
    assert sum(points) == case["priority"]["score"] == 80 and "80 P1" in page.plain
    assert "builtin account.tier" in page.plain and "EUR 2,500,000" in page.plain and "Down again" in page.plain
    assert len([rect for rect in page.all("rect") if rect["class"] == "fill"]) == len(points) + 1


def test_a_timeline_has_days_both_sides_and_all_channels(office: Office, visit: Visit) -> None:
    customer_id, _ = furnish(office)
    page = visit(f"/customers/{customer_id}")
    sides = [str(article["class"]).split()[1] for article in page.all("article")]
    assert sides == ["outbound", "inbound", "inbound"]
    for words in ("Today, 21 November", "Trustpilot", "★★★★★ 5 of 5", "by Priya", "positive +0.80", "negative −0.70", "Outage case, open"):
        assert words in page.plain, words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"match": "ambiguous", "account": None, "candidates": [{"name": "Two", "contact_name": "A"}]}, "Several accounts fit"),
        ({"match": "none", "account": None}, "Not in the CRM"),
    ],
)
def test_a_customer_without_account(office: Office, visit: Visit, more: dict[str, Any], words: str) -> None:
    customer_id = office.customer("Nobody Yet", ["x:1"], **more)
    page = visit(f"/customers/{customer_id}")
    assert words in page.plain and "Nothing here yet" in page.plain


def test_deleted_and_unscored_signals_say_so(office: Office, visit: Visit) -> None:
    customer_id = office.customer("Quiet", ["x:1"])
    office.signal("x:1", 9, None, None, action="deleted")
    office.signal("x:1", 8, "…", None)
    page = visit(f"/customers/{customer_id}")
    assert "Deleted by its author." in page.plain and "unscored" in page.plain


def test_empty_pages_say_what_to_do(office: Office, visit: Visit) -> None:
    visit.use(office.desk(sources={}))
    assert "caseline trigger" in visit("").plain and "No case was closed yet" in visit("?tab=closed").plain
    channels = visit("/channels").plain
    assert "config.yaml" in channels and "Nothing is in quarantine" in channels and "Everything accepted is accounted for" in channels


def test_a_customer_page_says_how_they_stand_and_why(office: Office, visit: Visit) -> None:
    account = office.account("Halden Mills", "smb", "100", contract_status="cancelled")
    customer_id = office.customer("Ines Falk", ["x:41"], account)
    office.case(customer_id, [office.signal("x:41", 9 * 1440, "Down again, and nobody answers.")], "outage")
    page = visit(f"/customers/{customer_id}")
    told = ("Health", "of the inputs known", "1 ask unanswered for 9 days", "Signs of leaving 15", "a public post unanswered for 9 days +15", "cancelled since")
    for words in told:
        assert words in page.plain, words


def test_a_remote_crm_has_a_section_of_what_waits_and_what_differs(office: Office, visit: Visit) -> None:
    assert "CRM:" not in visit("/channels").plain, "the built-in one is in our own table"
    customer_id, _ = furnish(office)
    case_key = office.case(customer_id, [office.signal("x:41", 2, HOSTILE)], "defect", push=False)
    failed = {"name": "salesforce", "sync": "failed", "error": "CrmAuthError"}
    office.table.update(f"CASE#{case_key}", "CASE", "SET crm = :crm, subject = :subject", crm=failed, subject=HOSTILE)
    down = {"failures": 5, "since": isoformat(office.ago(40)), "why": "CrmAuthError", "usage_until": 2**40, "remaining": 40, "allowed": 1000}
    office.table.put({"PK": "CRM#salesforce", "SK": "LIMITS", **down})
    difference = {"kind": "missing", "case_key": "case-<b>", "crm_id": "", "text": "open here and not in the CRM"}
    report = {"crm": "salesforce", "at": isoformat(office.ago(700)), "here": 1001, "there": 1000, "count": 1, "differences": [difference]}
    office.table.put({"PK": "RECONCILIATION", "SK": "REPORT", **report, "failed_at": isoformat(office.ago(3)), "why": "CrmAuthError"})
    visit.use(office.desk(crm_name="salesforce"))
    page = visit("/channels")
    for words in (
        "CRM: Salesforce is down", "Since 40 min ago: it refuses our credentials", "40 of 1,000 calls left, kept for P1 cases.", "1 case not there yet as here",
        "CrmAuthError", "The count 3 min ago could not be made", "1 difference at the last count", "1,001 cases here, 1,000 there", "Not in the CRM case-<b>",
    ):  # fmt: skip
        assert words in page.plain, words
    assert '<script>alert("x")' not in page.html
    assert {"href": f"/console/cases/{case_key}", "data-row": None} in page.all("a")


def test_a_crm_that_answers_or_asks_for_a_pause_says_so(office: Office, visit: Visit) -> None:
    visit.use(office.desk(crm_name="salesforce"))
    assert "CRM: Salesforce answers Changes were last asked for never. Both sides are counted each night; not yet." in visit("/channels").plain
    office.table.put({"PK": "CRM#salesforce", "SK": "LIMITS", "until": int(office.now.timestamp()) + 600})
    report = {"crm": "salesforce", "at": isoformat(office.now), "here": 2, "there": 2, "count": 0, "differences": []}
    office.table.put({"PK": "RECONCILIATION", "SK": "REPORT", **report})
    assert "asks for a pause Until 14:40 UTC: it wants to be called less." in visit("/channels").plain and "No differences" in visit("/channels").plain


def test_people_find_customers_by_what_they_type(office: Office, visit: Visit) -> None:
    customer_id, _ = furnish(office)
    for typed in ("x:41", "ines@halden.example", "INES@halden.example", "email:ines@halden.example"):
        assert visit(f"/customers?identity={typed}").headers["Location"] == f"/console/customers/{customer_id}"
    assert "Nobody is known as" in visit("/customers?identity=+491").plain


def test_a_case_tells_of_its_incident_its_missed_deadlines_and_what_is_ahead(office: Office, visit: Visit) -> None:
    customer_id, case_key = furnish(office)
    missed = [{"clock": "first", "since": isoformat(office.ago(90)), "due_at": isoformat(office.ago(60)), "band": "P1"}]
    facts = {"missed": missed, "lower_since": isoformat(office.ago(10)), "look_at": isoformat(office.ago(-5)), "kind": "incident", "why": "text", "people": 41}
    office.table.update(f"CASE#{case_key}", "CASE", "SET " + ", ".join(f"#{name} = :{name}" for name in facts), names={f"#{n}": n for n in facts}, **facts)
    page = visit(f"/cases/{case_key}")
    for words in (
        "An incident: many customers write nearly the same, 41 customers so far.", "First reply was due 2026-11-21 13:30 UTC for P1, and missed.",
        "The score falls at 2026-11-21 14:50 UTC unless something raises it before (the same facts weigh less by now).",
        "needs a case: the customer complains (negative, strength 0.70)",
    ):  # fmt: skip
        assert words in page.plain, words
    assert "incident, 41 customers" in visit("").plain and "first reply missed" in visit(f"/customers/{customer_id}").plain
    office.outbox().push(case_key) if office.table.update(f"CASE#{case_key}", "CASE", "SET pushed_version = :no", no=0) else None
    assert office.crm.saved[case_key].reasons[-1] == "first reply was due 2026-11-21 13:30 UTC for P1, and missed"


# ---- words


def test_words() -> None:
    assert [say_since(isoformat(NOW - timedelta(minutes=m)), NOW) for m in (0, 1, 59, 60, 2879, 2880)] == ["now", "1 min", "59 min", "1 h", "47 h", "2 d"]
    assert say_ago(None, NOW) == "never" and say_ago(isoformat(NOW), NOW) == "just now"
    assert [say_renewal(day, NOW) for day in ("2026-11-21", "2026-12-18", "2026-11-09", "soon")] == ["today", "in 27 d", "12 d ago", "soon"]
    assert [say_money(v, "EUR") for v in ("2500000", 980, "0", "1200000000", "much")] == ["€2.5M", "€980", "€0", "€1.2bn", "much"]
    assert say_amount("2500000", "EUR") == "EUR 2,500,000" and say_amount("much", None) == "much"
    assert say_day(isoformat(NOW - timedelta(days=1)), NOW) == "Yesterday, 20 November" and say_day("2025-01-06T00:00:00Z", NOW) == "Monday, 6 January 2025"
    assert mood_of({"unscored": "too short"})["word"] == "unscored" and mood_of({"sentiment": "negative", "negative": 0.7})["number"] == "−0.70"
    assert say_rating({"metric": "nps", "value": 0, "low": 0, "high": 10}) == "NPS 0 of 10" and name_of("how_to") == "How to"
