"""Watch what is due: runs that failed or died, cases that are not in the CRM yet, carts that rest, profiles, renewals. Reads the index `due`, never scans."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from caseline.abandonment import CartWatch
from caseline.cases.ledger import OPEN, case_of, owe
from caseline.cases.outbox import Outbox
from caseline.cases.waiting import DUE_SHARDS
from caseline.errors import CrmError, CrmRateLimitError, CrmUnavailableError, UnavailableError
from caseline.finds import Finder
from caseline.profiles import ProfileWriter
from caseline.runs import Runs, run_key
from caseline.signals import isoformat
from caseline.storms.incidents import Incidents
from caseline.table import ConditionFailed, Item, Table

BATCH = 100
LONGEST_WAIT = timedelta(hours=1)
SOON = timedelta(seconds=30)  # due again in the next round, a minute after this one
LOOKED = timedelta(minutes=15)  # until a case is looked at again whose run did not come to an end


@dataclass(frozen=True)
class Watcher:
    table: Table
    runs: Runs
    outbox: Outbox
    clock: Callable[[], datetime]
    carts: CartWatch | None = None
    profiles: ProfileWriter | None = None
    incidents: Incidents | None = None
    finder: Finder | None = None

    def watch(self) -> int:
        """Take up what is due, the urgent first, and judge again what is to be looked at; returns how many rows were."""
        due = [row for shard in DUE_SHARDS for row in self._read(shard)]
        for row in due:
            kind = row["PK"].partition("#")[0]
            {"RUN": self._restart, "CASE": self._push, "CART": self._look, "PROFILE": self._enrich, "STORMS": self._look_after}[kind](row)
        looks = self._read("look")
        for row in looks:
            (self._find if row["PK"].startswith("CUSTOMER#") else self._judge)(row)
        return len(due) + len(looks)

    def _read(self, shard: str) -> list[Item]:
        return list(islice(self.table.query(shard, index="due", before=isoformat(self.clock())), BATCH))

    def _judge(self, row: Item) -> None:
        """An open case whose facts may weigh otherwise by now: a run of its own says. Put off first, in case that run dies."""
        at = isoformat(self.clock() + LOOKED)
        case = self.table.update(row["PK"], row["SK"], "SET due_at = :at", at=at)
        self.runs.add(run_key(case["customer_id"], case["brand"], case["category"]), [case["case_key"]])

    def _find(self, row: Item) -> None:
        """Whether a customer is at risk before the renewal, or has become a key account; asked again later where something stands in the way."""
        try:
            if self.incidents:
                self.incidents.meet(row["PK"].partition("#")[2])
            if self.finder:
                self.finder.look(row)
        except (UnavailableError, ConditionFailed):
            self._postpone(row)

    def _restart(self, row: Item) -> None:
        """Start the run again; each try is later than the one before, up to an hour. What it has judged goes to the CRM by itself."""
        run = self._postpone(row)
        for case_key in sorted(run.get("owes", ())):
            if owe(self.table, case_key, isoformat(self.clock())):
                self._push(case_of(case_key))
        self.runs.restart(run)

    def _push(self, row: Item) -> None:
        """What is due goes out. While the CRM is down or wants to be left alone it is tried each minute: its guard sees to it that this costs no call. A
        saver that gave up may still be at work for a while."""
        case = self._postpone(row)
        is_judged = self._look_in_time(case)
        lease = datetime.fromtimestamp(case.get("lease_until", 0), UTC)
        if lease >= self.clock().replace(microsecond=0):
            self._come_back(row, lease + timedelta(seconds=1))
            return
        try:
            self.outbox.push(row["PK"].partition("#")[2], patient=is_judged)
        except (CrmUnavailableError, CrmRateLimitError):
            self._come_back(row, self.clock() + SOON)
        except CrmError:
            return

    def _look_in_time(self, case: Item) -> bool:
        """What waits for the CRM is judged at its time all the same: a deadline is missed whether the CRM answers or not."""
        now = self.clock()
        if case["status"] != OPEN or not case.get("look_at") or case["look_at"] > isoformat(now):
            return False
        self.table.update(case["PK"], case["SK"], "SET look_at = :at", at=isoformat(now + LOOKED))
        self.runs.add(run_key(case["customer_id"], case["brand"], case["category"]), [case["case_key"]])
        return True

    def _look(self, row: Item) -> None:
        """Whether the cart was abandoned; asked again later where the queue does not answer."""
        try:
            if self.carts:
                self.carts.look(row["PK"])
        except UnavailableError:
            self._postpone(row)

    def _look_after(self, row: Item) -> None:
        """Asked again later where something stands in the way, so that what is due behind it does not wait. The index holds keys alone."""
        try:
            storm = self.table.get(row["PK"], row["SK"])
            if self.incidents and storm:
                self.incidents.look(storm)
        except (UnavailableError, ConditionFailed):
            self._postpone(row)

    def _enrich(self, row: Item) -> None:
        self._postpone(row)
        try:
            if self.profiles:
                self.profiles.write(row)
        except CrmError:
            return

    def _come_back(self, row: Item, at: datetime) -> None:
        """Unless it was saved meanwhile."""
        with suppress(ConditionFailed):
            self.table.update(row["PK"], row["SK"], "SET due_at = :at REMOVE tries", "attribute_exists(due_at)", at=isoformat(at))

    def _postpone(self, row: Item) -> Item:
        tries = (self.table.get(row["PK"], row["SK"]) or {}).get("tries", 0) + 1
        wait = min(LONGEST_WAIT, timedelta(minutes=2**tries))
        return self.table.update(row["PK"], row["SK"], "SET tries = :tries, due_at = :at", tries=tries, at=isoformat(self.clock() + wait))
