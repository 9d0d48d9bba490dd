"""Whoever works with a CRM may die at any call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from caseline.crm import CLOSED, NewContact, Note, SavedCase

from tests.kit.crms import RECORD
from tests.kit.pipeline import Killed
from tests.kit.saving import Deaths, quick
from tests.kit.scenes import later, the_case, told


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
