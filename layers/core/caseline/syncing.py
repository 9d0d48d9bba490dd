"""What happened in the CRM, brought here: by its webhooks, and by polling for what they missed.

The row `CURSOR#crm/<name>` holds the cursor and a lease with a fencing number; only its holder moves the cursor, after the changes were applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.cases.inbound import Inbound
from caseline.crm import Change, Crm
from caseline.crm_messages import read_message
from caseline.errors import CrmError
from caseline.metrics import emit
from caseline.table import ConditionFailed, InvalidError, Item, Table

LEASE_SECONDS = 120
PAGES = 20  # of one poll; the next goes on
SLACK = 5  # seconds by which a schedule may be early


@dataclass(frozen=True)
class CrmSync:
    table: Table
    crm: Crm
    inbound: Inbound
    clock: Callable[[], datetime]
    stack: str = ""

    def poll(self) -> int:
        """Read what is new; returns how many changes there were. A CRM that does not answer is asked again at the next poll."""
        row = self._lease()
        if row is None:
            return 0
        try:
            return self._read_pages(row)
        except CrmError as error:
            emit({"CrmPollFailed": 1}, f"crm/{self.crm.name}", self.clock(), self.stack, reason=type(error).__name__)
            return 0
        finally:
            self._update("SET lease_until = :none, polled_at = :now", "fence = :fence", none=0, now=int(self.clock().timestamp()), fence=row["fence"])

    def take(self, body: str) -> None:
        """A message of changes that came by a webhook. One that says no more than that something changed is read by a poll."""
        changes, poll = read_message(body)
        for change, dated in changes:
            self._apply(change, dated)
        if poll or any(not change.fields for change, _ in changes):
            self.poll()

    def poll_if_due(self, minutes: float) -> int:
        """On a schedule of a minute, which may be more often than the CRM is to be asked."""
        row = self.table.get(f"CURSOR#crm/{self.crm.name}", "CURSOR") or {}
        return self.poll() if minutes and self.clock().timestamp() >= row.get("polled_at", 0) + minutes * 60 - SLACK else 0

    def _read_pages(self, row: Item) -> int:
        cursor, count = str(row.get("cursor", "")), 0
        for _ in range(PAGES):
            changes, following = self.crm.read_changes(cursor)
            for change in changes:
                self._apply(change)
            count += len(changes)
            if following != cursor and not self._move(row["fence"], following):
                break
            if not changes:
                break
            cursor = following
        return count

    def _apply(self, change: Change, dated: bool = True) -> None:
        """One that our table will never take holds up none of those behind it."""
        try:
            self.inbound.apply(change, dated)
        except InvalidError:
            emit({"CrmChangeRefused": 1}, f"crm/{self.crm.name}", self.clock(), self.stack, kind=change.kind)

    def _lease(self) -> Item | None:
        now = int(self.clock().timestamp())
        return self._update(
            "SET lease_until = :until ADD fence :one", "attribute_not_exists(lease_until) OR lease_until < :now", until=now + LEASE_SECONDS, now=now, one=1
        )

    def _move(self, fence: int, cursor: str) -> bool:
        until = int(self.clock().timestamp()) + LEASE_SECONDS
        return self._update("SET cursor = :cursor, lease_until = :until", "fence = :fence", cursor=cursor, until=until, fence=fence) is not None

    def _update(self, expression: str, condition: str, **values: Any) -> Item | None:
        try:
            return self.table.update(f"CURSOR#crm/{self.crm.name}", "CURSOR", expression, condition, **values)
        except ConditionFailed:
            return None
