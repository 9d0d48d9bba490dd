"""How an incident reads in the console and in the CRM: what it is about, and why it is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHY = {
    "text": "many customers write nearly the same",
    "link": "many customers write of the same link",
    "thread": "many customers write of it in one thread",
    "copies": "the same words from many accounts, as if they were coordinated",
}


def start_incident(customer: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """What marks the first version of an incident's case."""
    told = {"kind": str(customer["kind"]), "why": "copies" if customer.get("copies") else str(customer["by"])}
    return told | {"subject": subject_of({**case, **told}, 0)}


def subject_of(case: Mapping[str, Any], customers: int) -> str:
    """`customers` is 0 where they are yet to be counted."""
    how_many = f" ({customers} customers)" if customers else ""
    return f"Incident: {case['category'].replace('_', ' ')} at {case['brand']}{how_many}: {WHY[case['why']]}"[:200]
