"""The console's pages: what strangers wrote stays text, nothing runs but our own file, and people can work with keyboard and forms alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from caseline.console import pages
from caseline.console.pages import STATIC
from caseline.console.wording import mood_of, name_of, safe_url, say_ago, say_amount, say_day, say_money, say_rating, say_renewal, say_since
from caseline.errors import ConflictError, UnavailableError
from caseline.quarantine import quarantine_row
from caseline.signals import isoformat
from caseline.table import Table

from functions.serve_console import app
from tests.kit.aws import FakeCloud, aws, create_table
from tests.kit.office import HOSTILE, NOW, Office, rest_event, stars

OWN_PAGE = {"Origin": "https://care.example", "Sec_Fetch_Site": "same-origin"}


@dataclass
class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, and its text."""

    status: int
    headers: dict[str, str]
    html: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def plain(self) -> str:
        return " ".join(self.text.split())


@dataclass
class Visit:
    office: Office
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.use(self.office.desk())

    def use(self, desk: Any) -> None:
        self.monkeypatch.setattr(app, "wiring", lambda: SimpleNamespace(desk=desk, clock=lambda: self.office.now))

    def __call__(self, path: str, method: str = "GET", form: dict[str, str] | None = None, **more: Any) -> Page:
        path, _, query = path.partition("?")
        asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        event = rest_event(method, f"/console{path}", asked, urlencode(form) if form is not None else None, **more)
        return read(app.handler(event, None))

    def post(self, path: str, **form: str) -> Page:
        return self(path, "POST", form, **OWN_PAGE)


def read(response: dict[str, Any]) -> Page:
    return Page(response["statusCode"], {name: values[0] for name, values in response["multiValueHeaders"].items()}, response["body"] or "")


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
def visit(office: Office, monkeypatch: pytest.MonkeyPatch) -> Visit:
    return Visit(office, monkeypatch)


def furnish(office: Office, **more: Any) -> tuple[str, str]:
    account = office.account("Halden Mills", "strategic", "2500000", renews_in=27)
    customer_id = office.customer("Ines Falk", ["x:41", "email:ines@halden.example"], account)
    complaint = office.signal("x:41", 12, "Down again, and nobody answers.", reach=300, url="https://social.example/1")
    office.signal("email:ines@halden.example", 1600, "Lovely.", -0.8, channel="trustpilot", kind="review", rating=stars(5))
    office.signal("x:41", 5, "We are on it.", 0.0, direction="outbound", agent="Priya", author_name=None)
    return customer_id, office.case(customer_id, [complaint], "outage", account, **more)


def hostile(office: Office) -> tuple[str, str]:
    """Everything a stranger can write, in every field that a page shows."""
    account = office.account(HOSTILE, HOSTILE, HOSTILE, renews_in=5, contract_status=HOSTILE)
    customer_id = office.customer(HOSTILE, ["x:666", f"x:@{HOSTILE}"], account)
    row = office.signal("x:666", 3, HOSTILE, author_name=HOSTILE, url="javascript:alert(1)", language='"><script>', kind="post", agent=HOSTILE)
    office.signal("x:666", 2, HOSTILE, 0.0, author_name=HOSTILE, direction="outbound", agent=HOSTILE, url="https://x.example/?a=1&b=2")
    case_key = office.case(
        customer_id,
        [row],
        "service",
        account,
        push=False,
        subject=HOSTILE,
        owner=HOSTILE,
        crm={"name": HOSTILE, "url": "javascript:alert(2)", "sync": "failed", "error": HOSTILE},
    )
    envelope = {"channel": "x", "source": HOSTILE, "brand": HOSTILE, "received_at": isoformat(office.now)}
    office.table.put(quarantine_row(envelope, {"reason": HOSTILE, "field": HOSTILE, "raw": HOSTILE, "whole": False}, "d", timedelta(days=9)))
    return customer_id, case_key


def every_path(office: Office, customer_id: str, case_key: str) -> list[str]:
    held = [item["id"] for item in office.desk().list_quarantine()["quarantine"]]
    searched = "/customers?identity=" + "nobody%3A%3Cscript%3E"
    return [
        "",
        "?tab=open",
        "?tab=closed",
        f"/cases/{case_key}",
        "/customers",
        searched,
        f"/customers/{customer_id}",
        "/channels",
        *(f"/quarantine/{item}" for item in held),
        "/none",
    ]


# ---- what strangers wrote


