"""Customers at risk before their renewal, found on schedule: falling sentiment, repeated contact, silence. Only those are read who are due.

A find is a signal of Caseline's own, said once for each customer, reason and renewal. It takes the way of every signal: it stands on the timeline with its
reason, joins the customer's open case or opens one, and goes to the CRM. When edits, deletions or the CRM show that there never was a reason it is
deleted, and a case that rested on it alone is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from caseline.cases.lookup import AccountLookUp
from caseline.customers import load_customer
from caseline.errors import CrmError
from caseline.health.churn import RULES, Sign
from caseline.health.history import DAYS, RECENT, History, read_history
from caseline.policy import Policy
from caseline.priority.scene import find_fact, read_word
from caseline.signals import DELETED, OWN_CHANNEL, Signal, isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import LIVE, read_attributes

SOURCE, CATEGORY, UNKNOWN = "finds", "renewal", "unknown"
DAILY, STALE = timedelta(days=1), timedelta(hours=12)


@dataclass(frozen=True)
class Finder:
    """`queue(signal, brand)` takes in a signal as if a platform had sent it; `look_up` reads accounts anew."""

    table: Table
    policy: Policy
    queue: Callable[[Signal, str], Any]
    clock: Callable[[], datetime]
    look_up: AccountLookUp | None = None

    def look(self, row: Item) -> None:
        """Say what is found of one customer, take back what was none, and put the next look down. Whoever dies in between says the same again."""
        customer = load_customer(self.table, str(row["PK"]).partition("#")[2])
        if customer is None or customer["PK"] != row["PK"]:
            return self._again(row, None)  # joined to another, who is looked at in their own name
        customer = self._refresh(customer)
        history = read_history(self.table, customer, self.clock())
        renewal = find_renewal(self.policy, history)
        if self.policy.finds.active:
            known = [row for row in history.rows if row.get("channel") == OWN_CHANNEL and row.get("state") == LIVE and row.get("source") == SOURCE]
            self._say(str(customer["customer_id"]), history, renewal, known)
            self._take_back(history, renewal, known)
        return self._again(row, self._next_look(renewal))

    def _refresh(self, customer: Item) -> Item:
        """With the account as the CRM has it; as it was last known while the CRM does not answer."""
        as_of = customer.get("account_as_of")
        if self.look_up and (not as_of or self.clock() - parse_time(as_of) >= STALE):
            with suppress(CrmError):
                self.look_up.look_up_customer(customer)
                return load_customer(self.table, customer["customer_id"]) or customer
        return customer

    # ---- what is said

    def _say(self, customer_id: str, history: History, renewal: date | None, known: list[Item]) -> None:
        """By the rules in the policy's order, no more for one renewal than it allows."""
        if renewal is None or not history.heard or not self._is_near(renewal, history.now):
            return
        said = {read_attributes(row).get("found") for row in known if read_attributes(row).get("renewal_date") == str(renewal)}
        fresh = [(name, sign) for name, sign in self._signs(history) if name not in said]
        for name, sign in fresh[: max(0, self.policy.finds.most - len(said))]:
            self.queue(_signal(customer_id, history, name, sign, renewal), str(history.heard[-1]["brand"]))

    def _signs(self, history: History) -> Iterator[tuple[str, Sign]]:
        for name in self.policy.finds.rules:
            if sign := RULES[name](self.policy, history):
                yield name, sign

    def _take_back(self, history: History, renewal: date | None, known: list[Item]) -> None:
        """Judged by the very moment of the find with what is known today: what has merely changed since is no reason to take it back."""
        for row in known:
            if read_attributes(row).get("renewal_date") != str(renewal) or not self._held(history, row):
                self.queue(_deletion(row, history.now), str(row["brand"]))

    def _held(self, history: History, row: Item) -> bool:
        then = parse_time(str(read_attributes(row).get("found_at") or row["occurred_at"]))
        if len(history.rows) >= RECENT and min(str(each["at"]) for each in history.rows) > isoformat(then - timedelta(days=DAYS)):
            return True  # what it rested on is no longer in sight
        name = str(read_attributes(row).get("found"))
        return name in self.policy.finds.rules and RULES[name](self.policy, history.until(then)) is not None

    # ---- when

    def _is_near(self, renewal: date, now: datetime) -> bool:
        return 0 <= (renewal - now.date()).days <= self.policy.finds.within_days

    def _next_look(self, renewal: date | None) -> str | None:
        """Each day while the renewal is near, before that when it comes near; None where none is to come."""
        now = self.clock()
        if renewal is None or renewal < now.date() or not self.policy.finds.active:
            return None
        opens = datetime.combine(renewal - timedelta(days=self.policy.finds.within_days), time(), UTC)
        return isoformat(max(now + DAILY, opens))

    def _again(self, row: Item, at: str | None) -> None:
        """Unless somebody asked for a look meanwhile."""
        seen = isoformat(self.clock())
        with suppress(ConditionFailed):
            if at is None:
                self.table.update(row["PK"], row["SK"], "REMOVE due_shard, due_at, tries", "due_at <= :seen", seen=seen)
            else:
                self.table.update(row["PK"], row["SK"], "SET due_at = :at REMOVE tries", "due_at <= :seen", at=at, seen=seen)


def find_renewal(policy: Policy, history: History) -> date | None:
    """The date, where there is something to renew; of some tiers alone, where the policy names them."""
    tier, status = (read_word(find_fact(history.account, name)) for name in ("tier", "contract_status"))
    nothing = {tier, status} & set(policy.renewal.unpaid) or status in policy.renewal.ended or (policy.finds.tiers and tier not in policy.finds.tiers)
    return None if nothing else history.renewal_date


def _signal(customer_id: str, history: History, name: str, sign: Sign, renewal: date) -> Signal:
    """About the customer's youngest open case where there is one, else about the renewal."""
    last, days, now = history.heard[-1], (renewal - history.now.date()).days, isoformat(history.now)
    category = UNKNOWN if any(case["brand"] == last["brand"] for case in history.unresolved) else CATEGORY
    return Signal(
        channel=OWN_CHANNEL, source=SOURCE, native_id=f"{customer_id}/{name}/{renewal}", kind="ticket", revision=now, occurred_at=history.now,
        received_at=history.now, identities=tuple(last["identities"][:1]), text=f"Renewal in {days} day{'' if days == 1 else 's'}, and {sign.text}.",
        attributes={"found": name, "found_at": now, "renewal_date": str(renewal), "category": category, "evidence": list(sign.evidence)[:5]},
    )  # fmt: skip


def _deletion(row: Item, now: datetime) -> Signal:
    """Dated, so that the same may be found again once there is a reason."""
    return Signal(
        channel=OWN_CHANNEL, source=SOURCE, native_id=str(row["native_id"]), kind="ticket", action=DELETED, revision=isoformat(now), occurred_at=now,
        received_at=now, identities=tuple(row["identities"]),
    )  # fmt: skip
