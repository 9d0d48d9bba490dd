"""Account value out of Salesforce's records, each fact with the field it was read from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from caseline.crm import Fact
from caseline.crm.salesforce._settings import Settings
from caseline.signals import isoformat

log = logging.getLogger(__name__)
Record = Mapping[str, Any]


def read_facts(account: Record, own: Mapping[str, Sequence[Record]], settings: Settings, now: datetime) -> dict[str, Fact]:
    """What Salesforce does not know (an empty field, an object we may not see) is no fact."""
    found = {**_fields(account, settings), **_won(own.get("Opportunity"), settings), **_contracts(own.get("Contract"), settings, now), **_open(own.get("Case"))}
    return {name: Fact(value, f"Salesforce {source}", isoformat(now)) for name, (value, source) in found.items() if value not in (None, "")}


def _fields(account: Record, settings: Settings) -> dict[str, tuple[Any, str]]:
    found = {name: (_column(account, column), f"Account.{column}") for name, column in settings.account_fields.items() if column}
    if not found.get("lifecycle_stage", ("",))[0]:
        found["lifecycle_stage"] = (account.get("Type"), "Account.Type")
    if found.get("annual_revenue", (None,))[0] is not None:
        found["annual_revenue"] = (_amount(found["annual_revenue"][0]), found["annual_revenue"][1])
    return {**found, **_tier(found.get("tier", (None, ""))[0], settings)}


def _tier(value: Any, settings: Settings) -> dict[str, tuple[Any, str]]:
    tier = settings.tier(str(value)) if value else None
    if value and not tier:
        log.warning("Salesforce: a value of %s is no tier; map it in crm.tiers", settings.account_fields["tier"])
    return {"tier": (tier, f"Account.{settings.account_fields['tier']}")}


def _won(rows: Sequence[Record] | None, settings: Settings) -> dict[str, tuple[Any, str]]:
    """No won opportunity says nothing of the deal: the org may keep its deals elsewhere."""
    if not rows or rows[0].get("total") is None:
        return {}
    value = {"deal_value": (_amount(rows[0]["total"]), "SUM(Opportunity.Amount), won"), "purchases": (rows[0].get("n"), "COUNT(Opportunity), won")}
    return {**value, "currency": (settings.currency, "settings crm.currency")}


def _contracts(rows: Sequence[Record] | None, settings: Settings, now: datetime) -> dict[str, tuple[Any, str]]:
    """The renewal is the nearest end of an active contract still to come, else the last that passed. No contract at all: the org may not use them."""
    if not rows:
        return {}
    today = now.date().isoformat()
    active = [row for row in rows if row.get("Status") in settings.active_contracts]
    ends = sorted(str(row["EndDate"]) for row in active if row.get("EndDate"))
    coming = [end for end in ends if end >= today]
    running = bool(coming) or any(not row.get("EndDate") for row in active)
    renewal = coming[0] if coming else ends[-1] if ends and not running else None
    status = "active" if running else "expired" if ends else "none"
    return {"renewal_date": (renewal, "Contract.EndDate"), "contract_status": (status, "Contract.Status")}


def _open(rows: Sequence[Record] | None) -> dict[str, tuple[Any, str]]:
    return {} if rows is None else {"open_cases": (rows[0].get("n", 0) if rows else 0, "COUNT(Case), open")}


def _amount(value: Any) -> str:
    """Plain decimal text; Salesforce sends 1.2E7 for large sums."""
    number = Decimal(str(value))
    return f"{number.quantize(Decimal(1)) if number == number.to_integral_value() else number:f}"


def _column(record: Record, column: str) -> Any:
    """Owner.Name is a record inside the record."""
    value: Any = record
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
