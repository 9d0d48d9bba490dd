"""The one contract that every CRM adapter keeps. A CRM is found by its module; it needs a kit of the same name in tests/kit/crms."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import CLOSED, OPEN, CaseRecord, Change, NewContact, Note, Profile, ProfileEvent, SavedCase, StandingCase, Usage, crm_names, open_crm
from caseline.crm._schema import read_schema
from caseline.errors import (
    CrmAuthError,
    CrmConflictError,
    CrmError,
    CrmNotFoundError,
    CrmRateLimitError,
    CrmRejectedError,
    CrmUnavailableError,
    PayloadError,
    SignatureError,
)
from caseline.sources import Source
from caseline.web import WebhookRequest
from ruamel.yaml import YAML

from tests.kit.crms import NOW, RECORD, StoredCase, World, kit_names, open_world
from tests.kit.odd import ODD, paths_of, put
from tests.kit.pipeline import Killed
from tests.kit.samples import changed_headers
from tests.kit.saving import Clock, Deaths, case_row, outbox_of, quick, table_for
from tests.kit.simulated import Call, Reply, Simulator, serving

SCHEMA = read_schema(YAML(typ="safe", pure=True).load(Path(__file__).parents[2].joinpath("infra/crm/schema.yaml").read_text()))
BEFORE = {"status": "open", "band": "P1", "queue": "senior-care", "owner": ""}
FEW = {"salesforce": 2, "dynamics": 2, "hubspot": 2}  # calls for a new case with its account looked up; 4 of any other CRM
CORE = Path(__file__).parents[2] / "layers" / "core"
HEAVY = {"boto3", "botocore", "pydantic", "requests", "urllib3", "jwt", "cryptography", "ruamel"}
MANY = 205  # more than fit on a page of most CRMs

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


@pytest.mark.parametrize("name", crm_names())
def test_opening_a_crm_loads_nothing_heavy(name: str) -> None:
    """The door opens it for its webhooks, and has none of these."""
    code = (
        "import sys; from caseline.door import Door; from caseline.crm import open_crm; before = set(sys.modules); "
        f"open_crm({name!r}); print(*sorted({{each.partition('.')[0] for each in sys.modules.keys() - before}} & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(CORE)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(params=crm_names())
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with open_world(request.param) as found:
        yield found


@pytest.fixture(params=[name for name in crm_names() if name != "builtin"])
def remote(request: pytest.FixtureRequest) -> Iterator[Any]:
    with open_world(request.param) as found:
        assert found.wire is not None
        yield found


def later(saved: SavedCase, version: int = 2, before: Mapping[str, str] = BEFORE, record: CaseRecord = RECORD, **changes: Any) -> CaseRecord:
    """The next version of a case that stands in the CRM."""
    return replace(record, version=version, crm_id=saved.crm_id, before=before, **changes)


def place(saved: SavedCase) -> tuple[str, str, str]:
    return saved.crm_id, saved.number, saved.url


def the_case(world: World, case_key: str = RECORD.case_key) -> StoredCase:
    [found] = [case for case in world.cases() if case.case_key == case_key]
    return found


def told(case: StoredCase, text: str) -> int:
    """How often a note's text stands at the case, in however many notes."""
    return sum(note.count(text) for note in case.notes)


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
    assert first.created and first.crm_id and first.number and first.url.startswith("http") and first.status in ("", OPEN)
    assert all(place(repeat) == place(first) and not repeat.created for repeat in repeats)
    [case] = world.cases()
    assert (case.crm_id, case.case_key, case.version, case.score, case.band, case.status) == (first.crm_id, RECORD.case_key, 1, 80, "P1", OPEN)
    assert "+20 strategic account\n+60 others" in case.reasons


def test_a_first_save_makes_the_case(world: World) -> None:
    account = world.add_account("Globex")
    contact = world.add_contact(account, "Ann", "ann@example.com")
    first = world.adapter().save_case(replace(RECORD, first=True, account_id=account, contact_id=contact))
    again = world.adapter().save_case(replace(RECORD, account_id=account, contact_id=contact))
    assert first.created and not again.created and place(first) == place(again)
    assert (the_case(world).band, the_case(world).score, len(world.cases())) == ("P1", 80, 1)


