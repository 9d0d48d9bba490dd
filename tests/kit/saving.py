"""Saving cases as Caseline does: through the outbox, under its claim, in a process that may die at any call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.outbox import Outbox
from caseline.crm import Crm, open_crm
from caseline.priority import Line, Priority
from caseline.signals import isoformat
from caseline.table import Item, Table

from tests.kit.aws import aws
from tests.kit.crms import NOW, World
from tests.kit.pipeline import Killed
from tests.kit.simulated import in_process


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Deaths:
    """The process dies at its `at`-th call, before or, if `late`, after the other side did the work. `before` and `after` go around each call."""

    at: int = 0
    late: bool = False
    error: type[BaseException] = Killed
    calls: int = 0

    def before(self, call: Any = "") -> None:
        self.calls += 1
        self._die(not self.late)

    def after(self, call: Any = "") -> None:
        self._die(self.late)

    def _die(self, now: bool) -> None:
        if now and self.calls == self.at:
            raise self.error


@dataclass
class MortalClient:
    """A DynamoDB client each of whose calls may be the last of the process."""

    inner: Any
    deaths: Deaths

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        return self._mortal(value) if callable(value) else value

    def _mortal(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            self.deaths.before()
            answer = call(*args, **kwargs)
            self.deaths.after()
            return answer

        return made


def quick(world: World, deaths: Deaths | None = None, table: Table | None = None, **settings: Any) -> Any:
    """An adapter that reaches its CRM without a socket, and may die at any call; the built-in one is reached through the table."""
    if world.wire is None:
        return open_crm("builtin").create(table=table, clock=Clock()) if table else world.adapter()
    return world.adapter(session=in_process(world.simulator, deaths.before, deaths.after) if deaths else in_process(world.simulator), **settings)


@contextmanager
def table_for(world: World) -> Iterator[Table]:
    """Caseline's table; where the CRM itself stands in one, that one."""
    own = getattr(world, "table", None)
    if own is not None:
        yield own
        return
    with aws() as cloud:
        yield Table(cloud.client("dynamodb"), cloud.table, sleep=lambda _: None)


def outbox_of(table: Table, crm: Crm, clock: Callable[[], datetime]) -> Outbox:
    return Outbox(table, crm, clock, lambda case_key: f"https://desk.example/cases/{case_key}", takes_notes=True)


def case_row(case_key: str, now: datetime = NOW, version: int = 1, score: int = 80, crm: str = "", **more: Any) -> Item:
    """A case as the ledger keeps it, to be pushed."""
    at = isoformat(now)
    line = Line("value", score, 100, "strategic", "Account.tier", at, f"{score} strategic account")
    return {
        "PK": f"CASE#{case_key}", "SK": "CASE", "type": "case", "schema": 1, "case_key": case_key, "customer_id": "cu-1", "brand": "acme",
        "category": "delivery", "status": "open", "opened_at": at, "updated_at": at, "version": version, "pushed_version": 0, "identity": "x:1",
        "at": f"{at}#{case_key}", "priority": Priority(score, "P1", (line,), "p").to_json(), "queue": "senior-care", "headline": f"{score} P1: strategic",
        "subject": "Delivery: Globex on x", "crm": {"name": crm, "sync": "pending"}, "signal_ids": [], "signal_count": 0, "channels": ["x"],
        "account_id": "", "contact_id": "", "due_shard": "due", "due_at": at, "list_name": "CASES#open", "list_rank": f"{score:03d}#{at}#{case_key}", **more,
    }  # fmt: skip