def test_what_strangers_wrote_is_text_on_every_page(office: Office, visit: Visit) -> None:
    customer_id, case_key = hostile(office)
    for path in every_path(office, customer_id, case_key):
        page = visit(path)
        assert_only_ours_runs(page)
        assert not [value for _, attributes in page.elements for value in attributes.values() if str(value).lower().startswith("javascript:")], path
    for path in (f"/cases/{case_key}", f"/customers/{customer_id}", "?tab=open", "/channels"):
        assert '<script>alert("x")</script>' in visit(path).text, path


def assert_only_ours_runs(page: Page) -> None:
    scripts = page.all("script")
    assert [set(script) for script in scripts] == [{"defer", "src"}] and str(scripts[0]["src"]).startswith("/console/static/console.js?v=")
    assert not page.all("style") and not page.all("iframe") and not page.all("base") and not page.all("object")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "style"]


def test_headers_forbid_everything_but_our_own_files(office: Office, visit: Visit) -> None:
    customer_id, case_key = furnish(office)
    for path in every_path(office, customer_id, case_key):
        headers = visit(path).headers
        policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "img-src": "'self' data:", "connect-src": "'self'",
            "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
        }  # fmt: skip
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"], headers["Referrer-Policy"]) == ("nosniff", "no-store", "same-origin")


def test_links_to_strangers_tell_them_nothing(office: Office, visit: Visit) -> None:
    customer_id, case_key = furnish(office)
    links = [link for path in (f"/cases/{case_key}", f"/customers/{customer_id}", "?tab=open") for link in visit(path).all("a")]
    outside = [link for link in links if "://" in str(link["href"])]
    assert outside and all("noopener" in str(link["rel"]) for link in outside)
    assert all(str(link["href"]).startswith(("/", "#", "http://", "https://")) for link in links)


def test_quoted_text_says_its_language_and_direction(office: Office, visit: Visit) -> None:
    customer_id, _ = furnish(office)
    assert all(quote["dir"] == "auto" and quote["lang"] == "en" for quote in visit(f"/customers/{customer_id}").all("blockquote"))


# ---- what pages show


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


# ---- working a case


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


# ---- who is who, and what is to be known of a case beside its score


def test_people_join_split_and_join_again_on_the_page(office: Office, visit: Visit) -> None:
    ines, _ = furnish(office)
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


# ---- keyboard, landmarks, links


def test_every_page_has_landmarks_one_heading_and_labels(office: Office, visit: Visit) -> None:
    customer_id, case_key = furnish(office)
    for path in every_path(office, customer_id, case_key):
        page = visit(path)
        names = [name for name, _ in page.elements]
        assert [names.count(each) for each in ("h1", "main", "title")] == [1, 1, 1] and {"header", "nav", "footer"} <= set(names), path
        assert page.all("html")[0]["lang"] == "en" and page.all("a")[0]["href"] == "#main" and page.all("main")[0]["id"] == "main"
        labelled = {label.get("for") for label in page.all("label")}
        unlabelled = [
            field
            for tag in ("input", "textarea", "select")
            for field in page.all(tag)
            if field.get("id") and field["id"] not in labelled and field.get("type") != "checkbox"
        ]
        assert not unlabelled, path
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), path


def test_links_start_with_the_stage_where_there_is_one(office: Office, visit: Visit) -> None:
    furnish(office)
    event = rest_event("GET", "/console", {})
    event["requestContext"]["path"] = "/live/console"
    page = read(app.handler(event, None))
    assert all(str(link["href"]).startswith(("/live/", "#", "https://")) for link in page.all("a"))


def test_files_of_ours_are_served_and_no_others(visit: Visit) -> None:
    for name, kind in STATIC.items():
        found = visit(f"/static/{name}")
        assert found.status == 200 and found.headers["Content-Type"] == kind and "immutable" in found.headers["Cache-Control"]
    assert visit("/static/..%2Fpages.py").status == 404 and visit("/static/pages.py").status == 404


def test_our_script_makes_no_html_and_is_small(visit: Visit) -> None:
    script = visit("/static/console.js").html
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script) and script.count("\n") < 150


def test_a_service_that_is_down_is_said_without_its_words(visit: Visit) -> None:
    class Down:
        def __getattr__(self, name: str) -> Any:
            raise UnavailableError("the table answered InternalServerError")

    visit.use(Down())
    page = visit("")
    assert page.status == 503 and "InternalServerError" not in page.text and "req-1" in page.text


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


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http:", "HTTP://[", "vbscript:x", "", None, "java\nscript:alert(1)", " javascript:x"]
)
def test_only_web_addresses_become_links(url: Any) -> None:
    assert safe_url(url) is None
