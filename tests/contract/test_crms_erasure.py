"""Any CRM gives back what it was told of a customer who is erased, or it is said plainly what remains there."""

from __future__ import annotations

from dataclasses import replace

from caseline.crm import NOTES_STAND, Note

from tests.kit.crms import RECORD, World
from tests.kit.scenes import later, the_case, told

NOTES = tuple(Note(f"n-{number}", f"words {number}.") for number in range(1, 4))


def test_takes_its_notes_back_or_says_what_remains(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    world.adapter().save_case(later(saved, notes=NOTES))
    world.adapter().add_note(saved.crm_id, "n-9", "words 9.")
    world.comment(saved.crm_id, "what a person wrote")
    remains = [*world.adapter().erase_notes(saved.crm_id, "service: (erased)")]
    left = [told(the_case(world), text) for text in ("words 1.", "words 2.", "words 3.", "words 9.")]
    assert all(line and line == line.strip() for line in remains)
    assert left == [0, 0, 0, 0] or (NOTES_STAND in remains and left == [1, 1, 1, 1])
    assert told(the_case(world), "what a person wrote") == 1
    assert [*world.adapter().erase_notes(saved.crm_id, "service: (erased)")] == remains


def test_what_is_told_again_after_that_stands_once(world: World) -> None:
    saved = world.adapter().save_case(replace(RECORD, first=True))
    world.adapter().add_note(saved.crm_id, "n-1", "words 1.")
    if NOTES_STAND in world.adapter().erase_notes(saved.crm_id):
        return
    for _ in range(2):
        world.adapter().save_case(later(saved, version=3, notes=(Note("n-1r1", "words 2."),)))
    assert [told(the_case(world), text) for text in ("words 1.", "words 2.")] == [0, 1]


def test_of_a_case_that_is_gone_nothing_is_left_to_say(world: World) -> None:
    saved = world.adapter().save_case(RECORD)
    world.lose_case(saved.crm_id)
    assert [*world.adapter().erase_notes(saved.crm_id, "x")] in ([], [NOTES_STAND])
