"""Cases saved by processes that die at random calls to the table and to the CRM, shared out among all CRMs: how many stand twice, or not."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.figures import Figure
from tests.kit.crms import kit_names, open_world
from tests.kit.dying import Outcome, play

RUNS, QUICK, BATCH = 10_000, 1_000, 50  # a CRM for each batch: none of them is quick with a thousand cases


def measure(full: bool = False) -> Iterator[Figure]:
    names, started = kit_names(), time.perf_counter()
    outcomes = {name: _play(name, -(-(RUNS if full else QUICK) // len(names))) for name in names}
    runs, deaths = sum(each.runs for each in outcomes.values()), sum(each.deaths for each in outcomes.values())
    note = f"{runs} cases over {len(names)} CRMs, {deaths} deaths and lost answers, {time.perf_counter() - started:.0f} s"
    yield Figure("cases and notes that stand twice", sum(len(each.duplicates) for each in outcomes.values()), 0, note=note)
    yield Figure("cases and notes that are lost or old", sum(len(each.lost) for each in outcomes.values()), 0)
    for name, each in outcomes.items():
        if each.duplicates or each.lost:
            yield Figure(f"  {name}", len(each.duplicates) + len(each.lost), 0, note="; ".join([*each.duplicates, *each.lost][:2]))


def _play(name: str, runs: int) -> Outcome:
    total = Outcome()
    for start in range(0, runs, BATCH):
        with open_world(name) as world:
            total += play(world, [f"{name}-{number}" for number in range(start, min(start + BATCH, runs))])
    return total
