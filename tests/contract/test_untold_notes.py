"""Notes of which no call has told before are told without reading the case, and once all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from caseline.crm import CLOSED, Note

from tests.kit.crms import RECORD, World, kit_names, open_world
from tests.kit.saving import quick
from tests.kit.scenes import later, the_case, told

FIRST, SECOND = (Note("s1-1", "first words."),), (Note("s2-9", "eight more words."), Note("n2", "a person's words."))
# Where a note is no part of the case it is a call more, and where it stands among others these are read.
DEAR = {"bottlecrm": 2, "freshdesk": 2, "hubspot": 2, "sap": 3}


@pytest.mark.parametrize("name", kit_names())
def test_untold_notes_cost_few_calls(name: str) -> None:
    with open_world(name) as world:
        saved, before = quick(world).save_case(replace(RECORD, first=True, notes=FIRST)), world.calls()
        quick(world).save_case(later(saved, score=85, notes=SECOND, untold=True, saved_version=1))
        assert world.calls() - before <= DEAR.get(name, 1)
        case = the_case(world)
    assert (case.version, case.score) == (2, 85) and [told(case, note.text) for note in (*FIRST, *SECOND)] == [1, 1, 1]


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
