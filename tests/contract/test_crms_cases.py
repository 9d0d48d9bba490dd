"""Any CRM keeps a case once, in its newest version, and what people set on it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import CLOSED, OPEN, CaseRecord, Note, SavedCase
from caseline.errors import CrmConflictError

from tests.kit.crms import RECORD, World
from tests.kit.saving import Clock, case_row, outbox_of, table_for
from tests.kit.scenes import BEFORE, at_once, later, place, the_case, told, where_it_can


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


@where_it_can("merge")
def test_a_case_that_was_merged_is_followed(world: World) -> None:
    crm = world.adapter()
    saved, into = crm.save_case(RECORD), crm.save_case(replace(RECORD, case_key="cx-other"))
    world.merge_case(saved.crm_id, into.crm_id)
    count = len(world.cases())
    again = crm.save_case(later(saved, band="P2", notes=(Note("n-1", "first words"),)))
    assert again.crm_id == into.crm_id and not again.created and len(world.cases()) == count
    survivor = next(case for case in world.cases() if case.crm_id == into.crm_id)
    assert told(survivor, "first words") == 1


@where_it_can("lock")
def test_a_locked_case_is_a_conflict_until_it_is_free(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.lock_case(saved.crm_id, times=50)
    with pytest.raises(CrmConflictError):
        crm.save_case(later(saved, score=85))
    assert (the_case(world).version, the_case(world).score) == (1, 80)


@where_it_can("lock")
def test_a_case_that_was_locked_for_a_moment_is_saved_in_the_end(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(RECORD)
    world.lock_case(saved.crm_id, times=1)
    record = later(saved, score=85, band="P2", notes=(Note("n-1", "first words"),))
    try:
        crm.save_case(record)
    except CrmConflictError:
        crm.save_case(record)
    assert (the_case(world).version, the_case(world).score, told(the_case(world), "first words"), len(world.cases())) == (2, 85, 1, 1)


def test_two_savers_at_once_make_one_case(world: World) -> None:
    """By the CRM's own unique key; where it has none, under Caseline's claim."""
    if world.adapter().native_upsert:
        for record in (RECORD, replace(RECORD, case_key="cx-first", first=True)):
            saved = at_once([lambda record=record: _saved(world.adapter(), record)] * 2)
            assert place(saved[0]) == place(saved[1]) == (the_case(world, record.case_key).crm_id, *place(saved[0])[1:])
        assert len(world.cases()) == 2
    with table_for(world) as table:
        table.put(case_row("case-1"))
        pushed = at_once([lambda: _pushed(world, table, "case-1")] * 3)
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

        at_once([rise, *[lambda: _pushed(world, table, "case-1")] * 3])
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
