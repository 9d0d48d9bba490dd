"""Facts read page by page: answers to surveys by month, then cases with the asks and replies of their customers. Nothing is scanned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from caseline.cases.answering import replies_to
from caseline.cases.ledger import CLOSED, OPEN, load_cases
from caseline.customers import customer_id_of, identity_key, load_customers
from caseline.policy import Policy
from caseline.reports.rows import first_of_turns, is_contact, ratings_of, wave_of
from caseline.reports.waits import clock_facts
from caseline.signals import isoformat, parse_time
from caseline.table import Item, Table
from caseline.timeline import score_list

Facts = list[dict[str, Any]]
PAGE = 100  # rows of a list, or cases
_PARALLEL = 8


@dataclass(frozen=True)
class Window:
    """Half-open: `since` counts, `until` does not. Of no brand in particular where `brands` are all there are."""

    since: datetime
    until: datetime
    brands: Sequence[str]

    @property
    def before(self) -> datetime:
        """Where the equal window before it begins."""
        return self.since - (self.until - self.since)

    @property
    def lists(self) -> list[str]:
        months = list(_months(self.before, self.until))
        return [*(score_list(brand, month) for brand in sorted(self.brands) for month in months), f"CASES#{OPEN}", f"CASES#{CLOSED}"]


@dataclass(frozen=True)
class Reader:
    """`scope_of(brand)` is the identity scope."""

    table: Table
    policy: Policy
    scope_of: Callable[[str], str]
    now: datetime

    def read(self, window: Window, after: str = "") -> tuple[Facts, str]:
        """A page of facts, and where the next one begins; "" after the last. The same fact may be on several pages, under the same id."""
        lists = window.lists
        name, _, rank = after.partition("|")
        name = name or lists[0]
        rows = list(self.table.list_rows(name, before=rank or None, limit=PAGE))
        facts = self._of_cases(rows, window) if name.startswith("CASES#") else self._of_scores(rows, window)
        if len(rows) >= PAGE:
            return facts, f"{name}|{rows[-1]['list_rank']}"
        following = lists[lists.index(name) + 1 :]
        return facts, f"{following[0]}|" if following else ""

    # ---- answers to surveys

    def _of_scores(self, rows: Sequence[Item], window: Window) -> Facts:
        inside = [row for row in rows if isoformat(window.before) <= row["occurred_at"] < isoformat(window.until)]
        nodes = {row["signal_id"]: customer_id_of(row["identities"][0], self.scope_of(row["brand"])) for row in inside if row.get("identities")}
        people = load_customers(self.table, nodes.values()) if nodes else {}
        return [fact for row in inside for fact in self._ratings(row, people.get(nodes.get(row["signal_id"], "")))]

    def _ratings(self, row: Item, customer: Item | None) -> Iterator[dict[str, Any]]:
        """Whoever is not known is a person of their own."""
        if customer and self._is_excluded(customer):
            return
        for rating in ratings_of(row):
            yield {
                "kind": "rating", "id": f"{row['signal_id']}#{rating.metric}", "at": row["occurred_at"], "brand": row["brand"], "metric": rating.metric,
                "value": rating.value, "low": rating.low, "high": rating.high, "wave": wave_of(row), "signal_id": row["signal_id"],
                "person": customer["customer_id"] if customer else row["signal_id"],
            }  # fmt: skip

    # ---- cases

    def _of_cases(self, rows: Sequence[Item], window: Window) -> Facts:
        """Those that were open at some time of the window; each customer's timeline is read once."""
        wanted = [row for row in rows if row["brand"] in window.brands and str(row.get("closed_at") or "~") >= isoformat(window.since)]
        roots = load_customers(self.table, {row["customer_id"] for row in wanted}) if wanted else {}
        customers = {root["customer_id"]: root for root in roots.values() if not root.get("kind") and not self._is_excluded(root)}
        cases: dict[str, list[Item]] = {customer_id: [] for customer_id in customers}
        for row in wanted:
            if row["customer_id"] in roots and roots[row["customer_id"]]["customer_id"] in cases:
                cases[roots[row["customer_id"]]["customer_id"]].append(row)
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            return list(chain.from_iterable(pool.map(lambda pair: self._of_customer(customers[pair[0]], pair[1], window), cases.items())))

    def _of_customer(self, customer: Item, cases: Sequence[Item], window: Window) -> Facts:
        rows = self._timeline(customer, min([isoformat(window.since - self._back), *(str(row.get("first_signal_at") or row["opened_at"]) for row in cases)]))
        asks = [row for row in rows if is_contact(row) and row.get("case_key") and row["brand"] in window.brands]
        known = self._follow(cases, {str(row["case_key"]) for row in asks})
        contacts, said = first_of_turns(asks, self.policy.metrics.turn_minutes), [row for row in rows if row.get("type") in ("signal", "note")]
        facts: Facts = [_contact(row, customer, known[row["case_key"]]) for row in contacts if known.get(row["case_key"])]
        for case in cases:
            own = [row for row in asks if known.get(row["case_key"], {}).get("case_key") == case["case_key"]]
            others = {key for key, each in known.items() if each["case_key"] != case["case_key"]}
            facts += [*clock_facts(self.policy, case, own, replies_to(own, said, others), self.now), *_case(case, customer, own, self.now)]
        return facts

    @property
    def _back(self) -> timedelta:
        return timedelta(days=self.policy.metrics.repeat_days)

    def _timeline(self, customer: Item, since: str) -> list[Item]:
        scope = customer.get("scope", "")
        return [row for each in customer["identities"] for row in self.table.query(identity_key(each, scope), index="timeline", since=since)]

    def _follow(self, cases: Sequence[Item], case_keys: Iterable[str]) -> dict[str, Item]:
        """The case that each key stands for now: a joined one is the other's; what an incident has taken is nobody's own."""
        rows, wanted = {str(row["case_key"]): row for row in cases}, set(case_keys)
        while missing := sorted(({_onward(row) for row in rows.values()} | wanted) - rows.keys() - {""}):
            rows |= {case_key: {} for case_key in missing} | load_cases(self.table, missing)
        found = {case_key: _end(rows, case_key) for case_key in rows}
        return {case_key: row for case_key, row in found.items() if row and not row.get("kind") and not row.get("adopted_by")}

    def _is_excluded(self, customer: Item) -> bool:
        account = (customer.get("account") or {}).get("account_id")
        named = {*customer["identities"], *(f"domain:{i.rpartition('@')[2]}" for i in customer["identities"] if i.startswith("email:")), f"account:{account}"}
        return bool(named & set(self.policy.metrics.exclude))


