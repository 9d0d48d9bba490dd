"""The case ledger: what should stand in the CRM for each case, with a version and what of it was pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from caseline.table import ConditionFailed, Item, Table, key

OPEN, CLOSED = "open", "closed"
CASE_KEY = "case-"  # how the key of a case begins, and no signal's id
KEPT_SIGNALS = 200  # ids kept on the row; the count goes on


def case_key_of(opener_id: str, generation: int = 0) -> str:
    """The key of the case a signal opened: opaque, safe in a URL, the same whoever computes it."""
    return CASE_KEY + hashlib.sha256(f"{opener_id}|{generation}".encode()).hexdigest()[:26]


def load_case(table: Table, case_key: str) -> Item | None:
    return table.get(f"CASE#{case_key}", "CASE")


def load_cases(table: Table, case_keys: list[str]) -> dict[str, Item]:
    return {row["case_key"]: row for row in table.get_many([key(f"CASE#{case_key}", "CASE") for case_key in case_keys])}


def claim_key(customer_id: str, brand: str, category: str) -> Item:
    """One query on the customer's partition finds all its open cases."""
    return key(f"CLAIMS#{customer_id}", f"{brand}#{category}")


def load_claims(table: Table, customer_id: str) -> list[Item]:
    return list(table.query(f"CLAIMS#{customer_id}"))


def listed(row: Mapping[str, Any]) -> Item:
    """The keys that put a case on its list, the most urgent first when read backwards."""
    return {"list_name": f"CASES#{row['status']}", "list_rank": f"{row['priority']['score']:03d}#{row['opened_at']}#{row['case_key']}"}


def history_row(case_key: str, at: str, what: str, text: str, version: int, by: str = "caseline", mark: str = "") -> Item:
    """One line of a case's history; `mark` makes the same event the same row."""
    facts = {"type": "history", "schema": 1, "at": at, "what": what, "by": by, "text": text, "version": version}
    return key(f"CASE#{case_key}", f"HISTORY#{at}#{mark or what}") | facts


def open_case(table: Table, claim: Item, case: Item, history: Item) -> bool:
    """Take the claim and write the case in one go; False if someone else holds it, the case was there before, or the customer was merged."""
    held = {**claim, "type": "claim", "schema": 1, "case_key": case["case_key"], "opened_at": case["opened_at"], "identity": case["identity"]}
    try:
        table.transact(
            table.check_write(f"CUSTOMER#{case['customer_id']}", "CUSTOMER", "attribute_not_exists(merged_into)"),
            table.put_write(held, "attribute_not_exists(PK)"),
            table.put_write(case | listed(case), "attribute_not_exists(PK)"),
            table.put_write(history),
        )
    except ConditionFailed:
        return False
    return True


def change_case(
    table: Table, old: Item, new: Item, *history: Item, writes: Sequence[Mapping[str, Any]] = (), pushed: Mapping[str, Any] | None = None
) -> bool:
    """Write the next version of a case and its history, and `writes` that must come with it; False if it changed since it was read.

    Bookkeeping of the push is not touched, but for what `pushed` says: a change that came from the CRM is there already.
    """
    changes = {name: value for name, value in (new | listed(new)).items() if old.get(name) != value and name not in PUSHED} | dict(pushed or {})
    removes = [name for name in old if name not in new and name not in PUSHED and name not in ("PK", "SK", "list_name", "list_rank")]
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changes) + (" REMOVE " + ", ".join(f"#{name}" for name in removes) if removes else "")
    names = {f"#{name}": name for name in (*changes, *removes)}
    write = table.update_write(old["PK"], old["SK"], expression, "version = :old_version", names, old_version=old["version"], **changes)
    try:
        table.transact(write, *(table.put_write(row) for row in history), *writes)
    except ConditionFailed:
        return False
    return True


# What the outbox keeps on a case, and judgement never touches.
PUSHED = frozenset({"pushed_version", "crm", "lease_until", "fence", "upto", "sending", "sent", "noted", "noted_version", "wrote", "pushed_at"})


def crm_case_key(crm: str, crm_id: str) -> Item:
    """The row that tells which of our cases a CRM's record is."""
    return key(f"CRMCASE#{crm}#{crm_id}", "CASE")


def due(now: str) -> Item:
    """The keys that put a row on the list of what the watcher reads."""
    return {"due_shard": "due", "due_at": now}
