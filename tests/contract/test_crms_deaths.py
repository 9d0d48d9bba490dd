"""Whoever works with a CRM may die at any call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import CLOSED, NOTES_STAND, NewContact, Note, SavedCase

from tests.kit.crms import RECORD
from tests.kit.pipeline import Killed
from tests.kit.saving import Deaths, quick
from tests.kit.scenes import VALUES, a_profile, later, plain, the_case, told


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
        crm.save_case(later(standing[key], record=record, saved_version=1, band="P2", score=60, status=CLOSED, notes=notes))

    for key in _die_everywhere(remote, late, save):
        case = the_case(remote, key)
        assert (case.version, case.score, case.status, told(case, "first words."), told(case, "second words.")) == (2, 60, CLOSED, 1, 1), key


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_note_is_there_once_whenever_the_writer_dies(remote: Any, late: bool) -> None:
    saved = quick(remote).save_case(RECORD)
    keys = _die_everywhere(remote, late, lambda crm, key, again: crm.add_note(saved.crm_id, key, f"words of {key}."))
    assert [told(the_case(remote), f"words of {key}.") for key in keys] == [1] * len(keys)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_notes_are_taken_back_whenever_the_eraser_dies(remote: Any, late: bool) -> None:
    notes, standing, remains = (Note("n-1", "first words."), Note("n-2", "second words.")), dict[str, SavedCase](), dict[str, list[str]]()

    def erase(crm: Any, key: str, again: bool) -> None:
        standing[key] = standing.get(key) or quick(remote).save_case(replace(RECORD, case_key=key, first=True, notes=notes[:1]))
        quick(remote).add_note(standing[key].crm_id, notes[1].note_id, notes[1].text)
        remains[key] = [*crm.erase_notes(standing[key].crm_id, "erased")]

    for key in _die_everywhere(remote, late, erase):
        erased = [*quick(remote).erase_notes(standing[key].crm_id, "erased")]
        left = sum(told(the_case(remote, key), note.text) for note in notes)
        assert remains[key] == erased and (not left or NOTES_STAND in erased), key


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_profile_is_whole_whenever_the_writer_dies(remote: Any, late: bool) -> None:
    """The values of the last writing stand, whatever one before it left half done."""
    profile = a_profile(remote)

    def write(crm: Any, key: str, again: bool) -> None:
        crm.write_profile(replace(profile, values={**VALUES, "unanswered": int(again)}))

    _die_everywhere(remote, late, write)
    written = [remote.contact_values(profile.contact_id), remote.account_values(profile.account_id)]
    assert plain(written[0]) == plain({**VALUES, "unanswered": 0}) and written[1]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_no_change_is_missed_whenever_the_reader_dies(remote: Any, late: bool) -> None:
    """The cursor moves only with what was told."""
    saved = quick(remote).save_case(RECORD)
    remote.tick(3600)
    cursor = quick(remote).read_changes("")[1]
    remote.tick(1)
    remote.comment(saved.crm_id, "called back")
    heard: list[str] = []

    def read(crm: Any, key: str, again: bool) -> None:
        changes, following = crm.read_changes(cursor)
        heard.append(" ".join(change.fields["text"].strip() for change in (*changes, *crm.read_changes(following)[0]) if change.kind == "comment"))

    _die_everywhere(remote, late, read)
    assert set(heard) == {"called back"}


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_contact_is_made_once_whenever_the_maker_dies(remote: Any, late: bool) -> None:
    before = remote.contacts()

    def make(crm: Any, key: str, again: bool) -> None:
        crm.create_contact(NewContact("contact", key, "Cleo", (f"email:{key}@example.com",), "x"))

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
