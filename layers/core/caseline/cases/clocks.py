"""The clocks of a case: first reply, next reply, resolution. A deadline that was missed is noted once and stays missed, whatever comes later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.cases.circumstances import say_missed
from caseline.cases.evidence import Scene, asks_for_reply
from caseline.cases.ledger import history_row
from caseline.deadlines import FIRST, NEXT, RESOLUTION, Ways, add_time, find_target, ways_of
from caseline.policy import Policy
from caseline.signals import isoformat, parse_time
from caseline.table import Item
from caseline.turns import turns_of


@dataclass(frozen=True)
class Wait:
    """From the ask that started the clock to what stopped it; None while it runs."""

    clock: str
    since: str
    ways: Ways
    until: str | None = None
    answered: bool = True  # false where the case was closed and nobody had replied


def due_moments(policy: Policy, case: Mapping[str, Any], live: Sequence[Item], scene: Scene) -> list[datetime]:
    """When the clocks that run now are due, for the case's band."""
    return [due for wait in _waits(case, live, scene) if wait.until is None and (due := due_of(policy, case, wait))]


def find_missed(policy: Policy, case: Mapping[str, Any], live: Sequence[Item], scene: Scene) -> Item:
    """`{"missed": [{clock, since, due_at, band}]}`: what was missed before, and what is by now. Nothing where nothing ever was."""
    missed = list(case.get("missed") or ())
    for wait in _waits(case, live, scene):
        due = due_of(policy, case, wait)
        if due and not any(is_same(known, wait) for known in missed) and _is_late(wait, due, scene.now):
            missed.append({"clock": wait.clock, "since": wait.since, "due_at": isoformat(due), "band": case["priority"]["band"]})
    return {"missed": missed} if missed else {}


def missed_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Item]:
    """A line of history for each deadline that was missed since."""
    for miss in newly_missed(before, after):
        mark = f"{after['version']:06d}-{miss['clock']}-{miss['since']}"
        yield history_row(after["case_key"], after["updated_at"], "deadline", say_missed(miss), after["version"], mark=mark)


def newly_missed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(after.get("missed") or ())[len(before.get("missed") or ()) :]


def _waits(case: Mapping[str, Any], live: Sequence[Item], scene: Scene) -> Iterator[Wait]:
    return read_waits(case, live, scene.replies_to(live))


def read_waits(case: Mapping[str, Any], live: Iterable[Item], answered_at: Iterable[str]) -> Iterator[Wait]:
    """Each turn of the customer's up to what answers it, and the whole case. What a machine of the brand says answers nothing.

    A case that is closed waits no more; what the customer says after that is another turn.
    """
    asks = sorted(turns_of(filter(asks_for_reply, live)), key=lambda row: str(row["occurred_at"]))
    said = set(answered_at)
    replies = sorted({*said, *rests_of(case)})
    answered, clock = "", FIRST
    for ask in asks:
        if answered and ask["occurred_at"] <= answered:
            continue  # the same turn
        until = next((reply for reply in replies if reply > ask["occurred_at"]), None)
        yield Wait(clock, str(ask["occurred_at"]), ways_of(ask), until, until is None or until in said)
        if until is None:
            break
        answered, clock = until, NEXT if until in said else clock
    ways = {ways_of(ask) for ask in asks}
    since, until = str(case.get("first_signal_at") or case["opened_at"]), case.get("closed_at")
    yield Wait(RESOLUTION, since, ways.pop() if len(ways) == 1 else (), str(until) if until else None)


def rests_of(case: Mapping[str, Any]) -> list[str]:
    """When the case was closed, now or before it was opened again; one that went on in another case did not rest."""
    closed = str(case.get("closed_at") or "")
    return [*case.get("rests", ()), *([closed] if closed and not (case.get("joined") or case.get("adopted_by")) else [])]


def due_of(policy: Policy, case: Mapping[str, Any], wait: Wait) -> datetime | None:
    """For the case's band; None where the policy has no target."""
    target = find_target(policy, wait.clock, case["priority"]["band"], wait.ways, case["brand"])
    return add_time(policy, parse_time(wait.since), target, case["brand"]) if target else None


def _is_late(wait: Wait, due: datetime, now: datetime) -> bool:
    return parse_time(wait.until) > due if wait.until else now >= due


def is_same(known: Mapping[str, Any], wait: Wait) -> bool:
    """A reply clock of the same turn: an earlier ask that came late does not make another miss of it."""
    if RESOLUTION in (known["clock"], wait.clock):
        return bool(known["clock"] == wait.clock)
    return bool(wait.since <= known["since"] and (wait.until is None or known["since"] < wait.until))
