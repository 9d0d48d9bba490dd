"""Any CRM gives back what it was told of a customer who is erased, or it is said plainly what remains there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from caseline.crm import NOTES_STAND, Note

from tests.kit.crms import RECORD, World
from tests.kit.scenes import later, stored_texts, the_case, told, where_it_can

NOTES = tuple(Note(f"n-{number}", f"words {number}.") for number in range(1, 4))
WORD, ERASED = "Marmalade", "service: (erased)"


def test_takes_its_notes_back_or_says_what_remains(world: World) -> None:
    saved = world.adapter().save_case(replace(RECORD, first=True, notes=NOTES[:1]))
    world.adapter().save_case(later(saved, notes=NOTES[1:]))
    world.adapter().add_note(saved.crm_id, "n-9", "words 9.")
    world.comment(saved.crm_id, "what a person wrote")
    remains = [*world.adapter().erase_notes(saved.crm_id, ERASED)]
    left = [told(the_case(world), text) for text in ("words 1.", "words 2.", "words 3.", "words 9.")]
    assert all(line and line == line.strip() for line in remains)
    assert left == [0, 0, 0, 0] or (NOTES_STAND in remains and left == [1, 1, 1, 1])
    assert told(the_case(world), "what a person wrote") == 1
    assert [*world.adapter().erase_notes(saved.crm_id, ERASED)] == remains


def test_nothing_of_an_erased_customer_is_left_that_is_not_named(world: World) -> None:
    """Looked for in all that the CRM stores, after the save that follows an erasure."""
    words = {"subject": f"{WORD} broken", "headline": f"80 P1: {WORD}", "reasons": (f"+20 {WORD}",), "notes": (Note("n-1", f"My {WORD}."),)}
    saved = world.adapter().save_case(replace(RECORD, first=True, **words))
    world.adapter().save_case(later(saved, record=replace(RECORD, **{**words, "notes": (Note("n-2", f"Their {WORD}."),)})))
    assert stored_texts(world, WORD)
    remains = world.adapter().erase_notes(saved.crm_id, ERASED)
    world.adapter().save_case(later(saved, version=3, record=replace(RECORD, subject=ERASED, reasons=("+60 others",))))
    assert remains or not stored_texts(world, WORD)
    assert NOTES_STAND in remains or not told(the_case(world), WORD)


def test_notes_alone_are_taken_back_from_where_the_first_ones_went(world: World) -> None:
    """The case lives on, of another customer's signals too: what its first text says else stands."""
    saved = world.adapter().save_case(replace(RECORD, first=True, notes=(Note("n-1", f"My {WORD}.\n\nIt broke."),)))
    remains = world.adapter().erase_notes(saved.crm_id)
    assert remains or not stored_texts(world, WORD)
    assert NOTES_STAND in remains or not told(the_case(world), WORD)


@where_it_can("merge")
def test_notes_that_went_with_a_merged_case_are_taken_back_there(world: World) -> None:
    """What people wrote at the survivor stands."""
    crm = world.adapter()
    saved, into = crm.save_case(replace(RECORD, first=True)), crm.save_case(replace(RECORD, case_key="cx-other", first=True))
    world.comment(into.crm_id, "what a person wrote")
    world.merge_case(saved.crm_id, into.crm_id)
    crm.save_case(later(saved, notes=NOTES[:1]))
    remains = world.adapter().erase_notes(saved.crm_id, ERASED)
    survivor = next(case for case in world.cases() if case.crm_id == into.crm_id)
    assert told(survivor, "what a person wrote") == 1 and (NOTES_STAND in remains or not told(survivor, "words 1."))


@pytest.mark.parametrize("world", ["bottlecrm", "freshdesk", "oracle", "sap", "sap_c4c", "wordpress", "rest"], indirect=True)
def test_who_may_not_delete_says_so_and_holds_nothing_up(world: World) -> None:
    crm = world.adapter()
    saved = crm.save_case(replace(RECORD, first=True))
    crm.add_note(saved.crm_id, "n-1", "words 1.")
    assert world.wire
    world.wire.answer("(DELETE|POST) .*", 403, times=9)
    assert NOTES_STAND in crm.erase_notes(saved.crm_id, ERASED)


@where_it_can("take back")
def test_what_is_told_again_after_that_stands_once(world: World) -> None:
    saved = world.adapter().save_case(replace(RECORD, first=True))
    world.adapter().add_note(saved.crm_id, "n-1", "words 1.")
    assert NOTES_STAND not in world.adapter().erase_notes(saved.crm_id)
    for _ in range(2):
        world.adapter().save_case(later(saved, version=3, notes=(Note("n-1r1", "words 2."),)))
    assert [told(the_case(world), text) for text in ("words 1.", "words 2.")] == [0, 1]


def test_of_a_case_that_is_gone_nothing_is_left_to_say(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    world.lose_case(saved.crm_id)
    assert [*world.adapter().erase_notes(saved.crm_id, "x")] in ([], [NOTES_STAND])
