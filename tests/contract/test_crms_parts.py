"""Many requests in one, of which one fails: nothing is taken for done that was not, and nothing for none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from caseline.crm import CLOSED, Change, Note
from caseline.errors import CrmError

from tests.kit.crms import RECORD, World
from tests.kit.saving import quick
from tests.kit.scenes import NEW, VALUES, a_profile, later, plain, the_case, told, where_it_can

MOST = 25  # parts that anything here takes
NOTES = (Note("n-1", "first words."), Note("n-2", "second words."))
ANN = ["x:12345", "email:ann@example.com", "phone:+442079460000"]


@dataclass
class Failing:
    """`each` gives the parts by number; a number that no part has is the last."""

    world: Any

    def each(self, act: Callable[[int], Any], again: Callable[[int], Any] | None = None) -> list[Any]:
        """What acting gave while that part failed: the error, or the answer. `again` is done once all is well again."""
        given = []
        for number in range(MOST):
            self.world.simulator.fail_part(number)
            given.append(self._outcome(act, number))
            has_failed, self.world.simulator.good_parts = self.world.simulator.good_parts < 0, None
            if again:
                again(number)
            if not has_failed:
                return given
        raise AssertionError("it takes more parts than anything should")

    def _outcome(self, act: Callable[[int], Any], number: int) -> Any:
        try:
            return act(number)
        except CrmError as error:
            assert "ann@example.com" not in str(error)
            return error


@pytest.fixture
def failing(world: World) -> Failing:
    return Failing(world)


@where_it_can("parts")
def test_an_account_is_found_or_it_is_said_why_not(world: World, failing: Failing) -> None:
    account = world.add_account("Globex", tier="strategic", deal_value="1000", renewal_date="2026-12-15")
    world.add_contact(account, "Ann", "ann@example.com", "+44 20 7946 0000", "x:12345")
    for found in failing.each(lambda _: quick(world).find_account(ANN)):
        assert isinstance(found, CrmError) or (found.kind == "exact" and found.account.facts["deal_value"].value == "1000")


@where_it_can("parts")
def test_a_new_case_is_there_once_in_the_end(world: World, failing: Failing) -> None:
    def save(number: int, first: bool = True) -> Any:
        return quick(world).save_case(replace(RECORD, case_key=f"cx-{number}", first=first, notes=NOTES))

    failing.each(save, lambda number: save(number, first=False))
    _check(world, lambda case: (case.version, case.score), (1, 80))


@where_it_can("parts")
def test_a_case_is_what_it_should_be_in_the_end(world: World, failing: Failing) -> None:
    saved = {}

    def save(number: int) -> Any:
        record = replace(RECORD, case_key=f"cx-{number}")
        saved[number] = saved.get(number) or quick(world).save_case(replace(record, first=True))
        return quick(world).save_case(later(saved[number], record=record, saved_version=1, band="P2", score=60, status=CLOSED, notes=NOTES))

    failing.each(save, save)
    _check(world, lambda case: (case.version, case.score, case.status), (2, 60, CLOSED))


def _check(world: World, look: Callable[[Any], Any], wanted: Any) -> None:
    keys = [case.case_key for case in world.cases()]
    assert len(keys) == len(set(keys)) and all(keys)
    for case in world.cases():
        assert (look(case), *(told(case, note.text) for note in NOTES)) == (wanted, 1, 1), case.case_key


@where_it_can("parts")
def test_a_note_is_there_once_in_the_end(world: World, failing: Failing) -> None:
    crm_id = quick(world).save_case(RECORD).crm_id

    def say(number: int) -> None:
        quick(world).add_note(crm_id, f"n-{number}", f"words {number}.")

    count = len(failing.each(say, say))
    assert [told(the_case(world), f"words {number}.") for number in range(count)] == [1] * count


@where_it_can("parts")
def test_a_profile_is_whole_in_the_end(world: World, failing: Failing) -> None:
    profile = a_profile(world)
    failing.each(lambda _: quick(world).write_profile(profile), lambda _: quick(world).write_profile(profile))
    assert plain(world.contact_values(profile.contact_id)) == plain(VALUES)


@where_it_can("parts")
def test_a_contact_is_made_once_in_the_end(world: World, failing: Failing) -> None:
    before = world.contacts()

    def make(number: int) -> Any:
        return quick(world).create_contact(replace(NEW, customer_id=f"cu-{number}", identities=(f"email:cleo-{number}@example.com",)))

    made = failing.each(make, make)
    assert world.contacts() - before == len(made)


@where_it_can("parts")
def test_no_change_is_missed(world: World, failing: Failing) -> None:
    crm = quick(world)
    saved = [crm.save_case(replace(RECORD, case_key=f"cx-{number}", first=True)).crm_id for number in range(3)]
    world.tick(3600)
    cursor = str(crm.read_changes("")[1])
    world.tick(1)
    for crm_id in saved:
        world.set_owner(crm_id, "ann")
        world.comment(crm_id, "called back")
    for answer in failing.each(lambda _: quick(world).read_changes(cursor)):
        if not isinstance(answer, CrmError):
            changes = [*answer[0], *_rest(world, answer[1])]
            assert {(change.kind, change.crm_id) for change in changes} >= {(kind, crm_id) for kind in ("case", "comment") for crm_id in saved}


def _rest(world: World, cursor: str) -> list[Change]:
    found: list[Change] = []
    while True:
        changes, cursor = quick(world).read_changes(cursor)
        if not changes:
            return found
        found += changes
