"""Notes of which no call has told before are told without reading the case, and once all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from caseline.crm import ALL, CLOSED, LATER, Note, SavedCase

from tests.kit.crms import RECORD, World, kit_names, open_world, why_not
from tests.kit.saving import quick
from tests.kit.scenes import BEFORE, later, the_case, told

FIRST, SECOND = (Note("s1-1", "first words."),), (Note("s2-9", "eight more words."), Note("n2", "a person's words."))
THIRD = (Note("n3", "words of tomorrow."),)
# Where a note is no part of the case it is a call more, and where it stands among others these are read.
DEAR = {"bottlecrm": 2, "freshdesk": 2, "hubspot": 2, "sap": 3}
IN_FIELD = {"bottlecrm": LATER, "freshdesk": LATER, "hubspot": ALL, "sap": ALL}


def in_field(saved: SavedCase, *notes: Note) -> tuple[Note, ...] | None:
    """What the outbox says that the field holds, of these and the first."""
    return {ALL: (*FIRST, *notes), LATER: notes}.get(saved.field)


@pytest.mark.parametrize("name", kit_names())
def test_untold_notes_cost_few_calls(name: str) -> None:
    with open_world(name) as world:
        saved, before = quick(world).save_case(replace(RECORD, first=True, notes=FIRST)), world.calls()
        quick(world).save_case(later(saved, score=85, notes=SECOND, untold=True, saved_version=1))
        assert world.calls() - before <= DEAR.get(name, 1)
        case = the_case(world)
    assert (case.version, case.score) == (2, 85) and [told(case, note.text) for note in (*FIRST, *SECOND)] == [1, 1, 1]


@pytest.mark.parametrize("name", kit_names())
def test_untold_notes_cost_one_call_where_it_is_known_what_their_field_holds(name: str) -> None:
    with open_world(name) as world:
        saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
        assert saved.field == IN_FIELD.get(name, "")
        before = world.calls()
        again = quick(world).save_case(later(saved, score=85, notes=SECOND, untold=True, saved_version=1, told=in_field(saved)))
        once = quick(world).save_case(later(saved, 3, notes=THIRD, untold=True, saved_version=2, told=in_field(saved, *SECOND)))
        assert world.calls() - before <= 2 and (again.field, once.field) == (saved.field, saved.field)
        assert [told(the_case(world), note.text) for note in (*FIRST, *SECOND, *THIRD)] == [1, 1, 1, 1]


def test_notes_that_a_field_held_are_in_it_again_after_a_slow_writer(world: World) -> None:
    """Who was slow wrote the field as it was before."""
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    for version, notes, before in ((2, SECOND, ()), (2, (), ()), (3, (), SECOND)):
        quick(world).save_case(later(saved, version, notes=notes, untold=True, saved_version=1, told=in_field(saved, *before)))
    assert [told(the_case(world), note.text) for note in (*FIRST, *SECOND)] == [1, 1, 1]


def test_notes_stand_once_where_people_have_a_say_meanwhile(world: World) -> None:
    """The field is read with the case, and what is new goes behind what is there; a lost answer has it read, too."""
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    world.set_band(saved.crm_id, "P3")
    moved = later(saved, band="P2", notes=SECOND, untold=True, saved_version=1, told=in_field(saved))
    assert quick(world).save_case(moved).field == saved.field
    assert quick(world).save_case(replace(moved, untold=False)).field == saved.field
    last = later(saved, 3, {**BEFORE, "band": "P2"}, band="P2", notes=THIRD, untold=True, saved_version=2, told=in_field(saved, *SECOND))
    quick(world).save_case(last)
    assert [told(the_case(world), note.text) for note in (*FIRST, *SECOND, *THIRD)] == [1, 1, 1, 1]


def test_notes_that_do_not_fit_into_their_field_are_told_all_the_same(world: World) -> None:
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    many = tuple(Note(f"m{number}", f"words {number}. {'x' * 14_000}") for number in range(6))
    for version, notes, before in ((2, many[:1], ()), (3, many[1:], many[:1]), (4, THIRD, None)):
        told_of = None if before is None else in_field(saved, *before)
        again = quick(world).save_case(later(saved, version, notes=notes, untold=True, saved_version=version - 1, told=told_of))
    assert not again.field and [told(the_case(world), f"words {number}.") for number in range(6)] == [1] * 6
    assert [told(the_case(world), note.text) for note in (*FIRST, *THIRD)] == [1, 1]


@pytest.mark.parametrize("name", [name for name in IN_FIELD if not why_not(name, "merge")])
def test_what_a_case_was_merged_into_keeps_its_own_notes(name: str) -> None:
    with open_world(name) as world:
        saved, other = (quick(world).save_case(replace(RECORD, case_key=key, first=True, notes=(Note(f"s1-{key}", f"first of {key}."),))) for key in "ab")
        world.merge_case(saved.crm_id, other.crm_id)
        record = later(saved, band="P2", record=replace(RECORD, case_key="a"), notes=SECOND, untold=True, saved_version=1, told=in_field(saved))
        assert quick(world).save_case(record).field == ""
        own = replace(RECORD, case_key="b")
        quick(world).save_case(later(other, record=own, notes=THIRD, untold=True, saved_version=1, told=(Note("s1-b", "first of b."),)))
        assert [told(the_case(world, "b"), note.text) for note in (*SECOND, *THIRD)] == [1, 1, 1]


@pytest.mark.parametrize("name", ["freshdesk", "hubspot", "sap"])
def test_notes_whose_field_is_missing_are_told_all_the_same(name: str) -> None:
    with open_world(name) as world:
        saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
        world.drop_field("case", "notes")
        again = quick(world).save_case(later(saved, notes=SECOND, untold=True, saved_version=1, told=in_field(saved)))
        assert again.field == "" and [told(the_case(world), note.text) for note in SECOND] == [1, 1]


def test_untold_notes_are_found_by_who_tells_them_again(world: World) -> None:
    """The answer was lost; more has come meanwhile."""
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    quick(world).save_case(later(saved, notes=SECOND, untold=True, saved_version=1))
    more = (*SECOND, Note("n3", "later words."))
    for _ in range(2):
        quick(world).save_case(later(saved, 3, notes=more, saved_version=1))
    assert [told(the_case(world), note.text) for note in (*FIRST, *more)] == [1, 1, 1, 1]


def test_untold_notes_go_on_after_each_other(world: World) -> None:
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    for version in range(2, 5):
        quick(world).save_case(later(saved, version, notes=(Note(f"s{version}-{version}", f"words {version}."),), untold=True, saved_version=version - 1))
    assert [told(the_case(world), f"words {version}.") for version in range(2, 5)] == [1, 1, 1]


def test_untold_notes_to_a_case_that_is_gone_are_in_the_one_that_is_made_again(world: World) -> None:
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    world.lose_case(saved.crm_id)
    again = quick(world).save_case(later(saved, notes=SECOND, untold=True, saved_version=1))
    assert again.created and [told(the_case(world), note.text) for note in SECOND] == [1, 1]


def test_untold_notes_to_a_case_that_a_person_closed_leave_it_closed(world: World) -> None:
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    world.close_case(saved.crm_id)
    again = quick(world).save_case(later(saved, notes=SECOND, untold=True, saved_version=1))
    assert again.status in (CLOSED, "") and the_case(world).status == CLOSED


def test_a_person_who_set_the_band_keeps_it_when_notes_are_told(world: World) -> None:
    saved = quick(world).save_case(replace(RECORD, first=True, notes=FIRST))
    world.set_band(saved.crm_id, "P3")
    set_by_hand = the_case(world).native_priority
    quick(world).save_case(later(saved, notes=SECOND, untold=True, saved_version=1))
    assert the_case(world).native_priority == set_by_hand
