"""First step of the state machine: the account value of the run's customer, and whom the CRM knows it to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.inbound import account_key
from caseline.cases.merging import settle_merges
from caseline.crm import Account, Crm
from caseline.customers import Claimed, link, load_customer
from caseline.runs import Runs, read_run
from caseline.signals import isoformat, parse_time
from caseline.table import Item, Table

STATUSES = ("contract_status", "lifecycle_stage")
FRESH = timedelta(minutes=1)  # an account read this short ago is not read again


@dataclass(frozen=True)
class AccountLookUp:
    """`listens`: the CRM tells of changes, so that what was read, or not found, stands for as long as `fresh` says."""

    table: Table
    crm: Crm
    runs: Runs
    clock: Callable[[], datetime]
    fresh: timedelta = FRESH
    listens: bool = False

    def look_up(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Read the account value of the run's customer, and link whom the CRM knows. Errors are CRM errors, retried by class."""
        run = read_run(state)
        self.runs.take(run)
        customer = load_customer(self.table, run.customer_id)
        if customer and not self._is_fresh(customer):
            self.look_up_customer(customer)
        return {"run": run.to_json()}

    def look_up_customer(self, customer: Item) -> None:
        """Read the account value of one customer, whoever asks."""
        match = self.crm.find_account(customer["identities"])
        now = isoformat(self.clock())
        customer_id = self._link(customer, match.account, now) if match.account else customer["customer_id"]
        if self.listens:
            self._list(customer, match.account, customer_id)
        noted: dict[str, Any] = {"account": match.account.to_json() if match.account else None, "candidates": [c.to_json() for c in match.candidates]}
        noted |= {"account_as_of": now, "asked_for": len(customer["identities"])} | _status_since(customer, match.account, now)
        look = _first_look(match.account, now)
        firsts = "".join(f", {name} = if_not_exists({name}, :{name})" for name in look)
        expression = "SET #m = :match, " + ", ".join(f"{name} = :{name}" for name in noted) + firsts
        self.table.update(f"CUSTOMER#{customer_id}", "CUSTOMER", expression, names={"#m": "match"}, match=match.kind, **noted, **look)

    def _link(self, customer: Item, account: Account, now: str) -> str:
        identities = [*customer["identities"], *account.identities]
        provenance = f"crm:{self.crm.name}:{account.contact_id}"
        claimed = Claimed(identities, provenance, now, "verified", account.contact_name or None, account.contact_id, customer.get("scope", ""))
        customer_id, _ = link(self.table, claimed)
        settle_merges(self.table, customer_id, now)
        return customer_id

    def _list(self, customer: Item, account: Account | None, customer_id: str) -> None:
        """By account and by contact, so that a change to either finds the customer; written when it is new."""
        known = customer.get("account") or {}
        for name in ("account_id", "contact_id"):
            found = getattr(account, name, "")
            if found and (found != known.get(name) or customer_id != customer["customer_id"]):
                self.table.put(account_key(self.crm.name, found, customer_id) | {"type": "crm_account"})

    def _is_fresh(self, customer: Item) -> bool:
        """What was found, or not found, for the identities that the customer has; an incident is nobody whom the CRM could know."""
        if customer.get("kind"):
            return True
        as_of = customer.get("account_as_of")
        if as_of is None or self.clock() - parse_time(as_of) >= self.fresh:
            return False
        return bool(customer.get("match") == "exact" or (self.listens and customer.get("asked_for") == len(customer["identities"])))


def _status_since(customer: Item, account: Account | None, now: str) -> dict[str, Any]:
    """Since when the CRM has said what it says of contract and lifecycle: a customer's leaving has a date."""
    before, known = (customer.get("account") or {}).get("facts") or {}, customer.get("status_since") or {}
    values = {name: account.facts[name].value for name in STATUSES if name in account.facts} if account else {}
    since = {name: known.get(name, now) if (before.get(name) or {}).get("value") == value else now for name, value in values.items()}
    return {"status_since": since} if since else {}


def _first_look(account: Account | None, now: str) -> dict[str, Any]:
    """Who has a contract to renew is looked at before that (`caseline.finds`), from now on, unless that is arranged already."""
    fact = account.facts.get("renewal_date") if account else None
    return {"due_shard": "look", "due_at": now} if fact and str(fact.value)[:10] >= now[:10] else {}
