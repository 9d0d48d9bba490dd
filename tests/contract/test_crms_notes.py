"""Any CRM gets each note once, with the case where it can; and few calls are made for all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from caseline.crm import Note, Usage
from caseline.errors import CrmNotFoundError

from tests.kit.crms import RECORD, World
from tests.kit.scenes import a_profile, later, the_case, told

FEW = {"salesforce": 2, "dynamics": 2, "hubspot": 2}  # calls for a new case with its account looked up; 4 of any other CRM


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


def test_a_new_case_costs_few_calls(world: World) -> None:
    account = world.add_account("Globex", tier="strategic", deal_value="1000", renewal_date="2026-12-15")
    world.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    few = FEW.get(world.adapter().name, 4)
    for number, notes in enumerate(((), tuple(Note(f"n-{number}", "words") for number in range(5)))):
        crm, before = world.adapter(), world.calls()
        found = crm.find_account(["x:12345", "email:ann@example.com", "phone:+442079460000"]).account
        crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True, account_id=found.account_id, contact_id=found.contact_id, notes=notes))
        assert world.calls() - before <= few, notes
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
    profile = a_profile(world)
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
