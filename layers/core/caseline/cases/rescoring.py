"""Open cases are judged again when the CRM has learnt something about their customers, when somebody answers them, or another case is opened beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.ledger import OPEN, change_case, due, load_case, load_claims
from caseline.customers import customer_id_of, load_customers
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Table

AGAIN = timedelta(minutes=10)  # until a customer's account is asked for once more that nobody has read


def rescore_cases(table: Table, identities: Iterable[str], scopes: Iterable[str], now: str) -> None:
    """Ask for a new judgement of the open cases of all customers who have one of the identities, in any of the scopes. Safe to repeat."""
    asked = list(identities)
    rescore_customers(table, {customer_id_of(identity, scope) for scope in scopes for identity in asked}, now)


def rescore_customers(table: Table, customer_ids: Iterable[str], now: str) -> None:
    """The same for customers by id, of which some may have been merged since, or never come to be. An account may have so many that asking dies on the way:
    whoever was asked for is passed over by the next."""
    known = {str(row["customer_id"]): row for row in load_customers(table, customer_ids).values()}
    for customer_id in sorted(customer_id for customer_id, row in known.items() if not _is_asked_for(row, now)):
        for claim in load_claims(table, customer_id):
            rescore_case(table, claim["case_key"], now)
        # Somebody without an open case is read again, too, and who never had one for the first time: their renewal may be near. What was read is old now.
        table.update(f"CUSTOMER#{customer_id}", "CUSTOMER", "SET due_shard = :shard, due_at = :now REMOVE account_as_of", shard="look", now=now)


def _is_asked_for(customer: Mapping[str, Any], now: str) -> bool:
    """A short while ago, and nobody has read the account since."""
    since = isoformat(parse_time(now) - AGAIN)
    return "account_as_of" not in customer and customer.get("due_shard") == "look" and since <= str(customer.get("due_at", "")) <= now


def rescore_case(table: Table, case_key: str, now: str) -> None:
    """A version that says nothing new but wants a push: triage sees it and starts a run, which judges before it pushes."""
    for _ in range(8):
        case = load_case(table, case_key)
        if case is None or case["status"] != OPEN:
            return
        if change_case(table, case, {**case, "version": case["version"] + 1, "push": "wanted", **due(now)}):
            return


def look_soon(table: Table, claims: Iterable[Mapping[str, Any]], at: datetime) -> None:
    """The watch at that moment judges these cases again, or what looks sooner does. Whoever dies before that leaves it to the daily look."""
    for claim in claims:
        for more, condition in ((", due_at = :at", "due_shard = :look AND look_at > :at"), ("", "due_shard <> :look AND look_at > :at")):
            with suppress(ConditionFailed):
                table.update(f"CASE#{claim['case_key']}", "CASE", "SET look_at = :at" + more, condition, at=isoformat(at), look="look")
                break
