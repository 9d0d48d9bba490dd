"""DynamoDB write units of the whole way through, metered on every item that is written, for the indexes of the template."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.bench.figures import Figure
from tests.bench.meter import index_units, read_indexes, write_units
from tests.infra.deployment import source
from tests.kit.aws import FakeCloud, aws
from tests.kit.pipeline import Pipeline, a_signal

SIGNALS, CUSTOMERS, MAILS, CASES = 300, 100, 0.15, 0.08  # one in seven a mail, one in twelve a case
WORDS = (
    "the and to of a in for on with that this from have was not you but they will one all would there their what about which when make can like "
    "time just him know take people into year good some could them see other than then now look only come its over think also back after use two "
    "how our work first well way even new want because any these give day most ticket ferry pier crew cabin luggage refund departure schedule "
    "office counter weather island bicycle meal deck engine harbour"
).split()


def measure() -> Iterator[Figure]:
    total, rows = _run(_mix())
    note = f"{SIGNALS} signals: {MAILS:.0%} mails of 1.5 kB, posts of 140 characters, {CUSTOMERS} customers, {CASES:.0%} to a case"
    yield Figure("write units, a signal's row with its index", rows["insert"] / SIGNALS, 2.5, note=note)
    yield Figure("write units, all in, a signal", sum(total.values()) / SIGNALS, 3.2, note=_shares(total))
    for name, length in (("post of 140 characters", 140), ("mail of 1.5 kB", 1500)):
        _, alone = _run([_signal(i, length) for i in range(25)])
        yield Figure(f"  a row with its index: {name}", alone["insert"] / 25)


def _mix() -> list[Any]:
    return [_signal(i, 1500 if i % 20 < 20 * MAILS else 140, angry=i % 100 < 100 * CASES) for i in range(SIGNALS)]


def _signal(number: int, length: int, angry: bool = False) -> Any:
    text = ("I am angry. " if angry else "") + _write(length, random.Random(number))
    name = f"19900000000000{number:05d}"
    more: dict[str, Any] = {"kind": "email", "public": False, "thread_id": name} if length > 1000 else {}  # a mail that begins a thread, as `read_mail` has it
    return a_signal(name, text, identities=(f"x:5100{number % CUSTOMERS:04d}",), reach=250, **more)


def _write(length: int, chance: random.Random) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < length:
        words.append(chance.choice(WORDS))
    return " ".join(words)[:length]


class MeteredCloud:
    """Adds up the units of every change by the row's type; a transaction costs twice."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.units: dict[str, int] = defaultdict(int)
        self.signals: dict[str, int] = defaultdict(int)
        self._indexes = read_indexes(source()["Resources"]["Table"]["Properties"])
        self._keep, self._factor = cloud.commit_changes, 1
        cloud.commit_changes = self._commit
        events = cloud.client("dynamodb").meta.events
        events.register("before-call", lambda model, **_: setattr(self, "_factor", 2 if model.name == "TransactWriteItems" else 1))

    def _commit(self, changes: Sequence[Any]) -> None:
        for change in changes:
            spent = self._factor * (write_units(change.old, change.new) + sum(index_units(index, change.old, change.new) for index in self._indexes))
            kind = (change.new or change.old)["type"]["S"] if "type" in (change.new or change.old) else "other"
            self.units[kind] += spent
            if kind == "signal":
                self.signals["insert" if change.old is None else "update"] += spent
        self._keep(changes)


def _run(signals: Sequence[Any]) -> tuple[dict[str, int], dict[str, int]]:
    """The units by row type, and those of signal rows by insert and update; the queue brings 25 at a time."""
    with aws() as cloud:
        pipeline = Pipeline(cloud)
        meter = MeteredCloud(cloud)
        for start in range(0, len(signals), 25):
            for signal in signals[start : start + 25]:
                pipeline.send(signal)
            pipeline.settle()
    return meter.units, meter.signals


def _shares(total: dict[str, int]) -> str:
    return ", ".join(f"{kind} {units / SIGNALS:.2f}" for kind, units in sorted(total.items(), key=lambda pair: -pair[1]))
