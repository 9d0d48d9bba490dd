"""What is special of a CRM by mapping: logins, pages, quoting, notes apart, webhooks in all their ways, and mistakes named by their place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from caseline.configuration import read_config
from caseline.crm import NOTES_STAND, Note, rest
from caseline.crm._mapped._checks import read_mapping
from caseline.crm._mapped._reading import MappingError
from caseline.crm._mapped._template import OddValueError, Template
from caseline.crm._mapped._template import Path as UrlPath
from caseline.errors import ConfigError, CrmAuthError, CrmRejectedError, CrmUnavailableError, SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest
from ruamel.yaml import YAML

from tests.kit.crms import NOW, RECORD
from tests.kit.crms.rest import RestWorld, world
from tests.kit.rest import API_KEY, ME, PASSWORD, PLACE, TOKEN, mapping
from tests.kit.scenes import MANY, NASTY, later, the_case

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "events/crm/rest").glob("*.json"))
LOGINS: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
    "bearer": ({"kind": "bearer"}, {"token": TOKEN}), "header": ({"kind": "header", "header": "X-Api-Key"}, {"token": API_KEY}),
    "basic": ({"kind": "basic"}, {"username": ME, "password": PASSWORD}),
}  # fmt: skip


@pytest.fixture
def office() -> Iterator[RestWorld]:
    with world() as found:
        yield found


def changed(*path: Any, value: Any) -> dict[str, Any]:
    """The mapping with another value at that path; None takes it away."""
    found = mapping()
    *above, last = path
    held: Any = found
    for part in above:
        held = held[part]
    held[last] = value
    return {**found} if value is not None else (held.pop(last), found)[1]


# ---- logging in


@pytest.mark.parametrize("kind", LOGINS)
def test_logs_in_by_each_kind(office: RestWorld, kind: str) -> None:
    login, secret = LOGINS[kind]
    crm = office.adapter(mapping=changed("login", value=login), secret=secret)
    assert crm.save_case(RECORD).created
    office.refuse_login()
    with pytest.raises(CrmAuthError):
        crm.find_account(["email:ann@example.com"])
    with pytest.raises(ConfigError, match="lacks"):
        office.adapter(mapping=changed("login", value=login), secret={})


# ---- pages

PAGINGS: Mapping[str, dict[str, Any]] = {
    "cursor": {"kind": "cursor", "parameter": "token", "next": "next"}, "page": {"kind": "page", "parameter": "page", "size": 100},
    "offset": {"kind": "offset", "parameter": "offset", "size": 100}, "link": {"kind": "link"},
}  # fmt: skip


@pytest.mark.parametrize("kind", PAGINGS)
def test_follows_each_kind_of_page(office: RestWorld, kind: str) -> None:
    for number in range(MANY):
        office.simulator.add("tickets", {"external_ref": f"cx-{number}", "state": "working", "number": str(number)})
    crm, found, cursor = office.adapter(mapping=changed("cases", "list", "paging", value=PAGINGS[kind])), list[str](), ""
    while True:
        page, cursor = crm.list_cases(cursor)
        found += [case.case_key for case in page]
        if not cursor:
            break
    assert sorted(found) == sorted(f"cx-{number}" for number in range(MANY)) and office.calls() == 3


@pytest.mark.parametrize("link", ["http://elsewhere.example/api/v2/tickets?token=1", "http://127.0.0.1:1/api/v2/x", "/admin/users?x=1"])
def test_a_page_on_another_host_is_not_asked_for(office: RestWorld, link: str) -> None:
    office.simulator.faults.add("answer", "/tickets", status=200, body={"items": []}, headers={"Link": f'<{link}>; rel="next"'})
    with pytest.raises(CrmUnavailableError):
        office.adapter(mapping=changed("cases", "list", "paging", value={"kind": "link"})).list_cases()


def test_changes_are_read_without_a_keyset_too(office: RestWorld) -> None:
    query = {"filter": "edited_at gt {after|odata} or edited_at eq {after|odata}"}
    given = mapping()
    for kind in ("cases", "people", "accounts", "comments", "deleted"):
        given["changes"][kind] |= {"query": query, "paging": PAGINGS["cursor"]}
    given["changes"]["keyset"] = False
    crm = office.adapter(mapping=given)
    ids = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id for number in range(MANY)]
    office.tick(3600)
    cursor = crm.read_changes("")[1]
    office.tick(1)
    for crm_id in ids:
        office.set_owner(crm_id, "ann")
    changes, cursor = crm.read_changes(cursor)
    assert sorted(change.crm_id for change in changes) == sorted(ids)
    assert crm.read_changes(cursor)[0] == []


# ---- notes


def test_notes_may_go_by_a_request_of_their_own(office: RestWorld) -> None:
    given = mapping()
    for request in ("create", "update"):
        given["cases"][request]["body"] = {name: value for name, value in given["cases"][request]["body"].items() if not name.startswith("add_")}
    given["cases"]["note"] = {"method": "POST", "path": "/tickets/{crm_id}/notes", "body": {"text": "{text}", "public": "{public}"}}
    given["cases"]["notes"] = {"path": "/tickets/{crm_id}/notes", "rows": "items", "paging": {"kind": "link"}}
    crm, notes = office.adapter(mapping=given), tuple(Note(f"n-{number}", f"words {number}.", public=number % 2 == 0) for number in range(4))
    saved = crm.save_case(replace(RECORD, first=True, notes=notes[:2]))
    for version in (2, 3):
        crm.save_case(later(saved, version=version, notes=notes))
    for number in range(4, 9):
        crm.add_note(saved.crm_id, f"n-{number}", f"words {number}.")
    crm.save_case(later(saved, version=4, notes=notes))
    text = "".join(the_case(office).notes)
    assert [text.count(f"words {number}.") for number in range(9)] == [1] * 9
    assert [row["public"] for row in office.simulator.notes(saved.crm_id)][:3] == [False, True, False]


@pytest.mark.parametrize("way", [None, {"method": "POST", "path": "/tickets/{crm_id}/forgotten"}, {"method": "PUT", "path": "/tickets/{crm_id}/forget"}])
def test_notes_stand_where_there_is_no_way_to_take_them_back(office: RestWorld, way: Any) -> None:
    crm = office.adapter(mapping=changed("cases", "erase", value=way))
    saved = crm.save_case(replace(RECORD, first=True, notes=(Note("n-1", "words"),)))
    assert crm.erase_notes(saved.crm_id, "erased") == [NOTES_STAND]


def test_public_notes_are_answers(office: RestWorld) -> None:
    saved = office.adapter().save_case(replace(RECORD, first=True, notes=(Note("n-1", "inside"), Note("n-2", "to the customer", public=True))))
    assert [(row["text"], row["public"]) for row in office.simulator.notes(saved.crm_id)] == [("inside\n[cx:n-1]", False), ("to the customer\n[cx:n-2]", True)]


# ---- calls and errors


def test_a_new_case_takes_two_calls_and_a_later_save_one(office: RestWorld) -> None:
    contact = office.add_contact(account := office.add_account("Globex"), "Ann", "ann@example.com")
    crm = office.adapter()
    crm.find_account(["email:ann@example.com"])
    saved = crm.save_case(replace(RECORD, first=True, account_id=account, contact_id=contact, notes=(Note("n-1", "words"),)))
    assert office.calls() == 2 and crm.usage.allowed == 10_000
    crm.save_case(later(saved, score=85))
    assert office.calls() == 3


def test_accounts_may_be_read_apart(office: RestWorld) -> None:
    ids = [office.add_account(name, tier="strategic") for name in ("Globex", "Initech")]
    for number, account in enumerate(ids):
        office.add_contact(account, f"Ann {number}", f"ann{number}@example.com")
    for request in ({"path": "/customers/{account_id}"}, {"path": "/customers", "query": {"filter": "id in ({account_ids|odata})"}, "rows": "items"}):
        before = office.calls()
        match = office.adapter(mapping=changed("accounts", "read", value=request)).find_account(["email:ann0@example.com", "email:ann1@example.com"])
        assert [(each.account_id, each.facts["tier"].value) for each in match.candidates] == [(account, "strategic") for account in ids]
        assert office.calls() - before == (2 if "query" in request else 3)


def test_a_case_whose_customer_is_gone_is_saved_without(office: RestWorld) -> None:
    saved = office.adapter().save_case(replace(RECORD, first=True, account_id="c-00000099", contact_id="p-00000098"))
    assert saved.created and len(office.cases()) == 1


def test_a_refused_field_is_named_and_its_value_is_not(office: RestWorld) -> None:
    given = changed("words", "priorities", "P1", value="ann@example.com")
    with pytest.raises(CrmRejectedError) as caught:
        office.adapter(mapping=given).save_case(RECORD)
    assert caught.value.field == "urgency" and "ann@example.com" not in str(caught.value)


# ---- placeholders


@pytest.mark.parametrize("text", [*NASTY, "..", ".", "a/../b", "a?b=c#d", "%2e%2e", "{crm_id}", "' or id ne '", "\\' or 1"])
def test_a_value_is_only_ever_a_value(text: str) -> None:
    body = Template({"a": "{v}", "b": ["{v}"], "c": "x {v|text}", "static": True}).fill({"v": text})
    assert body["a"] == body["b"][0] == body["c"][2:] and set(body) == {"a", "b", "c", "static"}
    odata, slashed = (Template(f"a eq {{v|{quoting}}}").fill({"v": text}) for quoting in ("odata", "backslash"))
    assert odata[5:].replace("''", "").count("'") == 2 and slashed[5:].replace("\\\\", "").replace("\\'", "").count("'") == 2
    assert json.loads(Template("{v|json} ").fill({"v": text})) == body["a"]
    try:
        path = UrlPath("/a/{v}/b").fill({"v": text})
    except OddValueError:
        return
    assert path.count("/") == 3 and path.split("/")[2].strip(".") and path.isascii() and not set("?# ") & set(path)


def test_what_is_unknown_is_left_out() -> None:
    joined = {"$join": " or ", "$parts": ["p in ({d|odata})", "{a|odata}"]}
    template = Template({"a": "{a}", "b": {"c": "{c}"}, "d": ["{a}", "{d}"], "e": "x {c|text}", "f": joined})
    assert template.fill({"d": ["1", "o'2"], "a": ""}) == {"d": [["1", "o'2"]], "f": "p in ('1', 'o''2')"}
    assert template.fill({}) is None


# ---- mistakes

MISTAKES: Mapping[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "no such key": (lambda: changed("cases", "creat", value={"path": "/x"}), "cases.creat: there is no 'creat' here; write create"),
    "missing": (lambda: changed("cases", "update", value=None), "cases: 'update' is missing"),
    "expression": (lambda: changed("cases", "fields", "id", value="a..b"), "cases.fields.id: 'a..b' is no JMESPath"),
    "placeholder": (lambda: changed("cases", "create", "body", "title", value="{subjekt}"), "cases.create: {subjekt} is no placeholder"),
    "unquoted": (lambda: changed("cases", "find", "query", "filter", value="ref eq '{case_key}'"), "cases.find.query.filter: .*how it is quoted"),
    "quoting": (lambda: changed("cases", "find", "query", "filter", value="ref eq {case_key|sql}"), "no quoting 'sql'"),
    "text in a query": (lambda: changed("cases", "find", "query", "filter", value="ref eq {case_key|text}"), "cases.find.query.filter: text within"),
    "path": (lambda: changed("cases", "read", "path", value="/tickets/{crm_id}?x=1"), "cases.read.path: write a path"),
    "other host": (lambda: changed("cases", "read", "path", value="//evil.example/{crm_id}"), "cases.read.path: write a path"),
    "method": (lambda: changed("cases", "update", "method", value="patch"), "cases.update.method: 'patch' is not known"),
    "login": (lambda: changed("login", "kind", value="magic"), "login.kind: 'magic' is not known; write one of bearer"),
    "paging": (lambda: changed("cases", "list", "paging", value={"kind": "cursor", "parameter": "t"}), "cases.list.paging: 'next' is missing"),
    "number": (lambda: changed("changes", "limit", value="many"), "changes.limit: write a whole number"),
    "list": (lambda: changed("people", "find", value={"path": "/people"}), "people.find: write a list"),
    "in a list": (lambda: changed("errors", 1, "is", value="odd"), "errors.1.is: 'odd' is not known"),
    "statuses": (lambda: changed("words", "statuses", value={"open": "o"}), "words.statuses: 'closed' is missing"),
    "comment": (lambda: changed("changes", "comment", value=None), "changes: 'comment' is missing"),
    "proof": (lambda: changed("webhook", "header", value=None), "webhook: 'header' is missing"),
    "notes": (lambda: changed("cases", "update", "body", "add_note", value=None), "cases: notes have no way in"),
    "case_url": (lambda: changed("case_url", value="tickets/{crm_id}"), "case_url: write a path"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_its_place(name: str) -> None:
    make, said = MISTAKES[name]
    with pytest.raises(MappingError, match=rf"crm\.mapping\..*{said.replace('{', '[{]')}"):
        read_mapping(make())


@pytest.mark.parametrize("above", ["", "  settings:\n  "])
def test_a_mistake_in_the_configuration_has_its_line(above: str) -> None:
    indent = "    " if above else "  "
    lines = [f"{indent}  {line}" for line in PLACE.read_text().replace("status: state", "status: state[", 1).splitlines()]
    head = ["brands: {acme: {}}", "sources: []", "crm:", "  name: rest", *(["  settings:"] if above else []), f"{indent}instance_url: https://desk.example"]
    text = "\n".join([*head, f"{indent}mapping:", *lines])
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "state[" in each)
    with pytest.raises(ConfigError, match=rf"config.yaml:{line}:\d+: .*is no JMESPath"):
        read_config(text)
    read_config(text.replace("state[", "state"))


def test_the_example_in_the_readme_is_whole() -> None:
    block = (ROOT / "infra/crm/rest/README.md").read_text().split("```yaml\n")[1].partition("```")[0]
    text = f"brands: {{acme: {{}}}}\nsources: []\n{block}"
    assert read_config(text)["crm"]["name"] == "rest"
    crm = YAML(typ="safe", pure=True).load(block)["crm"]
    assert rest.create({name: value for name, value in crm.items() if name != "name"}, {"token": "t"}).native_upsert is False


# ---- webhooks


def _proof(kind: str, body: bytes, secret: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers that prove it, and the mapping's words for them."""
    if kind == "base64":
        proof = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha512)).decode()
        return {"X-Sign": proof}, {"kind": "hmac", "header": "X-Sign", "encoding": "base64", "algorithm": "sha512"}
    if kind == "header":
        return {"X-Secret": secret}, {"kind": "header", "header": "X-Secret"}
    return {"Authorization": "Basic " + base64.b64encode(f"desk:{secret}".encode()).decode()}, {"kind": "credentials"}


@pytest.mark.parametrize("kind", ["base64", "header", "credentials"])
def test_a_webhook_is_proved_as_the_mapping_says(kind: str) -> None:
    secret, body = "a-secret-for-the-news", json.dumps({"events": []}).encode()
    headers, words = _proof(kind, body, secret)
    given = mapping()
    given["webhook"] = {**words, "rows": "events", "events": given["webhook"]["events"]}
    source = Source("rest", "acme", (), (secret,), {"mapping": given})
    request = WebhookRequest("POST", "https://hooks.example.com/webhooks/crm/rest", headers, body, NOW)
    rest.verify(request, source)
    assert rest.parse(request, source) == []
    for wrong in (replace(source, secrets=("another-secret-of-ours",)), replace(source, settings={}), replace(source, settings={"mapping": "x"})):
        with pytest.raises(SignatureError):
            rest.verify(request, wrong)
    with pytest.raises(SignatureError):
        rest.verify(replace(request, headers={}), source)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_recorded_webhook_is_read_as_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    sent, received_at = sample["request"], parse_time(sample["received_at"])
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), received_at)
    source = Source("rest", "acme", (), tuple(sample["secrets"]), {"mapping": mapping()})
    rest.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in rest.parse(request, source)] == sample["expected"]["changes"]
