"""What is SAP's own: two products, CSRF tokens and cookies, ETags, filters that may not say everything, notes in a service of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from caseline.crm import CLOSED, NewContact, Note, sap
from caseline.errors import ConfigError, CrmAuthError, CrmConflictError, CrmRejectedError, CrmUnavailableError, PayloadError

from tests.kit.crms import RECORD, open_world
from tests.kit.crms.sap import V2World
from tests.kit.crms.sap_c4c import C4cWorld
from tests.kit.sap import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER
from tests.kit.sap.v2 import CASES, NOTES
from tests.kit.scenes import BEFORE, SCHEMA, later, the_case, told
from tests.kit.simulated import in_process

BASIC = {"user": USER, "password": PASSWORD}
OAUTH = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
KNOWN = ["x:12345", "email:ann@example.com", "phone:+442079460000"]


@pytest.fixture
def v2() -> V2World:
    return V2World()


@pytest.fixture
def c4c() -> C4cWorld:
    return C4cWorld()


@pytest.fixture(params=["sap", "sap_c4c"])
def world(request: pytest.FixtureRequest) -> Iterator[Any]:
    with open_world(request.param) as found:
        yield found


def adapter(world: Any, secret: Any = None, **settings: Any) -> Any:
    ours = {"instance_url": "http://127.0.0.1", "own_user": "Caseline", **world.settings, **settings}
    return sap.create(ours, secret or world.secret, session=in_process(world.simulator), clock=world.clock)


def customer(world: Any) -> str:
    account = str(world.add_account("Globex", "strategic", "1000", "2026-12-15"))
    world.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    return account


def asked(world: Any, since: int = 0) -> list[str]:
    return [f"{call.method} {unquote(call.target).partition('/v1')[2]}" for call in world.simulator.calls[since:]]


# ---- calls


@pytest.mark.parametrize(("name", "new", "noted"), [("sap", 4, 4), ("sap_c4c", 3, 3)])
def test_a_new_case_takes_few_calls(name: str, new: int, noted: int) -> None:
    for notes, calls in (((), new), ((Note("n-1", "a"), Note("n-2", "b")), noted)):
        with open_world(name) as world:
            customer(world)
            found = world.adapter().find_account(KNOWN).account
            assert found
            world.adapter().save_case(replace(RECORD, first=True, account_id=found.account_id, contact_id=found.contact_id, notes=notes))
            assert world.calls() == calls


@pytest.mark.parametrize(("name", "moved", "noted"), [("sap", 2, 2), ("sap_c4c", 2, 2)])
def test_later_saves_take_few_calls(name: str, moved: int, noted: int) -> None:
    with open_world(name) as world:
        saved = world.adapter().save_case(replace(RECORD, first=True))
        for record, calls in (
            (later(saved, score=85), 1),
            (later(saved, 3, band="P2"), moved),
            (later(saved, 4, notes=(Note("n-1", "a"), Note("n-2", "b"))), noted),
        ):
            crm, before = world.adapter(), world.calls()
            crm.save_case(record)
            assert world.calls() - before == calls
        assert the_case(world).version == 4


def test_a_case_that_nobody_touched_since_our_last_answer_is_written_unread(world: Any) -> None:
    crm = world.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    for version in (2, 3, 4):
        before = world.calls()
        crm.save_case(later(saved, version, score=80 + version))
        assert world.calls() - before == 1
    assert the_case(world).score == 84


def test_a_case_that_somebody_touched_is_read_before_it_is_written(world: Any) -> None:
    crm = world.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    world.close_case(saved.crm_id)
    before = world.calls()
    assert crm.save_case(later(saved, score=85)).status == CLOSED and the_case(world).score == 85
    assert world.calls() - before == 3


@pytest.mark.parametrize(("name", "calls"), [("sap", 2), ("sap_c4c", 1)])
def test_notes_to_a_case_that_nobody_touched_since_are_added_unread(name: str, calls: int) -> None:
    with open_world(name) as world:
        crm = world.adapter()
        saved = crm.save_case(replace(RECORD, first=True, notes=(Note("n-0", "note 0."),)))
        for version in (2, 3, 4):
            before = world.calls()
            crm.save_case(later(saved, version, saved_version=version - 1, notes=(Note(f"n-{version}", f"note {version}."),)))
            assert world.calls() - before == calls
        assert [sum(f"note {number}." in note for note in the_case(world).notes) for number in (0, 2, 3, 4)] == [1, 1, 1, 1]


def test_notes_are_looked_for_where_an_answer_was_lost_or_somebody_came_between(world: Any) -> None:
    crm, news = world.adapter(), (Note("n-1", "first words."),)
    saved = crm.save_case(replace(RECORD, first=True))
    world.wire.break_off("(PATCH .*/cases|POST .*/.batch)", "drop_after")
    with pytest.raises(CrmUnavailableError):
        crm.save_case(later(saved, saved_version=1, notes=news))
    crm.save_case(later(saved, saved_version=1, notes=news))
    world.comment(saved.crm_id, "by a person")
    world.close_case(saved.crm_id)
    again = crm.save_case(later(saved, 3, saved_version=2, notes=(*news, Note("n-2", "second words."))))
    notes = the_case(world).notes
    assert again.status == CLOSED and [sum(text in note for note in notes) for text in ("first", "second", "person")] == [1, 1, 1]


def test_who_comes_between_reading_and_writing_notes_is_a_conflict(v2: V2World) -> None:
    crm = adapter(v2)
    saved = crm.save_case(RECORD)
    v2.simulator.faults.add("answer", "PATCH .*/cases", status=412, body={"error": {"code": "X", "message": "changed"}})
    with pytest.raises(CrmConflictError):
        crm.add_note(saved.crm_id, "n-1", "words")
    crm.add_note(saved.crm_id, "n-1", "words")
    assert sum("words" in note for note in the_case(v2).notes) == 1


# ---- logging in


@pytest.mark.parametrize("name", ["v2", "c4c"])
def test_a_technical_user_proves_its_writes_by_a_token_and_cookies(name: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue(name)
    crm = adapter(world, BASIC)
    saved = crm.save_case(RECORD)
    write = next(call for call in world.simulator.calls if call.method == "POST")
    assert write.headers["x-csrf-token"] and "SAP_SESSIONID=" in write.headers["Cookie"]
    logins = world.simulator.logins
    crm.save_case(later(saved, score=85))
    assert (logins, world.simulator.logins) == (1, 1)
    world.simulator.sessions.csrf.clear()
    crm.save_case(later(saved, 3, score=86))
    assert (world.simulator.logins, the_case(world).score) == (2, 86)


def test_reading_needs_no_csrf_token(c4c: C4cWorld) -> None:
    customer(c4c)
    assert adapter(c4c).find_account(["email:nobody@example.com"]).kind == "none"
    assert c4c.simulator.logins == 0


def test_oauth_needs_no_csrf_token_but_where_it_is_always_wanted(v2: V2World) -> None:
    adapter(v2, OAUTH).save_case(RECORD)
    assert v2.simulator.logins == 1
    adapter(v2, OAUTH, csrf="always").save_case(replace(RECORD, version=2))
    assert v2.simulator.logins == 3


def test_headers_that_a_tenant_wants_go_with_each_call(v2: V2World) -> None:
    adapter(v2, headers={"x-sap-crm-token": "a-token"}).save_case(RECORD)
    assert all(call.headers["x-sap-crm-token"] == "a-token" for call in v2.simulator.calls if "/case-service/" in call.path)


def test_a_technical_user_with_a_wrong_password_is_not_tried_again(c4c: C4cWorld) -> None:
    with pytest.raises(CrmAuthError):
        adapter(c4c, {"user": USER, "password": "another"}).save_case(RECORD)
    assert len(c4c.simulator.calls) == 1


# ---- what may be asked


def test_an_or_of_c4c_names_one_column(c4c: C4cWorld) -> None:
    account = customer(c4c)
    crm = adapter(c4c)
    match = crm.find_account([*KNOWN, "x:777", "email:bob@example.com"])
    assert match.account and match.account.account_id == account
    [batch] = [call for call in c4c.simulator.calls if call.path.endswith("/$batch")][:1]
    assert batch.raw.count(b"GET ContactCollection") == 4


def test_a_star_is_a_wildcard_to_c4c_and_finds_nobody_else(c4c: C4cWorld) -> None:
    customer(c4c)
    for identity in ("x:*", "x:12*45", "email:*@example.com", "email:a*n@example.com"):
        assert adapter(c4c).find_account([identity]).kind == "none"


def test_quotes_are_doubled(world: Any) -> None:
    crm = world.adapter()
    world.add_contact(customer(world), "Bríd", "o'brien@example.com", handles="x:it's")
    for identity in ("email:o'brien@example.com", "x:it's"):
        assert crm.find_account([identity]).kind == "exact"
    assert any("o''brien" in target for target in asked(world))


def test_pages_are_skipped_through(v2: V2World) -> None:
    crm = adapter(v2, page=5)
    for number in range(12):
        crm.save_case(replace(RECORD, case_key=f"cx-{number:02}", first=True))
    cursor, listed = "", []
    while True:
        page, cursor = crm.list_cases(cursor)
        listed += [case.case_key for case in page]
        if not cursor:
            break
    assert listed == [f"cx-{number:02}" for number in range(12)]
    v2.tick(3600)
    cursor = crm.read_changes("")[1]
    v2.tick(1)
    for case in v2.cases():
        v2.set_owner(case.crm_id, "ann")
    before, told = len(v2.simulator.calls), []
    while changes := (answer := crm.read_changes(cursor))[0]:
        told, cursor = told + changes, answer[1]
    assert len({change.crm_id for change in told}) == len(told) == 12
    assert any("$skip=5" in target for target in asked(v2, before))


# ---- account value


def test_v2_sums_won_deals_where_it_is_told_to(v2: V2World) -> None:
    from tests.kit.sap.tenant import Table

    columns = {
        "id": "id",
        "account.id": "id",
        "lifeCycleStatus": "string",
        "expectedRevenueAmount.content": "number",
        "expectedRevenueAmount.currencyCode": "string",
    }
    v2.tenant.tables["opportunity-service/opportunities"] = Table("opportunity", "id", columns)
    account = customer(v2)
    for value, status in ((1000, "WON"), (500.5, "WON"), (9000, "LOST")):
        amount = {"expectedRevenueAmount.content": value, "expectedRevenueAmount.currencyCode": "EUR"}
        v2.tenant.add("opportunity-service/opportunities", {"account.id": account, "lifeCycleStatus": status, **amount})
    found = adapter(v2, deals={"path": "/opportunity-service/opportunities"}).find_account(KNOWN).account
    assert found
    assert [found.facts[name].value for name in ("deal_value", "purchases", "currency")] == ["1500.5", 2, "EUR"]
    yen = {"expectedRevenueAmount.content": 9_000_000, "expectedRevenueAmount.currencyCode": "JPY"}
    v2.tenant.add("opportunity-service/opportunities", {"account.id": account, "lifeCycleStatus": "WON", **yen})
    found = adapter(v2, deals={"path": "/opportunity-service/opportunities"}).find_account(KNOWN).account
    assert found and not {"deal_value", "currency"} & set(found.facts), "amounts of several currencies are no sum"


def test_c4c_reads_deals_and_contracts(c4c: C4cWorld) -> None:
    customer(c4c)
    found = adapter(c4c).find_account(KNOWN).account
    assert found
    facts = {name: fact.value for name, fact in found.facts.items()}
    assert (facts["deal_value"], facts["currency"], facts["purchases"], facts["contract_status"], facts["open_cases"]) == ("1000", "EUR", 1, "active", 0)
    assert all(fact.source.startswith("SAP ") for fact in found.facts.values())


def test_a_word_of_the_tenant_is_a_tier_of_ours(world: Any) -> None:
    account = customer(world)
    world.set_tier(account, "Platinum")
    assert "tier" not in world.adapter().find_account(KNOWN).account.facts
    assert world.adapter(tiers={"platinum": "strategic"}).find_account(KNOWN).account.facts["tier"].value == "strategic"


# ---- cases


def test_a_case_is_routed_to_a_team_and_its_person_stands(v2: V2World) -> None:
    team, other = "0b1f6d3e-1111-4222-8333-444455556666", "0b1f6d3e-2222-4222-8333-444455556666"
    queues = {"senior-care": team, "tier-2": other}
    crm = adapter(v2, queues=queues)
    saved = crm.save_case(replace(RECORD, first=True))
    row = v2.tenant.tables[CASES].rows[saved.crm_id]
    assert row["serviceTeam.id"] == team
    crm.save_case(later(saved, queue="tier-2"))
    assert row["serviceTeam.id"] == other
    v2.tenant.edit(CASES, saved.crm_id, {"serviceTeam.id": team})
    crm.save_case(later(saved, 3, before={**BEFORE, "queue": "tier-2"}, queue="senior-care"))
    crm.save_case(later(saved, 4, before={**BEFORE, "queue": "tier-2"}, queue="other"))
    assert row["serviceTeam.id"] == team


def test_a_case_of_a_stranger_may_have_an_account(v2: V2World) -> None:
    account = v2.add_account("Unknown customers")
    saved = adapter(v2, default_account=account).save_case(replace(RECORD, first=True))
    assert v2.tenant.tables[CASES].rows[saved.crm_id]["account.id"] == account


def test_notes_of_v2_are_html_that_says_what_was_said(v2: V2World) -> None:
    crm, words = adapter(v2), "1 < 2 & <b>never</b>\nsecond line"
    saved = crm.save_case(replace(RECORD, first=True))
    crm.add_note(saved.crm_id, "n-1", words)
    crm.add_note(saved.crm_id, "n-1", words)
    [note] = v2.tenant.tables[NOTES].rows.values()
    assert "&lt;b&gt;" in note["content"] and words in the_case(v2).notes[0]
    v2.comment(saved.crm_id, "by a person")
    crm.add_note(saved.crm_id, "n-2", "more")
    assert len(the_case(v2).notes) == 3


def test_a_note_of_c4c_is_public_where_it_is_an_answer(c4c: C4cWorld) -> None:
    crm = adapter(c4c)
    saved = crm.save_case(replace(RECORD, first=True, notes=(Note("n-1", "inside"), Note("n-2", "an answer", public=True))))
    assert {text["Text"].split("\n")[0]: text["TypeCode"] for text in c4c.simulator.texts(saved.crm_id)} == {"inside": "10011", "an answer": "10007"}


def test_case_and_notes_of_c4c_are_written_together_or_not_at_all(c4c: C4cWorld) -> None:
    crm = adapter(c4c)
    saved = crm.save_case(RECORD)
    c4c.lock_case(saved.crm_id)
    with pytest.raises(CrmConflictError):
        crm.save_case(later(saved, band="P2", notes=(Note("n-1", "words"),)))
    assert (the_case(c4c).version, the_case(c4c).notes) == (1, [])


def test_a_missing_key_says_what_to_install(world: Any) -> None:
    world.drop_field("case", "case_key")
    for record in (RECORD, replace(RECORD, first=True)):
        with pytest.raises(CrmRejectedError, match="infra/crm/sap"):
            world.adapter().save_case(record)
    assert world.cases() == []


# ---- people


def test_a_lead_is_found_again_by_the_customers_key(world: Any) -> None:
    new = NewContact("lead", "cu-1", "Cleo Marsh", ("x:1",), "x")
    assert world.adapter().create_contact(new).contact_id == world.adapter().create_contact(new).contact_id != ""


def test_without_our_own_name_profiles_come_back_and_check_says_so(v2: V2World) -> None:
    findings = adapter(v2, own_user="").check(SCHEMA)
    assert any(finding.name == "crm.own_user" for finding in findings) and adapter(v2).check(SCHEMA) == []


# ---- what goes wrong


@pytest.mark.parametrize("wrong", [
    {"product": "v3"}, {"csrf": "never"}, {"page": 0}, {"case_fields": {"case_key": ""}}, {"case_fields": {"band": "a b"}}, {"instance_url": "http://sap.example"},
    {"new_case": {"x y": "1"}}, {"unheard_of": 1},
])  # fmt: skip
def test_wrong_settings_say_what_to_write(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"crm"):
        sap.create({"instance_url": "https://acme.crm.cloud.sap", **wrong}, OAUTH)


@pytest.mark.parametrize("secret", [{}, {"user": "a"}, {"client_id": "a", "client_secret": ""}])
def test_a_secret_that_is_not_whole_says_what_it_lacks(secret: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="user and password or client_id and client_secret"):
        sap.create({"instance_url": "https://acme.crm.cloud.sap"}, secret)


def test_an_event_of_something_else_says_nothing(v2: V2World, c4c: C4cWorld) -> None:
    for body in ({"type": "customer.ssc.sampleservice.event.SampleCreate"}, {"type": None}, {"event": "ACCOUNT.Root-Deleted", "businessObjectId": "A" * 32}):
        assert sap.parse(*v2.basic(body)) == []
    with pytest.raises(PayloadError):
        sap.parse(*c4c.basic({"event": "SERVICE_REQUEST.Root-Deleted", "businessObjectId": "1"}))


@pytest.mark.parametrize(("name", "calls"), [("sap", 3), ("sap_c4c", 2)])
def test_a_poll_takes_few_calls(name: str, calls: int) -> None:
    with open_world(name) as world:
        crm = world.adapter()
        saved = crm.save_case(RECORD)
        world.tick(3600)
        cursor = crm.read_changes("")[1]
        before = world.calls()
        assert crm.read_changes(cursor)[0] == [] and world.calls() - before == calls
        world.tick(60)
        world.comment(saved.crm_id, "called back")
        before = world.calls()
        assert [change.fields["text"] for change in crm.read_changes(cursor)[0] if change.kind == "comment"] == ["called back"]
        assert world.calls() - before == calls + 1


@pytest.mark.parametrize("missing", [False, True], ids=["field", "no field"])
def test_first_notes_of_v2_stand_in_a_field_of_ours_or_are_notes(v2: V2World, missing: bool) -> None:
    if missing:
        v2.drop_field("case", "notes")
    for saved in [adapter(v2).save_case(replace(RECORD, first=not tries, notes=(Note("n-1", "first words"),))) for tries in range(2)]:
        adapter(v2).add_note(saved.crm_id, "n-1", "first words")
    assert told(the_case(v2), "first words") == 1 and len(v2.tenant.tables[NOTES].rows) == missing
