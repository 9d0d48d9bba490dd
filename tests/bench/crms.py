"""Calls to each CRM, counted at its simulator without logins: a new case, a case that gathers ten signals within an hour, a CRM that is down for two hours.

The adapters have their default settings.

Each step is another process, which knows nothing of what the one before read or was told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from caseline.cases.outbox import MAKING
from caseline.crm import Note, Profile
from caseline.crm._guard import PROBE_SECONDS, GuardedCrm, read_limits
from caseline.errors import CrmError
from caseline.profile_marks import mark_profiles
from caseline.publishing import read_records
from caseline.table import Table

from tests.bench.figures import Figure
from tests.kit.aws import aws
from tests.kit.crms import NOW, RECORD, World, kit_names, open_world, shipped
from tests.kit.memory import MemoryClient
from tests.kit.pipeline import a_signal
from tests.kit.remote import Remote
from tests.kit.saving import Clock, case_row, outbox_of, quick

FEW = {"salesforce": 2, "dynamics": 2, "hubspot": 2}  # calls for a new case; 4 of any other CRM
IN_ALL = 4  # for a case that gathers ten signals within an hour
SIGNALS, MINUTES_APART = 10, 6
DOWN_SECONDS, ASKED_EVERY = 7_200, 10
IDENTITIES = ("x:100", "email:ann@example.com")


def measure() -> Iterator[Figure]:
    for name in remote_names():
        bare, noted = count_new_case(name, ()), count_new_case(name, (Note("s1-1", "words"),))
        limit = FEW.get(name, 4)
        yield Figure(f"calls for a new case: {name}", bare, limit)
        yield Figure("  with its first note", noted, limit)
        with open_world(name) as world:
            within, in_all, profile = count_ten_signals(world, shipped(name))
        yield Figure("  with ten signals, within the hour", within, IN_ALL)
        yield Figure("  with ten signals, until it knows of all", in_all, IN_ALL, note=f"and {profile} to keep the customer's profile")
        with open_world(name) as world:
            probes, others = count_while_down(world)
        yield Figure("  while it is down for two hours", others, 0, note=f"beside {probes} probes, one in {PROBE_SECONDS} s at most")


def remote_names() -> list[str]:
    """CRMs and their variants that are reached over the network."""
    found = []
    for name in kit_names():
        with open_world(name) as world:
            found += [name] if world.wire else []
    return found


def count_new_case(name: str, notes: Sequence[Note]) -> int:
    """The more of: a customer whom the CRM knows by two names, one whom it does not."""
    with open_world(name) as world:
        _add_customer(world)
        return max(_new_case(world, identities, notes, shipped(name)) for identities in (IDENTITIES, ("x:77", "email:nobody@example.com")))


def _add_customer(world: World) -> None:
    world.add_contact(world.add_account("Globex", "strategic", "1000", "2026-12-15"), "Ann", "ann@example.com", handles="x:100")


def _new_case(world: World, identities: Sequence[str], notes: Sequence[Note], settings: Mapping[str, Any]) -> int:
    before = world.calls()
    account = quick(world, **settings).find_account(identities).account
    ids = {"account_id": account.account_id, "contact_id": account.contact_id} if account else {}
    quick(world, **settings).save_case(replace(RECORD, case_key=f"cx-{before}", first=True, notes=notes, **ids))
    return world.calls() - before


class Hour(Remote):
    """The product with one CRM; for each step another process. What it takes to keep the customer's profile is counted apart."""

    world: World
    settings: Mapping[str, Any]
    spent_on_profile = 0

    def guarded(self) -> GuardedCrm:
        crm = quick(self.world, **self.settings)
        write = crm.write_profile

        def write_profile(profile: Profile) -> None:
            before = self.world.calls()
            write(profile)
            self.spent_on_profile += self.world.calls() - before

        crm.write_profile = write_profile
        return GuardedCrm(crm, self.table, self.clock)

    def calls(self) -> int:
        return self.world.calls() - self.spent_on_profile

    def _publish(self, records: list[dict[str, Any]]) -> None:
        super()._publish(records)
        mark_profiles(self.table, read_records(records), lambda brand: "", self.now + timedelta(minutes=self.pace.enrich_minutes))

    def go_on(self, **time: float) -> None:
        super().go_on(**time)
        self.world.tick(timedelta(**time).total_seconds())


def count_ten_signals(world: World, settings: Mapping[str, Any]) -> tuple[int, int, int]:
    """Calls within the hour, and until the CRM has been told of all ten; and those for the customer's profile."""
    _add_customer(world)
    with aws() as cloud:
        product = Hour(cloud, quick(world))
        product.world, product.settings = world, settings
        begun, before = product.now, product.calls()
        for number in range(SIGNALS):
            product.send(a_signal(f"p-{number}", identities=IDENTITIES, occurred_at=product.now))
            product.settle()
            product.live(begun + timedelta(minutes=MINUTES_APART * (number + 1)) - timedelta(minutes=number == SIGNALS - 1))
        within = product.calls() - before
        product.live(begun + timedelta(hours=3))
        _check_all_told(product, world)
        return within, product.calls() - before, product.spent_on_profile


def _check_all_told(product: Hour, world: World) -> None:
    [case], [stored] = product.cases(), world.cases()
    assert (case["signal_count"], case["noted"], case["crm"]["sync"]) == (SIGNALS, SIGNALS, "synced"), case
    assert sum(text.count("Really angry") for text in stored.notes) == SIGNALS, stored


def count_while_down(world: World) -> tuple[int, int]:
    """Probes, and calls that came sooner after another than a probe may; many workers ask all the time. Afterwards all that waited stands."""
    table, clock = Table(MemoryClient(), "memory", sleep=lambda _: None), Clock(NOW)
    crm, keys = GuardedCrm(quick(world), table, clock), [f"case-{number}" for number in range(3)]
    crm.find_account(IDENTITIES)
    for key in keys:
        table.put(case_row(key, crm=crm.name))
    outbox, simulator = outbox_of(table, crm, clock), world.simulator
    simulator.faults.add("answer", "", status=503, times=10**9)
    while read_limits(table, crm.name, clock()).state != "down":
        _ask(crm, outbox, keys)
        clock.tick(1)
    times = [clock().timestamp()]
    for _ in range(0, DOWN_SECONDS, ASKED_EVERY):
        before = len(simulator.calls)
        _ask(crm, outbox, keys)
        times += [clock().timestamp()] * (len(simulator.calls) - before)
        clock.tick(ASKED_EVERY)
    simulator.faults.clear()
    clock.tick(MAKING.total_seconds() + 1)
    for key in keys:
        outbox.push(key)
    assert sorted(case.case_key for case in world.cases()) == keys
    return len(times) - 1, sum(later - earlier < PROBE_SECONDS for earlier, later in pairwise(times))


def _ask(crm: GuardedCrm, outbox: Any, keys: Sequence[str]) -> None:
    for ask in (*(lambda key=key: outbox.push(key) for key in keys), lambda: crm.find_account(IDENTITIES), crm.read_changes, crm.list_cases):
        try:
            ask()
        except CrmError:
            continue
