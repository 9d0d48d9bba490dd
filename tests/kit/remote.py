"""The way through with a CRM over the network, as it is wired: guarded, at its pace, and telling of changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.changes import work_case
from caseline.cases.inbound import Inbound
from caseline.cases.lookup import AccountLookUp
from caseline.cases.newcomers import Newcomers
from caseline.cases.outbox import Outbox
from caseline.crm import Account, CaseRecord, Change, NewContact, Profile, SavedCase, StandingCase, Usage
from caseline.crm._guard import GuardedCrm
from caseline.crm._pace import Pace
from caseline.profiles import ProfileWriter
from caseline.syncing import CrmSync
from caseline.watching import Watcher

from tests.kit.pipeline import FakeCrm, Mortal, Pipeline, _case_url, a_signal

NORTH = Account("a-c-1", "Northern Tools", "c-1", "Ann")


@dataclass
class OtherCrm(FakeCrm):
    """A CRM with people in it: `changes` are what they did, `standing` what its own list says, `profiles` and `newcomers` what it was given."""

    name: str = "other"
    native_upsert: bool = True
    records: list[CaseRecord] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    standing: list[StandingCase] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    newcomers: list[NewContact] = field(default_factory=list)
    usage: Usage | None = None
    status: str = ""
    asked: int = 0

    def find_account(self, identities: Any) -> Any:
        self.asked += 1
        return super().find_account(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        self.records.append(record)
        return replace(super().save_case(record), status=self.status)

    def write_profile(self, profile: Profile) -> None:
        self._maybe(self.fail)
        self.profiles.append(profile)

    def erase_profile(self, contact_id: str, account_id: str, names: Any) -> tuple[str, ...]:
        self._maybe(self.fail)
        self.profiles = [profile for profile in self.profiles if profile.contact_id != contact_id]
        return ("its history stands",)

    def create_contact(self, contact: NewContact) -> Account:
        if contact not in self.newcomers:
            self.newcomers.append(contact)
        self._maybe(self.lose)
        return NORTH

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        self._maybe(self.fail)
        at = int(cursor or 0)
        return self.changes[at : at + 2], str(min(len(self.changes), at + 2))

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        at = int(cursor or 0)
        return self.standing[at : at + 1], str(at + 1) if at + 1 < len(self.standing) else ""


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

    def poll_dying(self, call: int, after: bool) -> bool:
        """Poll until it is done, though a worker dies at that call, and once more later. Whether there were fewer calls, so that nobody died."""
        self.kill_at(call, after)
        self._until_done(lambda: self.sync().poll())
        over, self.grim.at = self.grim.at is not None, None
        self.go_on(minutes=5)
        self.sync().poll()
        self.settle()
        return over

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)

    def live(self, until: datetime) -> None:
        """Minute by minute, as the schedule has it."""
        while self.now < until:
            self.go_on(minutes=1)
            self.watch()
            self.settle()


class Coalescing(Remote):
    pace = Pace(coalesce_minutes=30)


def speak(remote: Remote, number: int, **more: Any) -> None:
    remote.send(a_signal(f"p-{number}", occurred_at=remote.now, **more))
    remote.settle()


def the_case(remote: Coalescing) -> dict[str, Any]:
    (case,) = remote.cases()
    return case


def work(remote: Coalescing, **wanted: Any) -> None:
    work_case(remote.table, the_case(remote)["case_key"], wanted, "Mo", remote.now)


def hear(remote: Coalescing, at: datetime | None = None, kind: str = "case", dated: bool = True, **fields: Any) -> bool:
    case = the_case(remote)
    return remote.inbound().apply(Change(kind, case["crm"]["id"], at or remote.now, case["case_key"], fields, "Zoe"), dated)


def push(remote: Coalescing) -> None:
    remote.outbox().push(the_case(remote)["case_key"])
