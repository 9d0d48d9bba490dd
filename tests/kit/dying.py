"""Cases that are worked and saved by processes that die at random calls, until all is done: what then stands in the CRM, and what should."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import requests
from caseline.cases.changes import work_case
from caseline.cases.ledger import load_case
from caseline.errors import CrmConflictError, CrmUnavailableError
from caseline.table import Item, Table

from tests.kit.crms import World
from tests.kit.memory import MemoryClient
from tests.kit.pipeline import Killed
from tests.kit.saving import Clock, Deaths, MortalClient, case_row, outbox_of, quick

ATTEMPTS, LONGEST = 60, 14  # a push takes fewer calls than that, so that some are left to end well
LEASE = 70.0  # seconds after which a dead saver of any CRM holds a case no more


@dataclass
class Story:
    """One case: who works it says what and when; who saves it dies now and then."""

    world: World
    table: Table
    seed: str
    clock: Clock = field(default_factory=Clock)
    notes: list[str] = field(default_factory=list)
    status: str = "open"
    ever_closed: bool = False
    deaths: int = 0

    def __post_init__(self) -> None:
        self._chance, self.case_key = Random(self.seed), f"case-{self.seed}"

    def play(self) -> None:
        score = self._chance.randint(1, 100)
        self.table.put(case_row(self.case_key, score=score, crm=self.world.adapter().name, customer_id=f"cu-{self.seed}"))
        for _ in range(self._chance.randint(1, 3)):
            self._save()
            self._work()
        self._save()

    def _save(self) -> None:
        """As the state machine does: again after a death or an error, later than the lease of the dead."""
        for attempt in range(ATTEMPTS):
            try:
                self._push(dies=self._chance.random() < 0.75 and attempt < ATTEMPTS // 2)
                return
            except (Killed, CrmConflictError, CrmUnavailableError):
                self.deaths += 1
                self.clock.tick(LEASE)
            if self._chance.random() < 0.4:
                self._work()
        raise AssertionError(f"{self.case_key} is never saved")

    def _push(self, dies: bool) -> None:
        """A process of its own: nothing is remembered. Some do not die but lose the CRM's answer."""
        at, late = (self._chance.randint(1, LONGEST), self._chance.random() < 0.5) if dies else (0, False)
        deaths, lost = Deaths(at, late), self._chance.random() < 0.3 and self.world.wire is not None
        calls = Deaths(min(at, 5), late, requests.ConnectionError) if lost else deaths
        mortal = Table(MortalClient(self.table.client, Deaths() if lost else deaths), self.table.name, sleep=lambda _: None)
        outbox_of(mortal, quick(self.world, calls, mortal), self.clock).push(self.case_key)

    def _work(self) -> None:
        """A person closes or opens it, sets its band, queue or owner, or writes a note."""
        note = f"Words {len(self.notes) + 1} of {self.case_key}."
        status = "closed" if self.status == "open" else "open"
        wanted: list[dict[str, Any]] = [
            {"status": status}, {"band": self._chance.choice(("P1", "P2", "P3", "P4")), "reason": "a call"}, {"queue": f"q{self._chance.randint(1, 9)}"},
            {"note": note},
        ]  # fmt: skip
        chosen = self._chance.choice(wanted)
        work_case(self.table, self.case_key, chosen, "ann", self.clock())
        self.notes += [note] if "note" in chosen else []
        self.status = chosen.get("status", self.status)
        self.ever_closed |= self.status == "closed"

    def row(self) -> Item:
        found = load_case(self.table, self.case_key)
        assert found
        return found


@dataclass
class Outcome:
    """`duplicates` and `lost` are sentences, of cases and of notes."""

    runs: int = 0
    deaths: int = 0
    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __add__(self, more: Outcome) -> Outcome:
        return Outcome(self.runs + more.runs, self.deaths + more.deaths, self.duplicates + more.duplicates, self.lost + more.lost)


def play(world: World, seeds: Iterable[str]) -> Outcome:
    """A story for each seed, one after the other, in one CRM and one table."""
    table = Table(MemoryClient(), "memory", sleep=lambda _: None)
    if world.wire is None:
        world.table = table
    stories = [Story(world, table, seed) for seed in seeds]
    for story in stories:
        story.play()
    return compare(world, stories)


def compare(world: World, stories: Iterable[Story]) -> Outcome:
    """The same band is the same priority to the CRM, where nobody but us sets it; what is closed may stay as it was."""
    outcome, cases, natives = Outcome(), world.cases(), defaultdict[str, set[str]](set)
    counts, standing = Counter(case.case_key for case in cases), {case.case_key: case for case in cases}
    for story in stories:
        outcome.runs, outcome.deaths = outcome.runs + 1, outcome.deaths + story.deaths
        row, case = story.row(), standing.get(story.case_key)
        if case is None:
            outcome.lost.append(f"{story.case_key} does not stand in the CRM")
            continue
        if counts[story.case_key] > 1:
            outcome.duplicates.append(f"{story.case_key} stands {counts[story.case_key]} times")
        wanted = (row["crm"]["id"], story.status, row["version"], row["priority"]["score"], row["priority"]["band"])
        found = (case.crm_id, case.status, case.version, case.score, case.band)
        if (wanted != found) if story.status == "open" else (wanted[:2] != found[:2]):
            outcome.lost.append(f"{story.case_key} stands as {found}, not as {wanted}")
        for note in story.notes:
            count = sum(text.count(note) for text in case.notes)
            (outcome.duplicates if count > 1 else outcome.lost).extend([f"{note} stands {count} times"] if count != 1 else [])
        natives[case.band] |= {case.native_priority} if not story.ever_closed else set()
    outcome.lost += [f"{band} is {sorted(found)} to the CRM" for band, found in natives.items() if len(found) > 1]
    outcome.duplicates += [f"{case.crm_id} has no key of ours" for case in cases if not case.case_key]
    return outcome
