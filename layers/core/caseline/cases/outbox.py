"""The outbox: the only writer of cases to the CRM. Push, then mark pushed if the version is still the same, else push again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.ledger import history_row, load_case
from caseline.crm import CaseRecord, Crm
from caseline.errors import CrmConflictError, CrmError, CrmNotFoundError
from caseline.priority.model import explain_lines, priority_from_json
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table

LEASE = timedelta(seconds=20)  # longer than a push takes; who is slower pushes for nothing, and the newest version once more
ROUNDS = 10


@dataclass(frozen=True)
class Outbox:
    table: Table
    crm: Crm
    clock: Callable[[], datetime]
    case_url: Callable[[str], str]

    def push(self, case_key: str) -> Item:
        """Until the CRM has the newest version; the row as it stands then. CrmConflictError while another worker pushes."""
        for _ in range(ROUNDS):
            case = load_case(self.table, case_key)
            if case is None:
                raise CrmNotFoundError("the ledger has no such case")
            if case["version"] <= case["pushed_version"]:
                return case
            self._push(self._lease(case))
        raise CrmConflictError("the case changes faster than it can be pushed")

    def _lease(self, case: Item) -> Item:
        """Only the holder of the newest fencing number may mark a push."""
        now = self.clock()
        try:
            return self.table.update(
                case["PK"], case["SK"], "SET lease_until = :until ADD fence :one", "attribute_not_exists(lease_until) OR lease_until < :now",
                until=int((now + LEASE).timestamp()), now=int(now.timestamp()), one=1,
            )
        except ConditionFailed as error:
            raise CrmConflictError("another worker is pushing this case") from error

    def _push(self, case: Item) -> None:
        try:
            saved = self.crm.save_case(self._record(case))
        except CrmError as error:
            self._mark_failed(case, error)
            raise
        crm = {"name": self.crm.name, "id": saved.crm_id, "number": saved.number, "url": saved.url, "sync": "synced"}
        self._mark(case, "SET pushed_version = :version, crm = :crm REMOVE lease_until, due_shard, due_at, push", version=case["version"], crm=crm)
        mark = f"sync{case['version']:06d}"
        self.table.put(history_row(case["case_key"], isoformat(self.clock()), "sync", f"{self.crm.name} {saved.number}", case["version"], mark=mark))

    def _mark_failed(self, case: Item, error: CrmError) -> None:
        """The case shows what went wrong; the class alone, because a CRM's message may quote the customer."""
        self._mark(case, "SET crm = :crm REMOVE lease_until", crm={**case["crm"], "sync": "failed", "error": type(error).__name__})

    def _mark(self, case: Item, expression: str, **values: Any) -> None:
        """A later version keeps the case due: its keys are removed only when nothing newer waits."""
        try:
            self.table.update(case["PK"], case["SK"], expression, "fence = :fence AND version = :same", fence=case["fence"], same=case["version"], **values)
        except ConditionFailed:
            self._mark_superseded(case, values)

    def _mark_superseded(self, case: Item, values: dict[str, Any]) -> None:
        try:
            self.table.update(
                case["PK"], case["SK"], "SET crm = :crm, pushed_version = :pushed REMOVE lease_until", "fence = :fence",
                fence=case["fence"], crm=values["crm"], pushed=values.get("version", case["pushed_version"]),
            )
        except ConditionFailed:
            self._push_again(case)

    def _push_again(self, case: Item) -> None:
        """The lease ran out while the CRM was slow: our older version may have landed on a newer one, so that one goes out again."""
        self.table.update(case["PK"], case["SK"], "SET pushed_version = :none", none=0)

    def _record(self, case: Item) -> CaseRecord:
        priority = priority_from_json(case["priority"], case["queue"])
        return CaseRecord(
            case_key=case["case_key"], version=case["version"], subject=case["subject"], headline=case["headline"], reasons=explain_lines(priority),
            score=priority.score, band=priority.band, status=case["status"], category=case["category"], queue=case["queue"], brand=case["brand"],
            url=self.case_url(case["case_key"]), account_id=case.get("account_id", ""), contact_id=case.get("contact_id", ""), opened_at=case["opened_at"],
            signal_count=case["signal_count"], channels=case["channels"],
        )
