"""Account value out of an account's record and the collections that hang on it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from caseline.crm import Fact
from caseline.crm._amounts import add_deals, read_amount, show_amount
from caseline.crm._value import read_renewal
from caseline.crm.sap._product import Page, time_of
from caseline.crm.sap._rows import Row, text_of
from caseline.crm.sap._shape import Settings
from caseline.errors import CrmUnavailableError
from caseline.signals import isoformat

log = logging.getLogger(__name__)
AMOUNTS = ("deal_value", "annual_revenue")
Found = dict[str, tuple[Any, str]]


def read_facts(account: Row, pages: Mapping[str, Page], settings: Settings, now: datetime) -> dict[str, Fact]:
    """`pages` are those of open cases, deals and contracts, as far as they were read. What SAP does not know is no fact."""
    found = {**_columns(account, settings), **_deals(pages.get("deals"), settings), **_contracts(pages.get("contracts"), settings, now)}
    if "cases" in pages:
        found["open_cases"] = (pages["cases"].count, "COUNT(Case), open")
    return {name: Fact(value, f"SAP {source}", isoformat(now)) for name, (value, source) in found.items() if value not in (None, "")}


def _columns(account: Row, settings: Settings) -> Found:
    texts = {name: text_of(account, column) for name, column in settings.fact_fields.items() if column}
    return {name: (_value(name, text, settings), f"Account.{settings.fact_fields[name]}") for name, text in texts.items() if text}


def _value(name: str, text: str, settings: Settings) -> str | None:
    value = settings.tier(text) if name == "tier" else _amount(text) if name in AMOUNTS else text[:10] if name == "renewal_date" else text
    if value is None:
        log.warning("SAP: a value for %s is not understood%s", name, "; map it in crm.tiers" if name == "tier" else "")
    return value


def _amount(text: str) -> str | None:
    number = read_amount(text)
    return None if number is None else show_amount(number)


def _deals(page: Page | None, settings: Settings) -> Found:
    """No won opportunity says nothing of the deal: it may be kept elsewhere."""
    if page is None or not page.rows:
        return {}
    total, currency = add_deals((text_of(row, settings.deals["value"]), text_of(row, settings.deals["currency"])) for row in page.rows)
    return {"deal_value": (total, "SUM(Opportunity), won"), "purchases": (len(page.rows), "COUNT(Opportunity), won"), "currency": (currency, "Opportunity")}


def _contracts(page: Page | None, settings: Settings, now: datetime) -> Found:
    if page is None or not page.rows:
        return {}
    renewal, status = read_renewal([_day(row, settings.contracts["end"]) for row in page.rows], now.date())
    return {"renewal_date": (renewal, f"Contract.{settings.contracts['end']}"), "contract_status": (status, "Contract")}


def _day(row: Row, column: str) -> str:
    try:
        return isoformat(time_of(row, column))[:10]
    except CrmUnavailableError:
        return text_of(row, column)[:10]
