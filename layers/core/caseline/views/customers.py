"""Customers: who they are, what they are worth with the source of each fact, how they have been lately, what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from caseline.cases.ledger import OPEN, load_cases, load_claims
from caseline.customers import customer_id_of, load_customer, load_customers, nodes_of
from caseline.errors import NotFoundError, QueryError
from caseline.explanations import say_link, say_split
from caseline.health.churn import find_signs
from caseline.health.departure import explain_departure
from caseline.health.figures import measure
from caseline.health.history import RECENT, History, history_of
from caseline.health.score import find_health
from caseline.identity import normalise_identity
from caseline.newest import newest_rows, with_cases
from caseline.policy import Policy
from caseline.signals import OWN_CHANNEL
from caseline.table import Item, Table
from caseline.unions import read_splits, show_links
from caseline.views.cases import case_summary


def find_customers(table: Table, identity: str | None, scopes: Iterable[str] = ("",)) -> dict[str, Any]:
    """`{"customers": [{customer_id, name, identities}]}`; one for each scope that knows the identity."""
    if not identity:
        raise QueryError("identity", "write an identity such as email:ann@example.com")
    spellings = {identity, normalise_identity(identity) or identity}
    rows = load_customers(table, {customer_id_of(spelling, scope) for spelling in spellings for scope in scopes})
    return {"customers": [customer_summary(row) for row in {row["customer_id"]: row for row in rows.values()}.values()]}


def show_customer(table: Table, customer_id: str, policy: Policy, now: datetime) -> dict[str, Any]:
    """Profile, account value, metrics of the newest entries, open cases, how each identity came to be theirs, what was split, health and churn."""
    row = load_customer(table, customer_id)
    if row is None:
        raise NotFoundError(f"no customer {customer_id}")
    recent, held = with_cases(table, list(islice(newest_rows(table, row, RECENT), RECENT))), _claimed(table, row["customer_id"])
    history = history_of(row, recent, held, now)
    return customer_summary(row) | {
        "profile": {name: row.get(name) for name in ("name", "identities", "first_seen", "scope")},
        "account": account_view(row), "metrics": count_recent(recent) | measure(policy, history), "open_cases": _open_cases(held, row["customer_id"]),
        "links": [link | {"text": say_link(link)} for link in show_links(table, row)],
        "splits": [_split_view(split, nodes_of(row) | {row["customer_id"]}) for split in read_splits(table, row)],
        **_standing(history, policy),
    }


def _standing(history: History, policy: Policy) -> dict[str, Any]:
    """How they stand, what may drive them away, and what did."""
    return {"health": find_health(policy, history), "churn": find_signs(policy, history), "departure": explain_departure(policy, history)}


def _split_view(row: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """Seen from one of the two: `other` is whom it was split from, None where the two have been joined again."""
    others = [customer_id for customer_id in (row["split"], row["from"]) if customer_id not in own]
    facts = {name: row.get(name) for name in ("by", "why", "undone", "from", "split")}
    return {"at": row["at_time"], "other": next(iter(others), None), **facts, "text": say_split(row)}


def customer_summary(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"customer_id": row["customer_id"], "name": row.get("name"), "identities": list(row.get("identities", ()))}


def account_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """The account that matched with its facts, each `{value, source, as_of}`; or how the match failed, with the candidates."""
    account = row.get("account") or {}
    return {
        "match": row.get("match") or ("exact" if account else "none"), "as_of": row.get("account_as_of"), "candidates": list(row.get("candidates") or ()),
        "facts": dict(account.get("facts") or {}),
    } | {name: account.get(name) for name in ("account_id", "name", "contact_id", "contact_name", "url")}


def count_recent(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts over the newest entries, oldest-first facts left out; `complete` says whether that was all there is."""
    signals = [row for row in rows if row["type"] == "signal" and row.get("state") != "deleted" and row.get("channel") != OWN_CHANNEL]
    inbound = [row for row in signals if row.get("direction") != "outbound"]
    return {
        "signals": len(signals), "inbound": len(inbound), "outbound": len(signals) - len(inbound), "cases": sum(row["type"] == "case" for row in rows),
        "sentiment": dict(Counter(str((row.get("assessment") or {}).get("sentiment") or "unscored") for row in inbound)),
        "channels": dict(Counter(str(row["channel"]) for row in signals)),
        "last_inbound_at": _newest(inbound), "last_outbound_at": _newest([row for row in signals if row.get("direction") == "outbound"]),
        "window": RECENT, "complete": len(rows) < RECENT,
    }


def _newest(rows: Sequence[Mapping[str, Any]]) -> str | None:
    return max((str(row["occurred_at"]) for row in rows), default=None)


def _claimed(table: Table, customer_id: str) -> list[Item]:
    """The cases whose claim the customer holds."""
    claims = load_claims(table, customer_id)
    return list(load_cases(table, [claim["case_key"] for claim in claims]).values()) if claims else []


def _open_cases(cases: Iterable[Item], customer_id: str) -> list[dict[str, Any]]:
    """The most urgent first."""
    still_open = sorted((row for row in cases if row["status"] == OPEN), key=_rank, reverse=True)
    return [case_summary(row) | {"customer_id": customer_id} for row in still_open]


def _rank(row: Item) -> str:
    return str(row.get("list_rank", ""))
