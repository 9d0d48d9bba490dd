"""Account value out of an account's row and the collections expanded in it, each fact with the column it was read from."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Fact
from caseline.crm._amounts import add_amounts, add_deals
from caseline.crm._value import plain_amount, read_renewal, tier_of
from caseline.crm.dynamics._api import label_of
from caseline.crm.dynamics._settings import Settings
from caseline.signals import isoformat

log = logging.getLogger(__name__)
Row = Mapping[str, Any]
Found = dict[str, tuple[Any, str]]
CURRENCY = "_transactioncurrencyid_value"


def read_facts(account: Row, settings: Settings, now: datetime) -> dict[str, Fact]:
    """What Dynamics does not know (an empty column, a collection it lacks) is no fact."""
    own = {name: account.get(relation) for name, relation in settings.relations.items() if relation}
    found = {**_columns(account, settings), **_won(own.get("opportunities"), settings), **_contracts(own.get("contracts"), now), **_open(own.get("cases"))}
    return {name: Fact(value, f"Dynamics {source}", isoformat(now)) for name, (value, source) in found.items() if value not in (None, "")}


def _columns(account: Row, settings: Settings) -> Found:
    found: Found = {name: (label_of(account, column), f"account.{column}") for name, column in settings.fact_fields.items() if column}
    if "annual_revenue" in found:
        revenue = account.get(settings.fact_fields["annual_revenue"])
        found["annual_revenue"] = (None if revenue is None else plain_amount(revenue), found["annual_revenue"][1])
    return {**found, **_tier(account, settings)}


def _tier(account: Row, settings: Settings) -> Found:
    column = settings.fact_fields.get("tier", "")
    label = label_of(account, column) if column else None
    tier = tier_of(str(label), settings.tiers) if label not in (None, "") else None
    if label not in (None, "") and not tier:
        log.warning("Dynamics: a value of %s is no tier; map it in crm.tiers", column)
    return {"tier": (tier, f"account.{column}")}


def _won(rows: Sequence[Row] | None, settings: Settings) -> Found:
    """No won opportunity says nothing of the deal: it may be kept elsewhere. Amounts of several currencies add up in the organisation's own alone."""
    if not rows or all(row.get("actualvalue") is None for row in rows):
        return {}
    column, known = "actualvalue", {str(label_of(row, CURRENCY) or "") for row in rows if row.get("actualvalue") is not None}
    value, currency = add_deals((row.get(column), str(label_of(row, CURRENCY) or "")) for row in rows)
    if len(known) > 1:
        column, currency = "actualvalue_base", None
        value = add_amounts(row.get(column) for row in rows) if all(row.get(column) is not None for row in rows) else None
    return {
        "deal_value": (value, f"SUM(opportunity.{column}), won"), "purchases": (len(rows), "COUNT(opportunity), won"),
        "currency": (value and (currency or settings.currency), "opportunity.transactioncurrencyid"),
    }  # fmt: skip


def _contracts(rows: Sequence[Row] | None, now: datetime) -> Found:
    """No entitlement at all says nothing: they may not be used here."""
    if not rows:
        return {}
    renewal, status = read_renewal([str(row.get("enddate") or "") for row in rows if row.get("statecode") == 1], now.date())
    return {"renewal_date": (renewal, "entitlement.enddate"), "contract_status": (status, "entitlement.statecode")}


def _open(rows: Sequence[Row] | None) -> Found:
    return {} if rows is None else {"open_cases": (len(rows), "COUNT(incident), active")}

