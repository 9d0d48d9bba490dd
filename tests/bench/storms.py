"""10,000 signals of as many customers on one issue: what runs, and what the CRM is asked to write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.bench.figures import Figure
from tests.kit.aws import aws
from tests.kit.pipeline import FakeCrm, Pipeline, a_signal

SIGNALS, PLACES = 10_000, "north south east west upper lower inner outer old new".split()


def measure(signals: int = SIGNALS) -> Iterator[Figure]:
    crm = FakeCrm()
    with aws() as cloud:
        pipeline = Pipeline(cloud, crm)
        pipeline.grim.log = []
        for i in range(signals):
            text = f"The {PLACES[i % 10]} kiosk refuses every card payment since this morning, and it makes me angry {i}"
            pipeline.send(a_signal(f"s-{i}", text, identities=(f"x:{i}",)))
        pipeline.drain()
        own = sum(not case.get("kind") for case in pipeline.cases())
        for _ in range(3):
            pipeline.now += timedelta(minutes=1)
            pipeline.watch()
            pipeline.drain()
        yield Figure("storm: cases of their own before it is seen", own, 10, note=f"of {signals} signals")
        yield Figure("storm: runs of the state machine beyond those", len(pipeline.executions) - own, 15)
        yield Figure("storm: writes to the CRM beyond those cases and their closing", crm.saves - 2 * own, 15)
        yield Figure("storm: signals on timelines", sum(bool(row.get("identity")) for row in pipeline.rows("signal")), signals, at_least=True)
