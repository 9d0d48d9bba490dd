"""Every page of the console: what strangers wrote stays text, nothing runs but our own file, and a keyboard reaches all there is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from caseline.console.pages import STATIC
from caseline.console.wording import safe_url
from caseline.errors import UnavailableError

from functions.serve_console import app
from tests.kit.browser import Page, Visit, furnish, hostile, read
from tests.kit.office import Office, rest_event


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


# ---- keyboard, landmarks, links, files


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


def test_what_covers_a_row_of_the_queue_covers_nothing_else(visit: Visit) -> None:
    covering = re.findall(r"^([^{\n]+)\{[^}]*inset: 0", visit("/static/console.css").html, re.MULTILINE)
    assert covering and all(selector.startswith(".case a.") for selector in covering)


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


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http:", "HTTP://[", "vbscript:x", "", None, "java\nscript:alert(1)", " javascript:x"]
)
def test_only_web_addresses_become_links(url: Any) -> None:
    assert safe_url(url) is None