def _onward(row: Mapping[str, Any]) -> str:
    return str(row.get("joined") or "") if row.get("status") == CLOSED else ""


def _end(rows: Mapping[str, Item], case_key: str) -> Item:
    passed = {case_key}
    while (onward := _onward(rows[case_key])) and onward in rows and onward not in passed:
        case_key = onward
        passed.add(onward)
    return rows[case_key]


def _contact(row: Item, customer: Item, case: Item) -> dict[str, Any]:
    return {
        "kind": "contact", "id": row["signal_id"], "at": row["occurred_at"], "brand": row["brand"], "person": customer["customer_id"],
        "category": row["category"], "channel": row["channel"], "case_key": case["case_key"],
    }  # fmt: skip


def _case(case: Item, customer: Item, asks: Sequence[Item], now: datetime) -> Iterator[dict[str, Any]]:
    """A case without asks (all were deleted, or another has them now) resolved nothing."""
    closed_at = str(case.get("closed_at") or "")
    if asks and not case.get("joined"):
        resolved = closed_at if closed_at and closed_at <= isoformat(now) else None
        facts = {"kind": "case", "id": case["case_key"], "brand": case["brand"], "person": customer["customer_id"], "category": case["category"]}
        yield facts | {"resolved_at": resolved}


def _months(since: datetime, until: datetime) -> Iterator[str]:
    moment = parse_time(isoformat(since)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while moment < until:
        yield isoformat(moment)
        moment = (moment + timedelta(days=32)).replace(day=1)
