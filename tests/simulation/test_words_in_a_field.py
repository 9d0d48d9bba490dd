"""The way through, to CRMs where a field of ours holds what was said: the words of each signal and person stand there once, in few calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from caseline.cases.changes import work_case
from caseline.crm._guard import GuardedCrm
from caseline.crm._pace import Pace
from caseline.signals import DELETED

from tests.kit.aws import aws
from tests.kit.crms import World, open_world, shipped
from tests.kit.pipeline import a_signal
from tests.kit.remote import Remote
from tests.kit.saving import quick
from tests.kit.scenes import told

NAMES = ("bottlecrm", "freshdesk", "hubspot", "sap")
WHO = ("x:100", "email:ann@example.com")


class Product(Remote):
    """Each step is another process. The account is looked up once."""

    pace = Pace(account_minutes=10_000)

    def __init__(self, cloud: Any, name: str, world: World) -> None:
        super().__init__(cloud, quick(world, **shipped(name)))
        self.world, self.settings = world, shipped(name)
        world.add_contact(world.add_account("Globex", "strategic", "1000", "2026-12-15"), "Ann", "ann@example.com", handles="x:100")

    def guarded(self) -> GuardedCrm:
        return GuardedCrm(quick(self.world, **self.settings), self.table, self.clock)

    def go_on(self, **time: float) -> None:
        super().go_on(**time)
        self.world.tick(timedelta(**time).total_seconds())

    def say(self, number: int, **more: Any) -> None:
        self.send(a_signal(f"p-{number}", f"Angry for the {number}. time, nobody answers!", identities=WHO, occurred_at=self.now, **more))
        self.settle()

    def rest(self, minutes: float = 88) -> None:
        for _ in range(4):
            self.go_on(minutes=minutes / 4)
            self.watch()
            self.settle()

    def heard(self, *numbers: int) -> list[int]:
        [case] = self.world.cases()
        return [told(case, f"for the {number}. time") for number in numbers]


@pytest.fixture(params=NAMES)
def product(request: pytest.FixtureRequest) -> Iterator[Product]:
    with open_world(request.param) as world, aws() as cloud:
        yield Product(cloud, request.param, world)


def _press_on(product: Product, begin: int, count: int) -> None:
    for number in range(begin, begin + count):
        product.say(number)
        product.go_on(minutes=2)


def test_each_later_hour_is_one_call_however_much_was_said(product: Product) -> None:
    product.say(1)
    for begin, count in ((2, 9), (11, 11), (22, 1)):
        _press_on(product, begin, count)
        before = product.world.calls()
        product.rest()
        assert product.world.calls() - before == 1
    [case] = product.cases()
    assert case["in_field"][0] == case["crm"]["id"] and sum(product.heard(*range(1, 12))) == 11


def test_what_people_write_in_caseline_stands_there_once(product: Product) -> None:
    product.say(1)
    [case] = product.cases()
    for number, begin in ((1, 2), (2, 3)):
        work_case(product.table, case["case_key"], {"note": f"I called them, {number}."}, "Mo", product.clock())
        product.rest(5)
        product.say(begin)
        product.rest()
    [stored] = product.world.cases()
    assert product.heard(1, 2, 3) == [1, 1, 1] and [told(stored, f"I called them, {number}.") for number in (1, 2)] == [1, 1]


def test_what_is_taken_back_is_gone_and_the_rest_stands_once(product: Product) -> None:
    product.say(1)
    _press_on(product, 2, 3)
    product.rest()
    product.send(a_signal("p-2", None, action=DELETED, identities=WHO, received_at=product.now))
    product.settle()
    product.rest()
    assert product.heard(1, 2, 3, 4) == [1, 0, 1, 1]
    product.say(5)
    product.rest()
    assert product.heard(1, 2, 3, 4, 5) == [1, 0, 1, 1, 1]


def test_what_people_say_of_the_case_there_stands(product: Product) -> None:
    product.say(1)
    [stored] = product.world.cases()
    product.world.comment(stored.crm_id, "I called them back.")
    product.world.set_band(stored.crm_id, "P4")
    by_hand = product.world.cases()[0].native_priority
    _press_on(product, 2, 3)
    product.rest()
    [stored] = product.world.cases()
    assert product.heard(1, 2, 3, 4) == [1, 1, 1, 1] and told(stored, "I called them back.") == 1 and stored.native_priority == by_hand
