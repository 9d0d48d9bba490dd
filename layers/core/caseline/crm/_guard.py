"""A CRM's limits, kept by all workers together: how long it wants to be left alone, whether it is down, what is left of its quota.

The row `CRM#<name> / LIMITS` holds `until` (epoch seconds, after a 429), `failures` (in a row), `probe_at` (when the breaker lets one call through again)
with `since` (the first of these failures) and `why` (the class of the last), and the usage as the CRM told it last. It is read before a call and written
only when something went wrong, got well, or the usage moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from caseline.crm import Account, CaseRecord, Change, Crm, Finding, Match, NewContact, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._schema import SchemaField
from caseline.errors import CrmAuthError, CrmError, CrmForbiddenError, CrmRateLimitError, CrmUnavailableError
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table

T = TypeVar("T")
OPENS_AT = 5  # failures in a row
PROBE_SECONDS = 30
RESERVE = 0.1  # of the quota, for what cannot wait
USAGE_STEP = 0.02  # a smaller move of the usage is not written
LONG_WINDOW = 3_600  # seconds; the first usage of such a window is written, for people to see
UP, LIMITED, DOWN = "up", "limited", "down"
URGENT_BAND = "P1"


@dataclass(frozen=True)
class Limits:
    """Where the CRM stands: `state` is up, limited (until `until`) or down; `remaining` of `allowed` calls are left."""

    state: str
    until: float = 0
    failures: int = 0
    remaining: int | None = None
    allowed: int | None = None
    since: str = ""
    why: str = ""

    @property
    def is_scarce(self) -> bool:
        return self.remaining is not None and bool(self.allowed) and self.remaining < RESERVE * (self.allowed or 0)


def read_limits(table: Table, name: str, now: datetime) -> Limits:
    row = table.get(f"CRM#{name}", "LIMITS", consistent=False) or {}
    until, failures = float(row.get("until", 0)), int(row.get("failures", 0))
    state = DOWN if failures >= OPENS_AT else LIMITED if until > now.timestamp() else UP
    return Limits(state, until, failures, *_usage(row, now), since=row.get("since", "") if state == DOWN else "", why=row.get("why", ""))


def _usage(row: Item, now: datetime) -> tuple[int | None, int | None]:
    """Forgotten when its window is over: the quota is whole again."""
    if row.get("usage_until", 0) < now.timestamp():
        return None, None
    return row["remaining"], row["allowed"]


class GuardedCrm:
    """The CRM, asked only when it may be. Errors are those that its own answer would have been."""

    remote = True

    def __init__(self, crm: Crm, table: Table, clock: Callable[[], datetime]) -> None:
        self._crm, self._table, self._clock = crm, table, clock
        self.name, self.native_upsert = crm.name, crm.native_upsert

    @property
    def usage(self) -> Usage | None:
        return self._crm.usage

    def find_account(self, identities: Sequence[str]) -> Match:
        return self._attempt(lambda: self._crm.find_account(identities))

    def save_case(self, record: CaseRecord) -> SavedCase:
        return self._attempt(lambda: self._crm.save_case(record), spare=record.band != URGENT_BAND)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._attempt(lambda: self._crm.add_note(crm_id, note_id, text), spare=True)

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        return self._attempt(lambda: self._crm.erase_notes(crm_id, subject), spare=True)

    def write_profile(self, profile: Profile) -> None:
        self._attempt(lambda: self._crm.write_profile(profile), spare=True)

    def erase_profile(self, contact_id: str, account_id: str, names: Sequence[str]) -> Sequence[str]:
        return self._attempt(lambda: self._crm.erase_profile(contact_id, account_id, names), spare=True)

    def create_contact(self, contact: NewContact) -> Account:
        return self._attempt(lambda: self._crm.create_contact(contact), spare=not contact.urgent)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        return self._attempt(lambda: self._crm.read_changes(cursor), spare=True)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._attempt(lambda: self._crm.list_cases(cursor), spare=True)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._crm.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._crm.plan(schema)

    def apply(self, step: Step) -> None:
        self._crm.apply(step)

    def _attempt(self, call: Callable[[], T], spare: bool = False) -> T:
        """`spare`: not at the expense of the quota that is kept back."""
        limits = read_limits(self._table, self.name, self._clock())
        self._refuse(limits, spare)
        try:
            answer = call()
        except CrmError as error:
            plain = _plain(error)
            self._learn(limits, error, type(plain).__name__)
            raise plain from (None if plain is error else error)
        self._is_well(limits)
        self._note_usage(limits)
        return answer

    def _learn(self, limits: Limits, error: CrmError, why: str) -> None:
        """Who refuses one record, or one right, is up and has let us in."""
        if isinstance(error, CrmRateLimitError) or (isinstance(error, CrmUnavailableError) and error.retry_after):
            with suppress(ConditionFailed):  # another worker was told to wait longer
                until = int(self._clock().timestamp() + error.retry_after) + 1
                self._set("SET until = :until", "attribute_not_exists(until) OR until < :until", until=until)
        if isinstance(error, CrmUnavailableError | CrmAuthError) and not isinstance(error, CrmForbiddenError):
            self._count_failure(why)
        elif not isinstance(error, CrmRateLimitError):
            self._is_well(limits)

    def _is_well(self, limits: Limits) -> None:
        if limits.failures:
            self._set("SET failures = :none REMOVE probe_at, since, why", none=0)

    def _refuse(self, limits: Limits, spare: bool) -> None:
        now = self._clock().timestamp()
        if limits.until > now:
            raise CrmRateLimitError(f"{self.name} wants to be left alone", limits.until - now)
        if limits.state == DOWN and not self._may_probe(now):
            raise CrmUnavailableError(f"{self.name} is down; it is tried every {PROBE_SECONDS} s", asked=False)
        if spare and limits.is_scarce:
            raise CrmRateLimitError(f"what is left of the quota of {self.name} is kept for P1 cases", 300.0)

    def _may_probe(self, now: float) -> bool:
        """One worker at a time, once in a while."""
        try:
            self._set("SET probe_at = :next", "probe_at <= :now", next=int(now) + PROBE_SECONDS, now=int(now))
        except ConditionFailed:
            return False
        return True

    def _count_failure(self, why: str) -> None:
        """In one write that asks nothing: of workers that fail together none knows that it is the one that opens the breaker."""
        now = self._clock()
        expression = "SET why = :why, failures = if_not_exists(failures, :none) + :one, probe_at = :probe, since = if_not_exists(since, :since)"
        self._set(expression, none=0, one=1, why=why, probe=int(now.timestamp()) + PROBE_SECONDS, since=isoformat(now))

    def _note_usage(self, limits: Limits) -> None:
        usage = self._crm.usage
        if usage is None or not usage.allowed:
            return
        known = limits.remaining if limits.remaining is not None else usage.allowed
        is_news = limits.remaining is None and usage.window >= LONG_WINDOW
        if is_news or abs(known - usage.remaining) > USAGE_STEP * usage.allowed:
            until = int(self._clock().timestamp() + usage.window)
            self._set("SET remaining = :left, allowed = :allowed, usage_until = :until", left=usage.remaining, allowed=usage.allowed, until=until)

    def _set(self, expression: str, condition: str | None = None, **values: Any) -> None:
        self._table.update(f"CRM#{self.name}", "LIMITS", expression, condition, **values)


def _plain(error: CrmError) -> CrmError:
    """An adapter's own kind of error as what it is a kind of: the state machine knows errors by the names of their classes, and no others."""
    kind = next(kind for kind in type(error).__mro__ if kind in CrmError.__subclasses__())
    if kind is type(error):
        return error
    plain: CrmError = kind.__new__(kind, *error.args)
    plain.__dict__.update(vars(error))
    return plain
