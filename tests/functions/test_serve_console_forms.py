"""People work in the console by forms alone: cases, quarantine, and who is who."""

from __future__ import annotations

from typing import Any

from caseline.erasing import erase_case
from caseline.errors import ConflictError

from tests.kit.browser import OWN_PAGE, Visit, furnish, hostile
from tests.kit.office import Office


def test_forms_change_the_case_and_return_to_it(office: Office, visit: Visit) -> None:
    _, case_key = furnish(office)
    path = f"/cases/{case_key}"
    for form in (
        {"note": "Called back.", "do": "note"},
        {"mine": "1", "owner": ""},
        {"queue": "billing"},
        {"band": "P3", "reason": "spoke to them", "seen": "4"},
    ):
        done = visit.post(path, **form)
        assert (done.status, done.headers["Location"]) == (303, f"/console{path}?saved=1"), form
    page = visit(path)
    for words in ("Called back.", "ana@acme.example", "billing", "Set to P3 by ana@acme.example", "spoke to them", "by score"):
        assert words in page.plain, words
    assert visit.post(path, status="closed", seen="5", note="Done.").status == 303 and "Reopen case" in visit(path).plain


def test_a_form_says_what_a_case_was_and_closes_it(office: Office, visit: Visit) -> None:
    _, case_key = furnish(office)
    path, version = f"/cases/{case_key}", office.load_case(case_key)["version"]
    assert "Save and close" in visit(path).plain
    visit.post(path, outcome="not_an_issue", category="billing", status="closed", seen=str(version))
    page = visit(path)
    for words in ("it was no issue", "called Billing by people", "Closed", "Outcome it was no issue"):
        assert words in page.plain, words
    assert {"value": "billing", "selected": None} in page.all("option") and "Save and close" not in page.plain
    assert visit.post(path, category="nosuch").status == 400


def test_the_case_of_an_erased_customer_shows_its_figures(office: Office, visit: Visit) -> None:
    customer_id, case_key = furnish(office)
    erase_case(office.table, case_key, office.load_case(case_key)["updated_at"], True)
    later = office.case(customer_id, [office.signal("x:41", 2, "Again!")], "billing")  # they are back, and somebody new
    visit.post(f"/cases/{later}", status="closed")
    listed, shown = visit("?tab=closed").plain, visit(f"/cases/{case_key}").plain
    assert listed.count("Ines Falk") == 1 and "Someone" in listed and "(erased)" in shown and "Ines" not in shown and "Halden" not in shown
    office.table.delete(f"CUSTOMER#{customer_id}", "CUSTOMER")
    page = visit(f"/cases/{case_key}")
    assert page.status == 200 and "The customer was erased" in page.plain and "Why this priority" in page.plain and "Work this case" not in page.plain
    assert f"/console/customers/{customer_id}" not in page.html


def test_a_wrong_form_keeps_what_was_typed(office: Office, visit: Visit) -> None:
    _, case_key = furnish(office)
    page = visit.post(f"/cases/{case_key}", queue="no such queue!", note="a long note")
    assert page.status == 400 and page.all("p")[0] and "a long note" in page.text and "Queue: write a queue" in page.plain
    stale = visit.post(f"/cases/{case_key}", status="closed", seen="99")
    assert stale.status == 409 and "has changed since" in stale.plain and office.load_case(case_key)["status"] == "open"


def test_only_our_own_pages_may_send_forms(office: Office, visit: Visit) -> None:
    _, case_key = furnish(office)
    for headers in (
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://care.example", "Sec_Fetch_Site": "same-site"},
    ):
        assert visit(f"/cases/{case_key}", "POST", {"status": "closed"}, **headers).status == 403, headers
    assert office.load_case(case_key)["status"] == "open"


def test_who_may_only_read_sees_no_forms_and_cannot_post(office: Office, visit: Visit) -> None:
    _, case_key = furnish(office)
    page = visit(f"/cases/{case_key}", roles="viewer")
    assert not [form for form in page.all("form") if form.get("method") == "post"]
    assert visit(f"/cases/{case_key}", "POST", {"status": "closed"}, roles="viewer", **OWN_PAGE).status == 403


def test_quarantine_is_shown_replayed_and_dropped(office: Office, visit: Visit) -> None:
    hostile(office)
    quarantine_id = office.desk().list_quarantine()["quarantine"][0]["id"]
    sent: list[Any] = []
    visit.use(office.desk(replay=sent.append))
    assert visit.post(f"/quarantine/{quarantine_id}", do="replay").headers["Location"] == "/console/channels?done=replay" and len(sent) == 1
    assert visit.post(f"/quarantine/{quarantine_id}", do="drop").status == 303
    assert "Dropped: the payload is gone" in visit(f"/quarantine/{quarantine_id}").plain
    assert visit.post(f"/quarantine/{quarantine_id}", do="explode").status == 400


def test_a_replay_that_fails_says_why(office: Office, visit: Visit) -> None:
    def refuse(_: Any) -> None:
        raise ConflictError("still not understood: data.id: is missing")

    hostile(office)
    visit.use(office.desk(replay=refuse))
    quarantine_id = office.desk().list_quarantine()["quarantine"][0]["id"]
    page = visit.post(f"/quarantine/{quarantine_id}", do="replay")
    assert page.status == 409 and "Still not understood: data.id" in page.plain


# ---- who is who


def test_people_join_split_and_join_again_on_the_page(office: Office, visit: Visit) -> None:
    ines, _ = furnish(office)
    assert ines in visit(f"/customers/{ines}").plain  # for the command line, and for joining
    other = office.customer("I. Falk", ["phone:+4915100"], minutes=60)
    done = visit.post(f"/customers/{other}", do="merge", why="same voice", **{"with": "x:41"})
    page = visit(f"/customers/{other}?done=merge")
    assert done.headers["Location"] == f"/console/customers/{other}?done=merge" and "Joined: timelines and cases are one" in page.plain
    assert "phone:+4915100 Joined on 2026-11-21 by ana@acme.example: same voice." in page.plain and "Known first, since" in page.plain
    visit.post(f"/customers/{ines}", do="split", identity="phone:+4915100", why="her mother")
    page = visit(f"/customers/{ines}")
    assert "Split before Split by ana@acme.example: her mother; they had been joined on 2026-11-21" in page.plain
    assert {"type": "hidden", "name": "with", "value": other} in page.all("input")
    visit.post(f"/customers/{ines}", do="merge", why="the split is taken back", **{"with": other})
    assert "joined again since" in visit(f"/customers/{ines}").plain and not visit(f"/customers/{ines}", roles="viewer").all("details")


def test_a_join_that_cannot_be_keeps_what_was_typed(office: Office, visit: Visit) -> None:
    ines, _ = furnish(office)
    page = visit.post(f"/customers/{ines}", do="merge", why="same voice", **{"with": "x:nobody"})
    assert page.status == 400 and "No customers are known as x:nobody" in page.plain
    assert {"x:nobody", "same voice"} <= {field.get("value") for field in page.all("input")}
    assert visit.post(f"/customers/{ines}", do="split", identity="x:41").status == 409
