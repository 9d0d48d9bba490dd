"""Runs of the state machine: at most one at a time for a customer, brand and category; what arrives meanwhile waits for the next.

A run's row keeps the set of waiting signals. Its executions are numbered and named after the row and the number, so starting one twice is starting it once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.errors import UnavailableError
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table

LEASE = timedelta(minutes=30)
RETRY_AFTER = timedelta(minutes=2)
AT_ONCE = 500  # signals that one run takes; a step has half a minute, and the next run takes the others


@dataclass(frozen=True)
class Run:
    """One numbered execution for a run's row, as it travels through the state machine's input."""

    key: str
    number: int

    @property
    def name(self) -> str:
        return f"{hashlib.sha256(self.key.encode()).hexdigest()[:40]}-{self.number}"

    @property
    def customer_id(self) -> str:
        return self.key.split("#", 3)[1]

    @property
    def brand(self) -> str:
        return self.key.split("#", 3)[2]

    @property
    def category(self) -> str:
        return self.key.split("#", 3)[3]

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "number": self.number}


def read_run(state: Mapping[str, Any]) -> Run:
    """The run in a state machine's state."""
    return Run(state["run"]["key"], int(state["run"]["number"]))


@dataclass(frozen=True)
class Taken:
    """The signals that wait, the case the run's step wrote before it died, if it did, and what was judged and may not be in the CRM yet."""

    waiting: set[str]
    case_key: str
    owes: set[str]


def run_key(customer_id: str, brand: str, category: str) -> str:
    return f"RUN#{customer_id}#{brand}#{category}"


@dataclass(frozen=True)
class Runs:
    """`start(name, input)` starts an execution; one of that name that exists already is success."""

    table: Table
    start: Callable[[str, str], None]
    clock: Callable[[], datetime]

    def add(self, run_of: str, signal_ids: Iterable[str]) -> None:
        """Let the signals wait, and start a run unless one is under way."""
        now = self.clock()
        row = self.table.update(
            run_of, "RUN", "SET due_shard = :due, due_at = :at, #t = :type ADD waiting :ids", names={"#t": "type"},
            due="due", at=isoformat(now + RETRY_AFTER), type="run", ids=set(signal_ids),
        )
        self.start_next(row)

    def start_next(self, row: Item) -> None:
        if row.get("waiting") and not self._is_under_way(row):
            run = Run(row["PK"], _last_number(row) + 1)
            self.start(run.name, json.dumps({"run": run.to_json()}))

    def restart(self, row: Item) -> None:
        """Start what stands still, under a number that is new for certain.

        An execution that ended before it took the run has used up the next number: its name stays taken for 90 days, and starting it would be no start.
        """
        if row.get("waiting") and not self._is_under_way(row):
            passed = _last_number(row) + 1
            self.start_next(self.table.update(row["PK"], "RUN", "SET number = :passed", passed=passed))
        elif not row.get("waiting"):
            self._rest(row)

    def take(self, run: Run) -> Taken:
        """What the run has to do, with the lease taken; UnavailableError while another run has it."""
        now = self.clock()
        try:
            row = self.table.update(
                run.key, "RUN", "SET executing = :number, until = :until REMOVE failure",
                "attribute_not_exists(executing) OR executing = :number OR until < :now OR attribute_exists(failure)",
                number=run.number, until=int((now + LEASE).timestamp()), now=int(now.timestamp()),
            )
        except ConditionFailed as error:
            raise UnavailableError("another run has the lease") from error
        case_key = row.get("case_key", "") if row.get("case_of") == run.number else ""
        return Taken(set(sorted(row.get("waiting", ()))[:AT_ONCE]), case_key, set(row.get("owes", ())))

    def handled(self, run: Run, signal_ids: Iterable[str], case_keys: Sequence[str]) -> None:
        """These stand in the ledger now and wait no longer. The row remembers the first case, for a step that dies after this line and runs again,
        and owes all of them to the CRM until the run ends."""
        if ids := set(signal_ids):
            values: dict[str, Any] = {"case_key": next(iter(case_keys), ""), "number": run.number, "ids": ids}
            values |= {"owes": set(case_keys)} if case_keys else {}
            expression = "SET case_key = :case_key, case_of = :number DELETE waiting :ids" + (" ADD owes :owes" if case_keys else "")
            self.table.update(run.key, "RUN", expression, **values)

    def finish(self, run: Run) -> None:
        """Give the lease back and start the next run if more has come. Safe to repeat."""
        if self._end(run):
            return
        row = self._release(run)
        if row.get("waiting"):
            self.start_next(row)
        else:
            self._rest(row)

    def _end(self, run: Run) -> bool:
        """Where nothing has come meanwhile, one write gives the lease back and takes the row off the list of what is due."""
        try:
            self.table.update(
                run.key, "RUN", "SET number = :number REMOVE executing, until, failure, owes, due_shard, due_at, tries",
                "executing = :number AND attribute_not_exists(waiting)", number=run.number,
            )  # fmt: skip
        except ConditionFailed:
            return False
        return True

    def _release(self, run: Run) -> Item:
        try:
            return self.table.update(run.key, "RUN", "SET number = :number REMOVE executing, until, failure, owes", "executing = :number", number=run.number)
        except ConditionFailed:
            return self.table.get(run.key, "RUN") or {}

    def _rest(self, row: Item) -> None:
        """Off the list of what is due, unless something came in between."""
        try:
            self.table.update(row["PK"], "RUN", "REMOVE due_shard, due_at, tries", "attribute_not_exists(waiting)")
        except (ConditionFailed, KeyError):
            return

    def _is_under_way(self, row: Item) -> bool:
        return "executing" in row and "failure" not in row and row.get("until", 0) >= int(self.clock().timestamp())


def _last_number(row: Item) -> int:
    return max(int(row.get("number", 0)), int(row.get("executing", 0)))
