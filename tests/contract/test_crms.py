"""The one contract that every CRM adapter keeps. A CRM is found by its module; it needs a kit of the same name in tests/kit/crms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import CaseRecord, SavedCase, crm_names
from caseline.errors import CrmAuthError, CrmConflictError, CrmNotFoundError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError

from tests.kit.crms import RECORD, World, kit_names, open_world

NASTY = (
    "o'brien",
    '"quoted"',
    "50%_off",
    "back\\slash\\",
    "') OR Name != ('",
    "*) ^active=true }",
    "Žofie Łukasiewicz 田中 😀",
    "line\nbreak\r\n\ttab\x00",
    "\ud83d lone",
    "x" * 32_000,
)


def test_each_crm_has_a_kit() -> None:
    assert kit_names() == crm_names()


@pytest.fixture(params=crm_names())
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with open_world(request.param) as found:
        yield found


@pytest.fixture(params=[name for name in crm_names() if name != "builtin"])
def remote(request: pytest.FixtureRequest) -> Iterator[Any]:
    with open_world(request.param) as found:
        assert found.wire is not None
        yield found


# ---- accounts


def test_finds_an_account_by_each_identity_of_its_contact(world: World) -> None:
    account = world.add_account("Globex", tier="strategic")
    contact = world.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345;x:@ann")
    for identity in ("email:ann@example.com", "email:ANN@Example.com", "phone:+442079460000", "x:12345", "x:@Ann"):
        match = world.adapter().find_account([identity])
        assert match.kind == "exact" and match.account, identity
        assert (match.account.account_id, match.account.contact_id, match.account.name) == (account, contact, "Globex")
        assert set(match.account.identities) == {"email:ann@example.com", "phone:+442079460000", "x:12345", "x:@ann"}


def test_finds_none(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com", handles="x:12345")
    for identities in ([], ["email:bob@example.com"], ["x:1234"], ["x:123456"], ["no identity"], ["standard_webhooks:u-1"]):
        assert world.adapter().find_account(identities).kind == "none"


def test_contacts_of_two_accounts_are_ambiguous(world: World) -> None:
    first, second = world.add_account("Globex"), world.add_account("Initech")
    world.add_contact(first, "Ann", "ann@example.com")
    world.add_contact(second, "Ann", handles="x:12345")
    match = world.adapter().find_account(["x:12345", "email:ann@example.com"])
    assert (match.kind, match.account) == ("ambiguous", None)
    assert {candidate.account_id for candidate in match.candidates} == {first, second}


def test_contacts_of_one_account_are_that_account(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Ann", "ann@example.com", handles="x:1")
    best = world.add_contact(account, "Bob", "bob@example.com", handles="x:2")
    match = world.adapter().find_account(["x:1", "x:2", "email:bob@example.com"])
    assert match.kind == "exact" and match.account and match.account.contact_id == best


def test_a_shared_identity_names_the_account_and_no_contact(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Ann", "info@example.com")
    world.add_contact(account, "Bob", "info@example.com")
    match = world.adapter().find_account(["email:info@example.com"])
    assert match.kind == "exact" and match.account
    assert (match.account.account_id, match.account.contact_id, tuple(match.account.identities)) == (account, "", ())


def test_facts_say_where_and_when_they_were_read(world: World) -> None:
    account = world.add_account("Globex", tier="strategic", deal_value="120000.5", renewal_date="2026-12-15")
    world.add_contact(account, "Ann", "ann@example.com")
    found = world.adapter().find_account(["email:ann@example.com"]).account
    assert found
    facts = found.facts
    values = [facts[name].value for name in ("tier", "deal_value", "renewal_date", "open_cases")]
    assert values == ["strategic", "120000.5", "2026-12-15", 0]
    assert all(fact.source.lower().startswith(world.adapter().name) and fact.as_of == "2026-11-21T10:00:00.000000Z" for fact in facts.values())


def test_open_cases_are_counted_while_they_are_open(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Ann", "ann@example.com")
    crm = world.adapter()
    count = lambda: crm.find_account(["email:ann@example.com"]).account.facts["open_cases"].value  # type: ignore[union-attr]  # noqa: E731
    record = replace(RECORD, account_id=account)
    crm.save_case(record)
    crm.save_case(replace(record, case_key="cx-other"))
    assert count() == 2
    crm.save_case(replace(record, version=2, status="closed"))
    assert count() == 1


def test_an_account_value_that_is_unknown_is_no_fact(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com")
    found = world.adapter().find_account(["email:ann@example.com"]).account
    assert found and not {"tier", "deal_value", "renewal_date"} & set(found.facts)


def test_what_strangers_write_finds_only_itself(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com", handles="x:@ann")
    crm = world.adapter()
    for text in NASTY:
        for identity in (f"email:{text}@example.com", f"x:{text}", f"x:@{text}", f"phone:{text}", text):
            assert crm.find_account([identity]).kind == "none", identity[:80]


def test_a_quote_in_an_address_is_found(world: World) -> None:
    account = world.add_account("Globex")
    world.add_contact(account, "Bríd", "o'brien@example.com", handles="x:@50%_off")
    for identity in ("email:o'brien@example.com", "x:@50%_off"):
        found = world.adapter().find_account([identity]).account
        assert found and found.account_id == account


# ---- cases


def test_saves_a_case_once_under_repeats(world: World) -> None:
    first = world.adapter().save_case(RECORD)
    repeats = [world.adapter().save_case(RECORD) for _ in range(3)]
    assert first.created and first.crm_id and first.number and first.url.startswith("http")
    assert all(repeat == replace(first, created=False) for repeat in repeats)
    [case] = world.cases()
    assert (case.case_key, case.version, case.score, case.band) == (RECORD.case_key, 1, 80, "P1")
    assert "+20 strategic account\n+60 others" in case.reasons


def test_a_newer_version_updates_and_an_older_never_overwrites(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    assert crm.save_case(replace(RECORD, version=3, score=90, band="P1")) == replace(saved, created=False)
    for late in (RECORD, replace(RECORD, version=2, score=40, band="P3"), replace(RECORD, version=3, score=10, band="P4")):
        assert crm.save_case(late) == replace(saved, created=False)
    [case] = world.cases()
    assert (case.version, case.score, case.band) == (3, 90, "P1")


def test_two_savers_at_once_make_one_case(world: World) -> None:
    saved = _at_once(world, [RECORD, RECORD])
    assert saved[0].crm_id == saved[1].crm_id and len(world.cases()) == 1
    assert saved[0].number == saved[1].number


def test_versions_at_once_end_with_the_newest(world: World) -> None:
    world.adapter().save_case(RECORD)
    _at_once(world, [replace(RECORD, version=version, score=version) for version in (4, 2, 5, 3)])
    [case] = world.cases()
    assert (case.version, case.score) == (5, 5)


def test_numbers_differ(world: World) -> None:
    saved = [world.adapter().save_case(replace(RECORD, case_key=f"cx-{place}")) for place in range(3)]
    assert len({each.number for each in saved}) == len({each.crm_id for each in saved}) == 3


def test_any_text_can_be_saved(world: World) -> None:
    crm = world.adapter()
    for place, text in enumerate(NASTY):
        saved = crm.save_case(replace(RECORD, case_key=f"cx-{place}", subject=text, headline=text, reasons=(text, text), category=text))
        crm.add_note(saved.crm_id, "n-1", text)
    assert [len(case.notes) for case in world.cases()] == [1] * len(NASTY)


# ---- notes


def test_adds_a_note_once(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    for note_id in ("n-1", "n-1", "n-2", "n-1", "n-10"):
        crm.add_note(saved.crm_id, note_id, f"text of {note_id}")
    [case] = world.cases()
    assert len(case.notes) == 3
    assert any("text of n-2" in note for note in case.notes)


def test_a_note_to_a_case_that_is_gone(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.lose_case(saved.crm_id)
    with pytest.raises(CrmNotFoundError):
        crm.add_note(saved.crm_id, "n-1", "text")


def test_a_case_that_is_gone_is_made_again(world: World) -> None:
    crm = world.adapter()
    world.lose_case(crm.save_case(RECORD).crm_id)
    assert crm.save_case(replace(RECORD, version=2)).created and len(world.cases()) == 1


# ---- what goes wrong on the wire

STATUSES = {
    401: CrmAuthError, 403: CrmAuthError, 404: CrmNotFoundError, 409: CrmConflictError, 412: CrmConflictError, 422: CrmRejectedError, 429: CrmRateLimitError,
    500: CrmUnavailableError, 502: CrmUnavailableError, 503: CrmUnavailableError, 504: CrmUnavailableError,
}  # fmt: skip


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", ["find", "save"])
def test_each_status_has_its_error(remote: Any, action: str, status: int) -> None:
    crm = remote.adapter()
    remote.wire.answer(remote.wire.reading if action == "find" else remote.wire.writing, status, times=50)
    with pytest.raises(STATUSES[status]):
        _act(crm, action)
    assert remote.cases() == []


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0), ("soon", None), ("", None)])
def test_retry_after_is_passed_on(remote: Any, header: str, seconds: float | None) -> None:
    crm = remote.adapter()
    remote.wire.answer(remote.wire.writing, 429, {"Retry-After": header} if header else {})
    with pytest.raises(CrmRateLimitError) as caught:
        crm.save_case(RECORD)
    assert caught.value.retry_after == seconds if seconds else caught.value.retry_after > 0


@pytest.mark.parametrize(
    "fault", [("drop_before", {}), ("malformed", {}), ("drip", {"pause": 0.05}), ("pause", {"pause": 1.6}), ("redirect", {})], ids=lambda fault: fault[0]
)
@pytest.mark.parametrize("action", ["find", "save"])
def test_an_answer_that_does_not_come_is_unavailable(remote: Any, action: str, fault: tuple[str, dict[str, Any]]) -> None:
    crm = remote.adapter(impatient=True)
    remote.wire.break_off(remote.wire.reading, fault[0], **fault[1])
    with pytest.raises(CrmUnavailableError) as caught:
        _act(crm, action)
    assert "ann@example.com" not in str(caught.value)


def test_a_reply_lost_after_the_commit_makes_no_second_case(remote: Any) -> None:
    crm = remote.adapter()
    remote.wire.break_off(remote.wire.writing, "drop_after")
    with pytest.raises(CrmUnavailableError):
        crm.save_case(RECORD)
    again = crm.save_case(RECORD)
    [case] = remote.cases()
    assert case.crm_id == again.crm_id


def test_a_reply_lost_after_a_note_makes_no_second_note(remote: Any) -> None:
    crm = remote.adapter()
    saved = crm.save_case(RECORD)
    remote.wire.break_off("POST", "drop_after")
    with pytest.raises(CrmUnavailableError):
        crm.add_note(saved.crm_id, "n-1", "text")
    crm.add_note(saved.crm_id, "n-1", "text")
    [case] = remote.cases()
    assert len(case.notes) == 1


def _act(crm: Any, action: str) -> Any:
    return crm.find_account(["email:ann@example.com"]) if action == "find" else crm.save_case(RECORD)


def _at_once(world: World, records: list[CaseRecord]) -> list[SavedCase]:
    gate, saved = threading.Barrier(len(records)), {}

    def save(place: int, record: CaseRecord) -> None:
        crm = world.adapter()
        gate.wait()
        for _ in range(10):
            try:
                saved[place] = crm.save_case(record)
                return
            except CrmConflictError:
                continue

    threads = [threading.Thread(target=save, args=each) for each in enumerate(records)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [saved[place] for place in range(len(records))]
