"""Whose profile in the CRM is due to be written: those whom the CRM knows and of whom the stream tells something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from caseline.customers import customer_id_of, load_customers
from caseline.publishing import Happening
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Table


def mark_profiles(table: Table, happenings: Sequence[Happening], scope_of: Callable[[str], str], due_at: datetime) -> None:
    """Those whom the CRM knows and who said something, or whose words changed, are due; one write for each customer and window."""
    rows = [happening.new for happening in happenings if happening.new.get("type") == "signal" and happening.new.get("identities")]
    customers = load_customers(table, {customer_id_of(row["identities"][0], scope_of(row["brand"])) for row in rows}) if rows else {}
    for customer in {row["customer_id"]: row for row in customers.values() if row.get("contact")}.values():
        _mark(table, customer["customer_id"], isoformat(due_at))


def _mark(table: Table, customer_id: str, due_at: str) -> None:
    try:
        table.update(f"PROFILE#{customer_id}", "PROFILE", "SET due_shard = :due, due_at = :at", "attribute_not_exists(due_at)", due="due", at=due_at)
    except ConditionFailed:
        return  # it is due already
