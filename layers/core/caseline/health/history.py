"""A customer's history as far as it is looked at: the newest rows of the timeline, the cases, the account. The same for any order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from caseline.cases.answering import replies_to
from caseline.cases.ledger import load_cases, load_claims
from caseline.crm import Account
from caseline.newest import newest_rows, with_cases
from caseline.priority.scene import find_fact
from caseline.reports.rows import feeling_of, is_contact, is_heard, moment_of, ratings_of
from caseline.signals import Rating, isoformat, parse_time
from caseline.table import Item, Table
from caseline.turns import asks_of

RECENT = 200  # rows: the same reads for a customer of ten signals and of a hundred thousand
DAYS = 90  # what is older says nothing of how things stand


@dataclass(frozen=True)
class History:
    """`rows` in any order; `cases` are those of the rows and those that are open."""

    rows: Sequence[Item]
    cases: Sequence[Item]
    account: Account | None
    now: datetime
    status_since: Mapping[str, str] | None = None

    def until(self, moment: datetime) -> History:
        """As it stood then."""
        end = isoformat(moment)
        return replace(self, rows=[row for row in self.rows if moment_of(row) <= end], cases=[case for case in self.cases if _first(case) <= end], now=moment)

    @property
    def since(self) -> str:
        return self.ago(DAYS)

    def ago(self, days: float) -> str:
        return isoformat(self.now - timedelta(days=days))

    def days_since(self, moment: str) -> int:
        return max(0, (self.now - parse_time(moment)).days)

    @cached_property
    def heard(self) -> list[Item]:
        """What the customer said, the oldest first."""
        return sorted((row for row in self.rows if is_heard(row)), key=lambda row: str(row["at"]))

    @cached_property
    def contacts(self) -> list[Item]:
        return [row for row in self.heard if is_contact(row)]

    @cached_property
    def asks(self) -> dict[str, list[Item]]:
        """The contacts of each case, by its key; under "" those whose case is not in sight."""
        found: dict[str, list[Item]] = {}
        for row in self.contacts:
            found.setdefault(self._key_of(row), []).append(row)
        return found

    @cached_property
    def replies(self) -> dict[str, list[str]]:
        """When the asks of each case were answered, the first first."""
        homes = {key: self._key_of({"case_key": key}) for key in self._cases}
        return {key: replies_to(asks, self._said, {other for other, home in homes.items() if home != key}) for key, asks in self.asks.items()}

    @cached_property
    def _said(self) -> list[Item]:
        """By either side, on the platforms and in the CRM."""
        return [row for row in self.rows if row["type"] in ("signal", "note")]

    @cached_property
    def feelings(self) -> list[tuple[Item, float]]:
        """What analysis could score."""
        return [(row, feeling) for row in self.heard if (feeling := feeling_of(row)) is not None]

    @cached_property
    def ratings(self) -> list[tuple[Item, Rating]]:
        return [(row, rating) for row in self.heard for rating in ratings_of(row)]

    @cached_property
    def unresolved(self) -> list[Item]:
        """Cases that were open, the oldest first."""
        return sorted((case for case in self.cases if not self._is_closed(case)), key=self.began)

    def began(self, case: Item) -> str:
        """With the first of its signals that still stands, as far as all of them are in sight."""
        asks = [str(row["occurred_at"]) for row in self.asks.get(str(case["case_key"]), ())]
        return min(asks) if asks and len(self.rows) < RECENT else _first(case)

    def _is_closed(self, case: Item) -> bool:
        return str(case.get("closed_at") or "~") <= isoformat(self.now)

    @cached_property
    def _cases(self) -> dict[str, Item]:
        return {str(case["case_key"]): case for case in self.cases}

    def case_of(self, row: Mapping[str, Any]) -> Item | None:
        """The case that a signal is in by now, after cases were joined; None for one that is not in sight."""
        case = self._cases.get(str(row.get("case_key")))
        for _ in self.cases:
            case = self._cases.get(str(case["joined"]), case) if case and case.get("joined") else case
        return case

    def _key_of(self, row: Mapping[str, Any]) -> str:
        case = self.case_of(row)
        return str(case["case_key"]) if case else ""

    @cached_property
    def unanswered(self) -> list[Item]:
        """The last ask of each thread that nobody has answered since, and whose case is not closed; the oldest first."""
        last = {(row["channel"], row["source"], row.get("thread_id") or row["native_id"]): row for row in self.contacts}
        waiting = (row for row in last.values() if not self._is_answered(row) and not ((case := self.case_of(row)) and self._is_closed(case)))
        return sorted(waiting, key=lambda row: str(row["at"]))

    def _is_answered(self, ask: Item) -> bool:
        """By a reply that came later, to it or to another ask of its case."""
        return any(moment >= asks_of(ask)[-1] for moment in self.replies[self._key_of(ask)])

    def fact(self, name: str) -> Any:
        found = find_fact(self.account, name)
        return found.value if found else None

    @property
    def renewal_date(self) -> date | None:
        try:
            return datetime.fromisoformat(str(self.fact("renewal_date")).strip()).date()
        except ValueError:
            return None

    @property
    def renewal_days(self) -> int | None:
        return (self.renewal_date - self.now.date()).days if self.renewal_date else None


def _first(case: Mapping[str, Any]) -> str:
    """The time of its first signal, whenever that came to be known."""
    return str(case.get("first_signal_at") or case["opened_at"])


def read_history(table: Table, customer: Item, now: datetime) -> History:
    rows = with_cases(table, list(islice(newest_rows(table, customer, RECENT), RECENT)))
    claims = load_claims(table, customer["customer_id"])
    return history_of(customer, rows, load_cases(table, [claim["case_key"] for claim in claims]).values() if claims else (), now)


def history_of(customer: Mapping[str, Any], rows: Sequence[Item], open_cases: Iterable[Item], now: datetime) -> History:
    cases = {row["case_key"]: row for row in (*(row for row in rows if row["type"] == "case"), *open_cases)}
    account = None if customer.get("candidates") or not customer.get("account") else Account.from_json(customer["account"])
    seen = [row for row in rows if row["type"] in ("signal", "note")]
    return History(seen, [cases[name] for name in sorted(cases)], account, now, customer.get("status_since"))


def decayed_mean(pairs: Iterable[tuple[Item, float]], now: datetime, half_life: timedelta) -> float | None:
    """What was said last counts most; None where nothing was."""
    weighed = [(0.5 ** (max(0.0, (now - parse_time(row["occurred_at"])).total_seconds()) / half_life.total_seconds()), value) for row, value in pairs]
    total = sum(weight for weight, _ in weighed)
    return sum(weight * value for weight, value in weighed) / total if total else None
