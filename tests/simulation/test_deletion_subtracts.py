"""A signal that its author deletes is subtracted exactly: what stands of a history with it equals that of the history without it.

In the priority of each open case, line by line, its band and clocks, and how its customer stands. Reports are test_report_of_history.py's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from caseline.signals import DELETED, OUTBOUND, Signal
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.kit.memory_cloud import MemoryCloud
from tests.kit.pipeline import FakeCrm, Pipeline, a_signal
from tests.simulation.test_report_of_history import minutes, standing, survey

ANN, BOB = ("x:100",), ("x:200",)
HISTORY = [
    a_signal("p-1", "Angry: it is down.", identities=ANN, **minutes(400)),
    a_signal("p-2", "Angry: still down.", identities=ANN, reach=90_000, **minutes(300)),
    a_signal("r-0", "We got your words.", identities=ANN, direction=OUTBOUND, attributes={"auto_reply": True}, **minutes(60)),
    a_signal("r-1", "We are on it.", identities=ANN, direction=OUTBOUND, agent="Mo", **minutes(250)),
    a_signal("p-3", "Angry: down once more, I cancel.", identities=ANN, channel="email", kind="message", public=False, **minutes(100)),
    survey("n-1", 1, ANN, 60),
    a_signal("q-1", "Thank you!", identities=BOB, **minutes(90)),
    a_signal("q-2", "Angry about this.", identities=BOB, **minutes(80)),
    a_signal("q-3", "Angry, and nobody answers.", identities=BOB, reach=5_000, **minutes(20)),
]
NAMES = sorted({signal.native_id for signal in HISTORY})


# What legitimately stays, by name: `signal_ids`, `signal_count`, `threads`, `channels` and the `subject` made of them tell what was heard, `first_signal_at`
# and the key when and by what the case was opened; `gone`, versions and times of saving are bookkeeping. How much of a target has passed is told as of when
# the case was judged last: its points are compared. A deadline that passed while the signal stood stays missed, with what it weighs.
COMPARED = ("status", "queue", "category", "weighs", "missed", "author_name")


def play(history: Sequence[Signal], gone: Collection[str] = (), later: float = 0) -> dict[str, Any]:
    """The cases and how people stand two hours after the deletions, which come `later` than all the rest."""
    pipeline = Pipeline(MemoryCloud(), FakeCrm())
    for signal in history:
        pipeline.send(signal)
        pipeline.settle()
    live(pipeline, later)
    for signal in HISTORY:
        if signal.native_id in gone:
            pipeline.send(a_signal(signal.native_id, None, channel=signal.channel, action=DELETED, identities=(), received_at=pipeline.now))
            pipeline.settle()
    live(pipeline, 120 + 45 - later)
    cases = {(case["customer_id"], case["category"]): shown(case) for case in pipeline.cases("open")}
    return {"cases": cases, "standing": {name: value for name, value in standing(pipeline).items() if value[0] is not None}}


def live(pipeline: Pipeline, minutes: float) -> None:
    for _ in range(int(minutes) // 5):
        pipeline.now += timedelta(minutes=5)
        pipeline.watch()
        pipeline.settle()


def shown(case: dict[str, Any]) -> dict[str, Any]:
    priority = case["priority"]
    lines = {line["factor"]: (line["points"], line["text"] if line["factor"] != "sla" else "") for line in priority["lines"]}
    return {name: case.get(name) for name in COMPARED} | {"lines": lines, "score": priority["score"], "bands": (priority["band"], priority["auto_band"])}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@example(gone={"r-1"}, later=0)  # what the brand takes back answers nothing
@example(gone={"r-0"}, later=0)  # nor does what a machine said, of which nothing is left that tells so
@example(gone={"q-2", "q-3"}, later=0)  # no case is open where nothing of it is left
@example(gone={"p-2", "r-1"}, later=45)  # no deadline passes while what is gone still weighed
@given(gone=st.sets(st.sampled_from(NAMES), min_size=1, max_size=4), later=st.sampled_from([0, 45]))
def test_what_is_deleted_weighs_nothing(gone: set[str], later: float) -> None:
    assert play(HISTORY, gone, later) == play([signal for signal in HISTORY if signal.native_id not in gone], (), later)
