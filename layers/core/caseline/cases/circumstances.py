"""What is to be said of a case beside its score, each in one line of plain words: incidents, missed deadlines, and when the score may fall. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from caseline.cases.ledger import OPEN
from caseline.deadlines import FIRST, NEXT, RESOLUTION
from caseline.signals import isoformat, parse_time
from caseline.storms.words import WHY

_CLOCKS = {FIRST: "first reply", NEXT: "next reply", RESOLUTION: "resolution"}


def tell_case(case: Mapping[str, Any]) -> list[str]:
    """For the CRM, where the lines of the score stand, too."""
    incident = say_incident(case)
    return [*([incident] if incident else []), *(say_missed(miss) for miss in case.get("missed") or ())]


def say_missed(miss: Mapping[str, Any]) -> str:
    """Of a deadline as `clocks.find_missed` keeps it."""
    return f"{_CLOCKS[miss['clock']]} was due {_minute(miss['due_at'])} for {miss['band']}, and missed"


def say_incident(case: Mapping[str, Any]) -> str:
    """Of the case that stands for many customers, and of one that was closed into such a case; "" for others."""
    why = WHY.get(str(case.get("why")), "")
    if case.get("kind"):
        customers = f", {case['people']} customers so far" if case.get("people") else ""
        return f"an incident: {why or 'many customers are on one issue'}{customers}"
    return f"part of incident {case['adopted_by']}, which many customers are on" if case.get("adopted_by") else ""


def say_outlook(case: Mapping[str, Any], fall_after: timedelta) -> str:
    """Why the score may be another soon though nothing happens; "" where nothing is to be expected."""
    if case["status"] != OPEN:
        return ""
    if case.get("lower_since"):
        falls_at = _minute(isoformat(parse_time(case["lower_since"]) + fall_after))
        why = case.get("lower_why") or "the same facts weigh less by now"
        return f"the score falls at {falls_at} unless something raises it before ({why})"
    return f"looked at again by {_minute(case['look_at'])}: targets and renewal dates come nearer" if case.get("look_at") else ""


def _minute(moment: str) -> str:
    return f"{str(moment)[:16].replace('T', ' ')} UTC"
