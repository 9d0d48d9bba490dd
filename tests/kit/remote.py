"""The way through with a CRM over the network, as it is wired: guarded, at its pace, and telling of changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from caseline.cases.inbound import Inbound
from caseline.cases.lookup import AccountLookUp
from caseline.cases.newcomers import Newcomers
from caseline.cases.outbox import Outbox
from caseline.crm import Change
from caseline.crm._guard import GuardedCrm
from caseline.crm._pace import Pace
from caseline.profiles import ProfileWriter
from caseline.syncing import CrmSync
from caseline.watching import Watcher

from tests.kit.pipeline import Mortal, Pipeline, _case_url


class Remote(Pipeline):
    pace = Pace()

    def guarded(self) -> GuardedCrm:
        return GuardedCrm(Mortal(self.crm, self.grim), self.table, self.clock)

    def outbox(self) -> Outbox:
        newcomers = Newcomers(self.table, self.guarded(), self.policy, self.clock)
        return Outbox(self.table, self.guarded(), self.clock, _case_url, self.pace.patience, True, newcomers)

    def look_up(self, state: dict[str, Any]) -> dict[str, Any]:
        return AccountLookUp(self.table, self.guarded(), self.runs(), self.clock, self.pace.fresh, listens=True).look_up(state)

    def watch(self) -> int:
        profiles = ProfileWriter(self.table, self.guarded(), self.policy, self.clock)
        return Watcher(self.table, self.runs(), self.outbox(), self.clock, None, profiles).watch()

    def inbound(self) -> Inbound:
        return Inbound(self.table, self.crm.name, [""], self.clock)

    def sync(self) -> CrmSync:
        return CrmSync(self.table, self.guarded(), self.inbound(), self.clock)

    def tell(self, kind: str, **fields: Any) -> bool:
        """A change of that kind to the one case."""
        (case,) = self.cases()
        return self.inbound().apply(Change(kind, f"id-{case['case_key']}", self.now, case["case_key"], fields, "Mo"))

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)

    def live(self, until: datetime) -> None:
        """Minute by minute, as the schedule has it."""
        while self.now < until:
            self.go_on(minutes=1)
            self.watch()
            self.settle()