def test_a_newer_version_updates_and_an_older_never_overwrites(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    assert place(crm.save_case(replace(RECORD, version=3, score=90, band="P1"))) == place(saved)
    for late in (RECORD, replace(RECORD, version=2, score=40, band="P3"), replace(RECORD, version=3, score=10, band="P4")):
        again = crm.save_case(late)
        assert place(again) == place(saved) and not again.created
    assert (the_case(world).version, the_case(world).score, the_case(world).band) == (3, 90, "P1")


def test_a_case_whose_place_is_known_is_updated_there(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    again = world.adapter().save_case(later(saved, score=91, headline="91 P1: renewal in 3 days", reasons=("+91 renewal",)))
    assert place(again) == place(saved) and not again.created
    [case] = world.cases()
    assert (case.version, case.score, case.reasons) == (2, 91, "+91 renewal")


def test_numbers_differ(world: World) -> None:
    saved = [world.adapter().save_case(replace(RECORD, case_key=f"cx-{place}")) for place in range(3)]
    assert len({each.number for each in saved}) == len({each.crm_id for each in saved}) == 3


# ---- what people set


def test_the_priority_follows_while_no_person_set_it(world: World) -> None:
    crm = world.adapter()
    urgent = crm.save_case(RECORD)
    other = replace(RECORD, case_key="cx-other")
    rising = crm.save_case(replace(other, band="P4", score=10))
    low = the_case(world, "cx-other").native_priority
    crm.save_case(later(rising, record=other, before={**BEFORE, "band": "P4"}))
    high = the_case(world).native_priority
    assert the_case(world, "cx-other").native_priority == high and urgent.crm_id != rising.crm_id
    assert low != high or low == high == "", "P1 and P4 are the same to this CRM"
    assert the_case(world, "cx-other").band == "P1"


def test_a_priority_that_a_person_set_stands(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.set_band(saved.crm_id, "P4")
    theirs = the_case(world).native_priority
    crm.save_case(later(saved, version=2, score=85))
    crm.save_case(later(saved, version=3, band="P2", score=60))
    crm.save_case(replace(RECORD, version=4, band="P3", score=50))
    case = the_case(world)
    assert (case.native_priority, case.version, case.score, case.band) == (theirs, 4, 50, "P3")


def test_an_owner_that_a_person_set_stands(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.set_owner(saved.crm_id, "ann")
    theirs = the_case(world).owner
    crm.save_case(later(saved, version=2, score=85))
    crm.save_case(later(saved, version=3, queue="tier-2", band="P2"))
    crm.save_case(replace(RECORD, version=4, queue="tier-3"))
    assert theirs and (the_case(world).owner, the_case(world).version) == (theirs, 4)


def test_a_case_that_a_person_closed_is_not_opened_by_us(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.close_case(saved.crm_id)
    assert crm.save_case(later(saved, version=2, score=85)).status in ("", CLOSED)
    known = crm.save_case(later(saved, version=3, band="P2"))
    unknown = crm.save_case(replace(RECORD, version=4, band="P3"))
    assert known.status == unknown.status == CLOSED and place(known) == place(unknown) == place(saved)
    assert (the_case(world).status, len(world.cases())) == (CLOSED, 1)


def test_a_case_that_a_person_opened_again_stays_open(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    crm.save_case(later(saved, version=2, status=CLOSED))
    world.reopen_case(saved.crm_id)
    again = crm.save_case(later(saved, version=3, before={**BEFORE, "status": CLOSED}, status=CLOSED, score=70))
    assert the_case(world).status == OPEN and again.status in ("", OPEN)


def test_closes_and_opens_as_people_did_in_caseline(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    for version, status in enumerate((CLOSED, OPEN, CLOSED, OPEN), 2):
        before = {**BEFORE, "status": OPEN if status == CLOSED else CLOSED}
        assert crm.save_case(later(saved, version, before, status=status)).status in ("", status)
        assert the_case(world).status == status
    assert len(world.cases()) == 1


def test_a_case_may_be_closed_when_it_is_first_saved(world: World) -> None:
    saved = world.adapter().save_case(replace(RECORD, status=CLOSED, first=True))
    assert saved.created and saved.status in ("", CLOSED) and the_case(world).status == CLOSED


def test_a_case_that_is_gone_is_made_again(world: World) -> None:
    crm = world.adapter()
    world.lose_case(crm.save_case(RECORD).crm_id)
    saved = crm.save_case(replace(RECORD, version=2))
    assert saved.created and len(world.cases()) == 1
    world.lose_case(saved.crm_id)
    again = crm.save_case(later(saved, version=3, score=77, notes=(Note("n-1", "first words"),)))
    assert again.created and the_case(world).crm_id == again.crm_id and told(the_case(world), "first words") == 1
    world.lose_case(again.crm_id)
    last = crm.save_case(later(again, version=4, band="P2"))
    assert last.created and (the_case(world).version, the_case(world).score, the_case(world).band) == (4, 80, "P2")


def test_a_case_that_was_merged_is_followed(world: World) -> None:
    crm = world.adapter()
    saved, into = crm.save_case(RECORD), crm.save_case(replace(RECORD, case_key="cx-other"))
    try:
        world.merge_case(saved.crm_id, into.crm_id)
    except NotImplementedError:
        return
    count = len(world.cases())
    again = crm.save_case(later(saved, band="P2", notes=(Note("n-1", "first words"),)))
    assert again.crm_id == into.crm_id and not again.created and len(world.cases()) == count
    survivor = next(case for case in world.cases() if case.crm_id == into.crm_id)
    assert told(survivor, "first words") == 1


def test_a_locked_case_is_a_conflict_until_it_is_free(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    try:
        world.lock_case(saved.crm_id, times=50)
    except NotImplementedError:
        return
    with pytest.raises(CrmConflictError):
        crm.save_case(later(saved, score=85))
    assert (the_case(world).version, the_case(world).score) == (1, 80)


def test_a_case_that_was_locked_for_a_moment_is_saved_in_the_end(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    try:
        world.lock_case(saved.crm_id, times=1)
    except NotImplementedError:
        return
    record = later(saved, score=85, band="P2", notes=(Note("n-1", "first words"),))
    try:
        crm.save_case(record)
    except CrmConflictError:
        crm.save_case(record)
    assert (the_case(world).version, the_case(world).score, told(the_case(world), "first words"), len(world.cases())) == (2, 85, 1, 1)


# ---- several savers


def test_two_savers_at_once_make_one_case(world: World) -> None:
    """By the CRM's own unique key; where it has none, under Caseline's claim."""
    if world.adapter().native_upsert:
        for record in (RECORD, replace(RECORD, case_key="cx-first", first=True)):
            saved = _at_once([lambda record=record: _saved(world.adapter(), record)] * 2)
            assert place(saved[0]) == place(saved[1]) == (the_case(world, record.case_key).crm_id, *place(saved[0])[1:])
        assert len(world.cases()) == 2
    with table_for(world) as table:
        table.put(case_row("case-1"))
        pushed = _at_once([lambda: _pushed(world, table, "case-1")] * 3)
        assert {row["crm"]["id"] for row in pushed} == {the_case(world, "case-1").crm_id}


def test_versions_at_once_end_with_the_newest(world: World) -> None:
    with table_for(world) as table:
        row = case_row("case-1")
        table.put(row)

        def rise() -> None:
            for version in range(2, 6):
                priority = case_row("", score=version)["priority"]
                table.update(row["PK"], row["SK"], "SET version = :version, priority = :priority", version=version, priority=priority)
                time.sleep(0.005)

        _at_once([rise, *[lambda: _pushed(world, table, "case-1")] * 3])
        _pushed(world, table, "case-1")
    case = the_case(world, "case-1")
    assert (case.version, case.score) == (5, 5)


def _saved(crm: Any, record: CaseRecord) -> SavedCase:
    for _ in range(10):
        try:
            return crm.save_case(record)
        except CrmConflictError:
            continue
    raise AssertionError("a conflict that never ends")


def _pushed(world: World, table: Any, case_key: str) -> Any:
    """As the state machine does: a conflict is tried again a little later."""
    outbox = outbox_of(table, world.adapter(), Clock())
    for _ in range(500):
        try:
            return outbox.push(case_key)
        except CrmConflictError:
            time.sleep(0.01)
    raise AssertionError("a conflict that never ends")


def _at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    gate, answers = threading.Barrier(len(calls)), {}

    def run(number: int, call: Callable[[], Any]) -> None:
        gate.wait()
        answers[number] = call()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(calls))]


# ---- notes


def test_adds_a_note_once(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    for note_id in ("n-1", "n-1", "n-2", "n-1", "n-10"):
        crm.add_note(saved.crm_id, note_id, f"text of {note_id}.")
    assert len(the_case(world).notes) == 3
    assert [told(the_case(world), f"text of {note_id}.") for note_id in ("n-1", "n-2", "n-10")] == [1, 1, 1]


def test_notes_go_with_the_case_once_each(world: World) -> None:
    notes = tuple(Note(f"n-{number}", f"words {number}.", public=number == 3) for number in range(1, 13))
    texts = [note.text for note in notes]
    saved = world.adapter().save_case(replace(RECORD, first=True, notes=notes[:2]))
    assert [told(the_case(world), text) for text in texts] == [1, 1] + [0] * 10
    world.adapter().save_case(replace(RECORD, notes=notes[:2]))
    world.adapter().save_case(later(saved, notes=notes[1:4]))
    world.adapter().save_case(later(saved, version=3, band="P2", notes=notes[3:]))
    world.adapter().save_case(later(saved, version=3, band="P2", notes=notes[3:]))
    world.adapter().add_note(saved.crm_id, "n-12", texts[-1])
    assert [told(the_case(world), text) for text in texts] == [1] * 12


def test_a_case_that_stands_already_gets_notes_that_are_new(world: World) -> None:
    """The newest version is there, its notes are not: the push died in between, or a note came later."""
    saved = world.adapter().save_case(RECORD)
    for record in (replace(RECORD, notes=(Note("n-1", "first words"),)), later(saved, version=1, notes=(Note("n-2", "second words"),))):
        world.adapter().save_case(record)
    assert [told(the_case(world), text) for text in ("first words", "second words")] == [1, 1]


def test_a_note_to_a_case_that_is_gone(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.lose_case(saved.crm_id)
    with pytest.raises(CrmNotFoundError):
        crm.add_note(saved.crm_id, "n-1", "text")


def test_people_may_write_the_same_words(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    world.comment(saved.crm_id, "first words")
    world.adapter().save_case(later(saved, notes=(Note("n-1", "first words"),)))
    assert told(the_case(world), "first words") == 2


# ---- what it costs


def test_a_new_case_costs_few_calls(world: World) -> None:
    account = world.add_account("Globex", tier="strategic", deal_value="1000", renewal_date="2026-12-15")
    world.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    few = FEW.get(world.adapter().name, 4)
    for number, notes in enumerate(((), tuple(Note(f"n-{number}", "words") for number in range(5)))):
        crm, before = world.adapter(), world.calls()
        found = crm.find_account(["x:12345", "email:ann@example.com", "phone:+442079460000"]).account
        crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True, account_id=found.account_id, contact_id=found.contact_id, notes=notes))
        assert world.calls() - before <= few + bool(notes), notes
    before = world.calls()
    crm.find_account(["x:77", "email:nobody@example.com"])
    crm.save_case(replace(RECORD, case_key="cx-stranger", first=True))
    assert world.calls() - before <= few


def test_news_of_a_case_cost_one_call(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    crm, before = world.adapter(), world.calls()
    crm.save_case(later(saved, score=85, headline="85 P1: renewal in 3 days", reasons=("+85 renewal",), signal_count=2, channels=("x", "email")))
    assert world.calls() - before <= 1
    assert (the_case(world).version, the_case(world).score) == (2, 85)


def test_many_notes_cost_no_more_than_one(world: World) -> None:
    saved, costs = world.adapter().save_case(RECORD), []
    for version, count in ((2, 1), (3, 9)):
        crm, before = world.adapter(), world.calls()
        crm.save_case(later(saved, version, notes=tuple(Note(f"n-{version}-{number}", f"words {version}-{number}.") for number in range(count))))
        costs.append(world.calls() - before)
    assert costs[0] == costs[1] <= 3
    assert all(told(the_case(world), f"words 3-{number}.") == 1 for number in range(9))


def test_a_profile_costs_two_calls(world: World) -> None:
    profile = _profile(world)
    crm, before = world.adapter(), world.calls()
    crm.write_profile(profile)
    assert world.calls() - before <= 2


def test_usage_is_what_the_last_answer_said(world: World) -> None:
    crm = world.adapter()
    assert crm.usage is None
    crm.find_account(["email:ann@example.com"])
    usage = crm.usage
    assert usage is None or (isinstance(usage, Usage) and 0 <= usage.remaining <= usage.allowed and usage.window > 0)
    crm.find_account(["email:bob@example.com"])
    assert usage is None or (crm.usage and crm.usage.remaining <= usage.remaining)


# ---- profiles and contacts

VALUES = {
    "sentiment": -0.65, "sentiment_trend": "falling", "last_nps": 2, "last_csat": 3.5, "last_ces": 6, "unanswered": 4, "channels": "email, x",
    "last_contact": "2026-11-21T09:30:00.000000Z", "health": 35,
}  # fmt: skip
OF_ACCOUNTS = {field.key for field in SCHEMA if field.entity == "account" and field.side == "ours"}


def _profile(world: World, **more: Any) -> Profile:
    account = world.add_account("Globex")
    return Profile(world.add_contact(account, "Ann", "ann@example.com"), account, {**VALUES, **more})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and times as such, in whatever way a CRM keeps them."""
    return {name: _plain_value(name, value) for name, value in values.items() if value not in (None, "")}


def _plain_value(name: str, value: Any) -> Any:
    if name == "last_contact":
        return datetime.fromisoformat(str(value)).timestamp()
    return str(value) if name in ("sentiment_trend", "channels") else float(value)


def test_writes_how_a_customer_feels(world: World) -> None:
    profile, bystander = _profile(world), world.add_contact(world.add_account("Initech"), "Bob", "bob@example.com")
    for _ in range(2):
        world.adapter().write_profile(profile)
    assert _plain(world.contact_values(profile.contact_id)) == _plain(VALUES)
    assert _plain(world.account_values(profile.account_id)) == _plain({name: VALUES[name] for name in VALUES if name in OF_ACCOUNTS})
    assert _plain(world.contact_values(bystander)) == {}


def test_what_is_unknown_of_a_customer_is_not_written(world: World) -> None:
    profile = _profile(world)
    world.adapter().write_profile(profile)
    world.adapter().write_profile(replace(profile, values={"sentiment": 0.5, "unanswered": 0}))
    assert _plain(world.contact_values(profile.contact_id)) == _plain({**VALUES, "sentiment": 0.5, "unanswered": 0})
    assert _plain(world.account_values(profile.account_id))["health"] == 35


@pytest.mark.parametrize("missing", ["contact_id", "account_id"])
def test_a_profile_may_be_of_a_contact_or_an_account_alone(world: World, missing: str) -> None:
    profile = _profile(world)
    world.adapter().write_profile(replace(profile, **{missing: ""}))
    written = [bool(_plain(world.contact_values(profile.contact_id))), bool(_plain(world.account_values(profile.account_id)))]
    assert written == [missing != "contact_id", missing != "account_id"]


def test_a_profile_has_its_history(world: World) -> None:
    events = tuple(ProfileEvent(f"e-{number}", "2026-11-21T09:30:00.000000Z", "x", "post", "complaint about delivery", -0.5, "nps 2/10") for number in range(3))
    profile = replace(_profile(world), events=events)
    for _ in range(2):
        world.adapter().write_profile(profile)
    assert _plain(world.contact_values(profile.contact_id)) == _plain(VALUES)


def test_a_field_that_is_missing_is_left_out_of_a_profile(world: World) -> None:
    profile = _profile(world)
    try:
        world.drop_field("contact", "health")
    except NotImplementedError:
        return
    crm = world.adapter()
    for _ in range(2):
        crm.write_profile(profile)
    assert _plain(world.contact_values(profile.contact_id)) == _plain({name: value for name, value in VALUES.items() if name != "health"})


NEW = NewContact("contact", "cu-77", "Cleo Marsh", ("email:cleo@example.com", "x:777", "phone:+442079460077"), "x")


@pytest.mark.parametrize("kind", ["contact", "lead"])
def test_creates_a_contact_once(world: World, kind: str) -> None:
    before = world.contacts()
    made = [world.adapter().create_contact(replace(NEW, kind=kind)) for _ in range(3)]
    assert world.contacts() == before + 1
    assert made[0].contact_id and len({each.contact_id for each in made}) == 1
    other = world.adapter().create_contact(NewContact(kind, "cu-78", "Dan", ("email:dan@example.com",), "email"))
    assert world.contacts() == before + 2 and other.contact_id != made[0].contact_id


def test_a_contact_that_is_there_is_not_made_again(world: World) -> None:
    account = world.add_account("Globex")
    contact = world.add_contact(account, "Cleo", "cleo@example.com")
    before = world.contacts()
    found = world.adapter().create_contact(NEW)
    assert (found.contact_id, found.account_id, world.contacts()) == (contact, account, before)


def test_a_contact_may_have_no_address(world: World) -> None:
    before = world.contacts()
    made = [world.adapter().create_contact(NewContact("contact", "cu-79", "", ("x:779",), "x")) for _ in range(2)]
    assert made[0].contact_id == made[1].contact_id and world.contacts() == before + 1


# ---- what people do in the CRM


def _begin(world: World) -> str:
    """The cursor of now, long after all that happened before."""
    world.tick(3600)
    changes, cursor = quick(world).read_changes("")
    assert changes == []
    world.tick(1)
    return str(cursor)


def _read_all(world: World, cursor: str) -> tuple[list[Change], str]:
    """All pages, each by another process that has nothing but the cursor as it was kept."""
    found: list[Change] = []
    for _ in range(MANY):
        changes, cursor = quick(world).read_changes(json.dumps(json.loads(cursor)))
        if not changes:
            return found, cursor
        found += changes
    raise AssertionError("the changes never end")


def _fields(changes: Sequence[Change], crm_id: str) -> dict[str, Any]:
    """What was told of a case in all."""
    return {name: value for change in changes if change.kind == "case" and change.crm_id == crm_id for name, value in change.fields.items()}


def test_people_close_cases_and_open_them_again(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.close_case(saved.crm_id, "not_an_issue")
    changes, cursor = _read_all(world, cursor)
    assert _fields(changes, saved.crm_id)["status"] == CLOSED
    assert _fields(changes, saved.crm_id)["outcome"] == "not_an_issue"
    assert all(change.at.tzinfo and change.at >= NOW and change.case_key == RECORD.case_key for change in changes if change.kind == "case")
    world.tick(60)
    world.reopen_case(saved.crm_id)
    assert _fields(_read_all(world, cursor)[0], saved.crm_id)["status"] == OPEN


def test_people_set_priority_and_owner(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.set_band(saved.crm_id, "P4")
    changes, cursor = _read_all(world, cursor)
    assert _fields(changes, saved.crm_id)["band"] == "P4"
    world.tick(60)
    world.set_owner(saved.crm_id, "ann")
    assert _fields(_read_all(world, cursor)[0], saved.crm_id)["owner"]


def test_people_write_comments(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.comment(saved.crm_id, "called back & <sorted> it")
    world.tick(1)
    world.comment(saved.crm_id, "we are sorry", public=True)
    comments = [change for change in _read_all(world, cursor)[0] if change.kind == "comment"]
    assert [(change.crm_id, change.case_key, change.fields["text"].strip()) for change in comments] == [
        (saved.crm_id, RECORD.case_key, "called back & <sorted> it"), (saved.crm_id, RECORD.case_key, "we are sorry"),
    ]  # fmt: skip
    assert comments[0].fields["public"] is False and isinstance(comments[1].fields["public"], bool)
    assert len({change.fields["comment_id"] for change in comments}) == 2


def _told_of(world: World, cursor: str, kind: str, crm_id: str) -> list[Change]:
    """By polling, or by the CRM's own webhook."""
    sent = world.webhook(kind, crm_id)
    pushed = open_crm(world.adapter().name).parse(*sent) if sent else []
    return [change for change in (*_read_all(world, cursor)[0], *pushed) if change.kind == kind and change.crm_id == crm_id]


def test_accounts_change(world: World) -> None:
    account = world.add_account("Globex", tier="smb")
    world.add_contact(account, "Ann", "ann@example.com")
    cursor = _begin(world)
    world.set_tier(account, "strategic")
    changes = _told_of(world, cursor, "account", account)
    assert changes and all(change.fields.get("tier", "strategic") == "strategic" for change in changes)
    assert quick(world).find_account(["email:ann@example.com"]).account.facts["tier"].value == "strategic"


def test_contacts_are_added(world: World) -> None:
    account = world.add_account("Globex")
    cursor = _begin(world)
    contact = world.add_contact(account, "Ann", "ann@example.com", handles="x:12345")
    changes = _told_of(world, cursor, "contact", contact)
    assert changes and all(set(change.fields.get("identities", ())) <= {"email:ann@example.com", "x:12345"} for change in changes)
    assert all(change.fields.get("account_id", account) == account for change in changes)


def test_cases_are_deleted(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.lose_case(saved.crm_id)
    changes = _told_of(world, cursor, "deleted", saved.crm_id)
    assert changes and all(change.fields["entity"] == "case" for change in changes)


def test_cases_are_merged(world: World) -> None:
    saved, into = (quick(world).save_case(replace(RECORD, case_key=case_key)) for case_key in ("cx-1", "cx-2"))
    cursor = _begin(world)
    try:
        world.merge_case(saved.crm_id, into.crm_id)
    except NotImplementedError:
        return
    changes = _told_of(world, cursor, "merged", saved.crm_id)
    assert changes and all((change.fields["entity"], change.fields["into"]) == ("case", into.crm_id) for change in changes)


def test_what_happened_before_the_first_reading_is_not_told(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    world.close_case(saved.crm_id)
    world.comment(saved.crm_id, "called back")
    assert _read_all(world, _begin(world))[0] == []


def test_what_we_wrote_is_no_change(world: World) -> None:
    profile, cursor = _profile(world), _begin(world)
    cursor = _read_all(world, cursor)[1]
    crm = quick(world)
    saved = crm.save_case(replace(RECORD, first=True, account_id=profile.account_id, contact_id=profile.contact_id, notes=(Note("n-1", "first words"),)))
    crm.save_case(later(saved, band="P2", notes=(Note("n-2", "second words"),)))
    crm.add_note(saved.crm_id, "n-3", "third words")
    crm.write_profile(profile)
    crm.save_case(later(saved, version=3, before={**BEFORE, "band": "P2"}, band="P2", status=CLOSED))
    world.tick(60)
    assert _read_all(world, cursor)[0] == []


def test_what_a_person_did_is_known_though_we_wrote_after_it(world: World) -> None:
    """By reading, or by what saving answers."""
    crm, saved = quick(world), quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.close_case(saved.crm_id)
    world.tick(1)
    answer = crm.save_case(later(saved, score=85))
    world.tick(1)
    assert answer.status == CLOSED or _fields(_read_all(world, cursor)[0], saved.crm_id).get("status") == CLOSED


def test_reading_is_at_least_once_and_goes_on_where_it_ended(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    start = _begin(world)
    told_so_far: list[str] = []
    cursor = start
    for number in range(5):
        world.comment(saved.crm_id, f"words {number}")
        changes, cursor = _read_all(world, cursor)
        told_so_far += [change.fields["text"].strip() for change in changes if change.kind == "comment"]
        world.tick(7)
    assert told_so_far == [f"words {number}" for number in range(5)]
    again = quick(world).read_changes(start)
    assert again[0] and again[0] == quick(world).read_changes(start)[0] and again[1] == quick(world).read_changes(start)[1]
    assert [change.fields["text"].strip() for change in _read_all(world, start)[0] if change.kind == "comment"] == told_so_far
    assert _read_all(world, cursor)[0] == []


def test_what_comes_late_is_not_missed(world: World) -> None:
    """A transaction that began before the last reading and ended after it."""
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    world.tick(60)
    world.comment(saved.crm_id, "in time")
    first, cursor = _read_all(world, cursor)
    world.tick(-5)
    world.comment(saved.crm_id, "late")
    world.tick(5)
    second, cursor = _read_all(world, cursor)
    assert [change.fields["text"].strip() for change in (*first, *second) if change.kind == "comment"] == ["in time", "late"]
    assert _read_all(world, cursor)[0] == []


def test_what_happens_at_the_same_instant_is_told_once_each(world: World) -> None:
    crm = quick(world)
    saved = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id for number in range(MANY)]
    cursor = _begin(world)
    for crm_id in saved:
        world.set_owner(crm_id, "ann")
    changes, cursor = _read_all(world, cursor)
    assert Counter(change.crm_id for change in changes if change.kind == "case") == Counter(saved)
    world.set_band(saved[-1], "P4")
    again, cursor = _read_all(world, cursor)
    assert {change.crm_id for change in again} == {saved[-1]} and _read_all(world, cursor)[0] == []
    assert len(cursor) < 32_000


def test_the_order_of_changes_is_that_of_time(world: World) -> None:
    saved = quick(world).save_case(RECORD)
    cursor = _begin(world)
    for number in range(10):
        world.comment(saved.crm_id, f"words {number}")
        world.tick(1)
        world.set_owner(saved.crm_id, f"ann{number % 2}")
        world.tick(1)
    comments = [change for change in _read_all(world, cursor)[0] if change.kind == "comment"]
    assert [change.at for change in comments] == sorted(change.at for change in comments)
    assert [change.fields["text"].strip() for change in comments] == [f"words {number}" for number in range(10)]


# ---- all cases


def test_lists_every_case_of_ours_once(world: World) -> None:
    crm = quick(world)
    saved = {crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id: f"cx-{number}" for number in range(MANY)}
    gone, closed = list(saved)[:2]
    world.lose_case(gone)
    world.close_case(closed)
    listed = _list_all(world)
    assert Counter((case.crm_id, case.case_key) for case in listed) == Counter((key, value) for key, value in saved.items() if key != gone)
    assert {case.crm_id for case in listed if case.status == CLOSED} == {closed}
    assert {case.band for case in listed} <= {"P1", None} and {case.version for case in listed} <= {1, None}


def test_lists_nothing_where_nothing_is(world: World) -> None:
    world.add_contact(world.add_account("Globex"), "Ann", "ann@example.com")
    assert _list_all(world) == []


def _list_all(world: World) -> list[StandingCase]:
    listed, cursor = quick(world).list_cases()
    while cursor:
        page, cursor = quick(world).list_cases(json.loads(json.dumps(cursor)))
        listed += page
    return listed


# ---- setting up


def _set_up(world: World) -> None:
    for step in world.adapter().plan(SCHEMA):
        if step.by == "api":
            world.adapter().apply(step)


def test_a_crm_that_is_set_up_has_nothing_wrong(world: World) -> None:
    _set_up(world)
    assert [finding for finding in world.adapter().check(SCHEMA) if finding.severity == "error"] == []
    assert [step for step in world.adapter().plan(SCHEMA) if step.by == "api"] == []


@pytest.mark.parametrize(("entity", "key", "severity"), [("case", "case_key", "error"), ("case", "headline", "warning"), ("contact", "health", "warning")])
def test_what_is_missing_is_found_and_can_be_set_up(world: World, entity: str, key: str, severity: str) -> None:
    _set_up(world)
    whole = world.adapter().check(SCHEMA)
    try:
        world.drop_field(entity, key)
    except NotImplementedError:
        return
    found = [finding for finding in world.adapter().check(SCHEMA) if finding not in whole]
    assert found and all(finding.severity == severity and finding.name and finding.problem and finding.fix for finding in found)
    steps = world.adapter().plan(SCHEMA)
    assert steps and world.adapter().plan(SCHEMA) == steps, "planning changes nothing"
    assert [finding for finding in world.adapter().check(SCHEMA) if finding not in whole] == found
    assert all(step.name and step.what and step.by in ("api", "hand") and (step.by == "api" or step.how) for step in steps)
    if all(step.by == "api" for step in steps):
        for step in [*steps, *steps]:
            world.adapter().apply(step)
        assert world.adapter().check(SCHEMA) == whole and world.adapter().plan(SCHEMA) == []
        assert world.adapter().save_case(replace(RECORD, first=True)).created


def test_a_case_is_saved_without_a_field_that_is_not_required(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    try:
        world.drop_field("case", "headline")
    except NotImplementedError:
        return
    crm = world.adapter()
    crm.save_case(later(saved, score=85))
    crm.save_case(replace(RECORD, case_key="cx-other", first=True))
    assert (the_case(world).score, the_case(world, "cx-other").score) == (85, 80)


# ---- what strangers write


def test_any_text_can_be_saved(world: World) -> None:
    crm = quick(world)
    for number, text in enumerate(NASTY):
        words = {"subject": text, "headline": text, "reasons": (text, text), "category": text, "queue": text, "brand": text, "channels": (text,)}
        record = replace(RECORD, case_key=f"cx-{number}", **words)
        saved = crm.save_case(replace(record, first=True, notes=(Note("n-0", text),)))
        crm.add_note(saved.crm_id, "n-1", text)
        crm.save_case(later(saved, record=record, band="P2", notes=(Note("n-2", text),), before={"status": "open", "band": "P1", "queue": text, "owner": text}))
    assert [(case.version, case.band) for case in world.cases()] == [(2, "P2")] * len(NASTY)
    assert all(case.notes for case in world.cases())


def test_no_argument_is_more_than_a_value(world: World) -> None:
    """Whatever is named, it is done, found not to be there, or refused; and nobody else is touched."""
    crm, profile = quick(world), _profile(world)
    crm.save_case(RECORD)
    crm.write_profile(profile)
    before = the_case(world), _plain(world.contact_values(profile.contact_id)), world.contacts()
    for text in NASTY:
        for action in (
            lambda text=text: crm.add_note(text, "n-1", "text"),
            lambda text=text: crm.write_profile(replace(profile, contact_id=text, account_id="", values={"sentiment": 1})),
            lambda text=text: crm.write_profile(replace(profile, contact_id="", account_id=text, values={"sentiment": 1})),
            lambda text=text: crm.save_case(replace(RECORD, case_key=f"cx-{text}"[:64], account_id=text, contact_id=text, owner=text, url=f"https://e.example/{text}")),
            lambda text=text: crm.save_case(replace(RECORD, case_key=f"cy-{text}"[:64], crm_id=text, before=BEFORE, version=2)),
        ):
            try:
                action()
            except CrmError as error:
                assert text not in str(error)
    assert (the_case(world), _plain(world.contact_values(profile.contact_id)), world.contacts()) == before
    assert all(count == 1 for count in Counter(case.case_key for case in world.cases()).values())


def test_any_person_can_be_made_a_contact(world: World) -> None:
    before = world.contacts()
    for number, text in enumerate(NASTY):
        for _ in range(2):
            try:
                quick(world).create_contact(NewContact("contact", f"cu-{number}", text, (f"email:{text}@example.com", f"x:{text}", f"phone:{text}"), text))
            except CrmRejectedError as error:
                assert text not in str(error)
    assert before < world.contacts() <= before + len(NASTY)


def test_any_text_can_stand_in_a_profile(world: World) -> None:
    for text in NASTY:
        profile = _profile(world, channels=text, sentiment=0.25)
        events = (ProfileEvent("e-1", "2026-11-21T09:30:00.000000Z", text, text, text, None, text),)
        quick(world).write_profile(replace(profile, events=events))
        assert _plain(world.contact_values(profile.contact_id))["sentiment"] == 0.25


# ---- logging in


def _logins(world: Any) -> int:
    return len(world.simulator.calls) - world.calls()


def test_a_token_that_is_refused_is_asked_for_again_once(remote: Any) -> None:
    crm = remote.adapter()
    crm.find_account(["email:ann@example.com"])
    for act in (lambda: crm.find_account(["email:ann@example.com"]), lambda: crm.save_case(RECORD), lambda: crm.list_cases()):
        remote.expire_login()
        before = _logins(remote)
        act()
        assert _logins(remote) - before <= 1


def test_savers_that_are_refused_together_log_in_once(remote: Any) -> None:
    crm = remote.adapter()
    crm.find_account(["email:ann@example.com"])
    remote.expire_login()
    before = _logins(remote)
    found = _at_once([lambda: crm.find_account(["email:ann@example.com"]).kind] * 6)
    assert found == ["none"] * 6 and _logins(remote) - before <= 1


def test_wrong_credentials_are_neither_tried_again_nor_for_ever(remote: Any) -> None:
    crm = remote.adapter()
    crm.find_account(["email:ann@example.com"])
    remote.refuse_login()
    remote.expire_login()
    for refused in (crm, remote.adapter()):
        for act in (lambda crm: crm.find_account(["email:ann@example.com"]), lambda crm: crm.save_case(RECORD), lambda crm: crm.check(SCHEMA)):
            before = len(remote.simulator.calls)
            with pytest.raises(CrmAuthError):
                act(refused)
            assert len(remote.simulator.calls) - before <= 2
    assert remote.cases() == []


@pytest.mark.parametrize(("status", "kind"), [(401, CrmAuthError), (403, CrmAuthError), (429, CrmRateLimitError), (503, CrmUnavailableError)])
def test_a_login_that_fails_says_why(remote: Any, status: int, kind: type[CrmError]) -> None:
    crm = remote.adapter()
    remote.wire.answer("", status, times=50)
    with pytest.raises(kind):
        crm.find_account(["email:ann@example.com"])
    assert len(remote.simulator.calls) <= 2


# ---- what goes wrong on the wire

STATUSES = {
    401: CrmAuthError, 403: CrmAuthError, 404: CrmNotFoundError, 409: CrmConflictError, 412: CrmConflictError, 422: CrmRejectedError, 429: CrmRateLimitError,
    500: CrmUnavailableError, 502: CrmUnavailableError, 503: CrmUnavailableError, 504: CrmUnavailableError,
}  # fmt: skip
# What may mean something else than an error where a field, a page or a permission is asked for.
ODD_HERE = {404, 409, 412, 422}
TELLING = {"profile": ODD_HERE, "contact": ODD_HERE, "changes": ODD_HERE, "list": ODD_HERE, "check": {403, *ODD_HERE}}


@dataclass(frozen=True)
class Scene:
    """A CRM with a contact and a case, and an adapter that is logged in."""

    world: Any
    crm: Any
    saved: SavedCase
    profile: Profile
    cursor: str


def scene_of(world: Any, impatient: bool = False) -> Scene:
    profile, crm = _profile(world), world.adapter(impatient=impatient)
    saved = crm.save_case(RECORD)
    return Scene(world, crm, saved, profile, crm.read_changes("")[1])


ACTIONS: dict[str, Callable[[Scene], Any]] = {
    "find": lambda scene: scene.crm.find_account(["email:ann@example.com"]),
    "save": lambda scene: scene.crm.save_case(replace(RECORD, case_key="cx-new", first=True, subject="About ann@example.com")),
    "repeat": lambda scene: scene.crm.save_case(replace(RECORD, version=2)),
    "update": lambda scene: scene.crm.save_case(later(scene.saved, score=85)),
    "route": lambda scene: scene.crm.save_case(later(scene.saved, band="P3", notes=(Note("n-1", "ann@example.com called"),))),
    "note": lambda scene: scene.crm.add_note(scene.saved.crm_id, "n-1", "ann@example.com called"),
    "profile": lambda scene: scene.crm.write_profile(scene.profile),
    "contact": lambda scene: scene.crm.create_contact(replace(NEW, identities=("email:ann@example.com.example",))),
    "changes": lambda scene: scene.crm.read_changes(scene.cursor),
    "list": lambda scene: scene.crm.list_cases(),
    "check": lambda scene: scene.crm.check(SCHEMA),
}
READING = ("find", "changes", "list", "check")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_status_has_its_error(remote: Any, action: str, status: int) -> None:
    scene = scene_of(remote)
    cases, calls = remote.cases(), len(remote.simulator.calls)
    remote.wire.answer("", status, times=50)
    try:
        ACTIONS[action](scene)
    except STATUSES[status] as error:
        assert "ann@example.com" not in str(error)
    else:
        assert status in TELLING.get(action, ()), f"{status} went unnoticed"
    assert len(remote.simulator.calls) - calls <= 8, "nothing is tried for ever"
    assert remote.cases() == cases


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0), ("soon", None), ("", None)])
@pytest.mark.parametrize("action", ["find", "save", "update", "note", "changes", "profile"])
def test_retry_after_is_passed_on(remote: Any, action: str, header: str, seconds: float | None) -> None:
    scene = scene_of(remote)
    remote.wire.answer("", 429, {"Retry-After": header} if header else {}, times=50)
    with pytest.raises(CrmRateLimitError) as caught:
        ACTIONS[action](scene)
    assert caught.value.retry_after == seconds if seconds else 0 < caught.value.retry_after <= 86_400


@pytest.mark.parametrize("fault", [("drip", {"pause": 0.05}), ("pause", {"pause": 1.6})], ids=lambda fault: fault[0])
@pytest.mark.parametrize("action", ["find", "save"])
def test_an_answer_that_takes_too_long_is_unavailable(remote: Any, action: str, fault: tuple[str, dict[str, Any]]) -> None:
    scene = scene_of(remote, impatient=True)
    remote.wire.break_off(remote.wire.reading if action == "find" else remote.wire.writing, fault[0], **fault[1])
    with pytest.raises(CrmUnavailableError) as caught:
        ACTIONS[action](scene)
    assert "ann@example.com" not in str(caught.value)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "malformed", "redirect"])
@pytest.mark.parametrize("action", ACTIONS)
def test_an_answer_that_does_not_come_is_unavailable(remote: Any, action: str, fault: str) -> None:
    """An answer without a body cannot be malformed; after it all goes on as before."""
    scene = scene_of(remote)
    remote.wire.break_off("", fault)
    try:
        ACTIONS[action](scene)
        assert fault == "malformed" and action not in READING
    except CrmUnavailableError as error:
        assert "ann@example.com" not in str(error)
    if action == "save":
        scene.crm.save_case(replace(RECORD, case_key="cx-new"))
    else:
        ACTIONS[action](scene)
    assert Counter(case.case_key for case in remote.cases()) == Counter([RECORD.case_key] + ["cx-new"] * (action == "save"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(remote: Any, status: int) -> None:
    class Elsewhere(Simulator):
        def answer(self, call: Call) -> Reply:
            return Reply(200, {})

    elsewhere, scene = Elsewhere(), scene_of(remote)
    with serving(elsewhere) as url:
        for action in ("find", "save", "note", "changes"):
            remote.wire.answer("", status, {"Location": f"{url}/stolen"}, times=50)
            with pytest.raises(CrmUnavailableError):
                ACTIONS[action](scene)
    assert elsewhere.calls == []


def test_a_reply_that_comes_too_late_makes_no_second_case(remote: Any) -> None:
    """We gave up, then the CRM saved it; the next try comes after that, as it does under the claim."""
    scene = scene_of(remote, impatient=True)
    remote.wire.break_off(remote.wire.writing, "pause", pause=1.3)
    with pytest.raises(CrmUnavailableError):
        ACTIONS["save"](scene)
    time.sleep(1.2)
    again = remote.adapter().save_case(replace(RECORD, case_key="cx-new"))
    assert the_case(remote, "cx-new").crm_id == again.crm_id


def test_a_reply_lost_after_a_note_makes_no_second_note(remote: Any) -> None:
    crm = remote.adapter()
    saved = crm.save_case(RECORD)
    remote.wire.break_off(remote.wire.noting, "drop_after")
    with pytest.raises(CrmUnavailableError):
        crm.add_note(saved.crm_id, "n-1", "first words")
    crm.add_note(saved.crm_id, "n-1", "first words")
    assert told(the_case(remote), "first words") == 1


# ---- death at every call


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_case_is_saved_once_whenever_the_saver_dies(remote: Any, late: bool) -> None:
    notes = (Note("n-1", "first words."), Note("n-2", "second words."))

    def save(crm: Any, key: str, again: bool) -> None:
        crm.save_case(replace(RECORD, case_key=key, first=not again, notes=notes))

    for key in _die_everywhere(remote, late, save):
        case = the_case(remote, key)
        assert (case.score, told(case, "first words."), told(case, "second words.")) == (80, 1, 1), key
    assert all(case.case_key for case in remote.cases())


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_case_is_updated_once_whenever_the_saver_dies(remote: Any, late: bool) -> None:
    notes = (Note("n-1", "first words."), Note("n-2", "second words."))
    standing: dict[str, SavedCase] = {}

    def save(crm: Any, key: str, again: bool) -> None:
        record = replace(RECORD, case_key=key)
        standing[key] = standing.get(key) or quick(remote).save_case(replace(record, first=True))
        crm.save_case(later(standing[key], record=record, band="P2", score=60, status=CLOSED, notes=notes))

    for key in _die_everywhere(remote, late, save):
        case = the_case(remote, key)
        assert (case.version, case.score, case.status, told(case, "first words."), told(case, "second words.")) == (2, 60, CLOSED, 1, 1), key


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_contact_is_made_once_whenever_the_maker_dies(remote: Any, late: bool) -> None:
    before = remote.contacts()

    def make(crm: Any, key: str, again: bool) -> None:
        crm.create_contact(NewContact("contact", key, "Cleo", (f"email:{key}@example.com",), "x"))

    assert remote.contacts() - before == 0
    made = _die_everywhere(remote, late, make)
    assert remote.contacts() - before == len(made)


def _die_everywhere(world: Any, late: bool, act: Callable[[Any, str, bool], None]) -> list[str]:
    """Act once for each call it takes, dying at that call, and then once more without; the keys that were acted on."""
    keys: list[str] = []
    for number in range(1, 40):
        deaths, key = Deaths(at=number, late=late), f"cx-{number}"
        keys.append(key)
        try:
            act(quick(world, deaths), key, False)
        except Killed:
            act(quick(world), key, True)
        else:
            return keys
    raise AssertionError("it takes more calls than anything should")


# ---- webhooks

KINDS = ("case", "comment", "contact", "account", "deleted")


@dataclass(frozen=True)
class Sent:
    module: Any
    request: WebhookRequest
    source: Source

    def is_taken(self, request: WebhookRequest | None = None, source: Source | None = None) -> bool:
        try:
            self.module.verify(request or self.request, source or self.source)
        except SignatureError as error:
            assert not any(secret in str(error) for secret in self.source.secrets)
            return False
        return True

    def carries_its_secret(self) -> bool:
        """Then a token proves the sender, and nothing the body."""
        words = [self.request.url, *self.request.headers.values()]
        words += [_decoded(word) for value in self.request.headers.values() for word in value.split()]
        return any(secret in word for secret in self.source.secrets for word in words)

    def proving(self) -> list[str]:
        """The headers without which it is refused."""
        headers = self.request.headers
        return [name for name in headers if not self.is_taken(replace(self.request, headers={other: headers[other] for other in headers if other != name}))]


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


@pytest.fixture
def sent(world: World) -> list[Sent]:
    """One request for each kind of change that the CRM sends by webhook; none where it sends none."""
    account = world.add_account("Globex", tier="smb")
    contact, saved = world.add_contact(account, "Ann", "ann@example.com"), world.adapter().save_case(RECORD)
    ids = {"contact": contact, "account": account}
    module, found = open_crm(world.adapter().name), [world.webhook(kind, ids.get(kind, saved.crm_id)) for kind in KINDS]
    return [Sent(module, *each) for each in found if each]


def test_a_request_that_is_not_signed_is_refused(world: World) -> None:
    module = open_crm(world.adapter().name)
    for body in (b"", b"{}", b"[]", b"\xff", b"<a/>"):
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}, {"content-type": "application/json"}):
            for secrets in ((), ("",), ("a-secret-of-sixteen-or-more",)):
                request = WebhookRequest("POST", f"https://hooks.example.com/webhooks/crm/{world.adapter().name}", headers, body, NOW)
                with pytest.raises(SignatureError):
                    module.verify(request, Source("default", "acme", (), secrets))


def test_what_the_crm_sends_is_taken_and_read(world: World, sent: list[Sent]) -> None:
    for each in sent:
        each.module.verify(each.request, each.source)
        changes = each.module.parse(each.request, each.source)
        assert changes and all(change.kind in (*KINDS, "merged") and change.crm_id and change.at.tzinfo for change in changes)
        json.dumps([asdict(change) for change in changes], default=str)


def test_any_live_secret_is_taken_and_no_other(sent: list[Sent]) -> None:
    for each in sent:
        rotated = [("another-secret-of-32-characters!", *each.source.secrets), (*each.source.secrets, "another-secret-of-32-characters!")]
        assert all(each.is_taken(source=replace(each.source, secrets=secrets)) for secrets in rotated)
        for secrets in ((), ("",), ("another-secret-of-32-characters!",), tuple(secret[:-1] for secret in each.source.secrets)):
            assert not each.is_taken(source=replace(each.source, secrets=secrets)), secrets


def test_a_proof_that_is_spoilt_is_refused(sent: list[Sent]) -> None:
    for each in sent:
        proving = each.proving()
        assert proving or "?" in each.request.url or each.request.url.rstrip("/").count("/") > 5, "nothing proves it"
        for how, request in changed_headers(each.request, told=[name for name in each.request.headers if name not in proving]):
            if not (how.endswith("other case") and each.carries_its_secret()):
                assert not each.is_taken(request), how
        for name in (name for name in each.request.headers if name not in proving):
            for value in ("", " ", "x", "é", "\x00", "\ud800", "9" * 9000):
                each.is_taken(each.request.with_headers({name: value}))
        if not proving:
            assert not each.is_taken(replace(each.request, url=each.request.url[:-1])) and not each.is_taken(replace(each.request, url=each.request.url + "x"))


def test_a_body_that_was_changed_by_one_byte_is_refused(sent: list[Sent]) -> None:
    for each in (each for each in sent if not each.carries_its_secret()):
        body = each.request.body
        changed = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(len(body))]
        assert not any(each.is_taken(replace(each.request, body=other)) for other in (*changed, body + b" ", b" " + body, body[:-1], b""))


def test_a_request_whose_time_is_signed_gets_stale(sent: list[Sent]) -> None:
    for each in sent:
        signed = any(_is_time(each.request.headers[name], each.request.received_at) for name in each.proving())
        for hours in (-25, -1, 1, 25):
            taken = each.is_taken(replace(each.request, received_at=each.request.received_at + timedelta(hours=hours)))
            assert not (signed and taken), hours


def _is_time(value: str, now: datetime) -> bool:
    digits = re.search(r"\b(\d{10})(\d{3})?\b", value)
    return bool(digits and abs(int(digits[1]) - now.timestamp()) < 86_400) or now.strftime("%Y-%m-%dT%H") in value


def test_odd_bodies_are_refused_by_name_or_read(sent: list[Sent]) -> None:
    for each in sent:
        for body in _odd_bodies(each.request.body):
            try:
                changes = each.module.parse(replace(each.request, body=body), each.source)
            except PayloadError as error:
                assert "ann@example.com" not in str(error)
                continue
            assert isinstance(changes, list) and all(isinstance(change, Change) and change.crm_id for change in changes)
            json.dumps([asdict(change) for change in changes], default=str).encode()


def _odd_bodies(body: bytes) -> Iterator[bytes]:
    yield from (b"", b" ", b"null", b"{}", b"[]", b"[[]]", b"[null]", b'""', b"0", b"true", b"\xff\xfe", b"<a/>", b"<a>", b"a=b", b"[" * 5000, b'{"a":' * 5000)
    yield from (body[: len(body) // 2], body + body, body.replace(b'"', b"'"))
    try:
        value = json.loads(body)
    except ValueError:
        return
    yield from (json.dumps(put(value, path, odd)).encode() for path in paths_of(value) for odd in ODD)
