"""What has been kept long enough goes: signals by the table's own clock, closed cases when they come up, customers by `departures`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from caseline.cases.ledger import CLOSED, KEPT, crm_case_key, load_case
from caseline.crm._builtin_rows import case_key_of
from caseline.policy import Policy
from caseline.signals import isoformat
from caseline.table import Table

AT_ONCE = 100


@dataclass(frozen=True)
class Retention:
    """`builtin`: whether the case stands in the built-in CRM, and goes there, too."""

    table: Table
    policy: Policy
    clock: Callable[[], datetime]
    builtin: bool

    def sweep(self) -> int:
        """Forget cases that were closed longer ago than the policy keeps them; how many."""
        before = isoformat(self.clock() - self.policy.retention.of_cases)
        rows = list(islice(self.table.query(KEPT, index="due", before=before, limit=AT_ONCE), AT_ONCE))
        return sum(self._forget(str(row["PK"]).partition("#")[2], before) for row in rows)

    def _forget(self, case_key: str, before: str) -> bool:
        """The case itself goes last: whoever dies before comes again."""
        case = load_case(self.table, case_key)
        if case is None or case["status"] != CLOSED or str(case.get("closed_at", "")) >= before:
            return False
        for row in list(self.table.query(f"CLAIMS#{case['customer_id']}")):
            if row.get("case_key") == case_key:
                self.table.delete(row["PK"], row["SK"])
        there = list(self.table.query(case_key_of(case_key)[0])) if self.builtin else []
        here = [row for row in self.table.query(f"CASE#{case_key}") if row["SK"] != "CASE"]
        for row in (*there, *here, crm_case_key(case["crm"]["name"], str(case["crm"].get("id") or "")), case):
            self.table.delete(row["PK"], row["SK"])
        return True
