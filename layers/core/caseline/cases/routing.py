"""Who gets a case: the queue of its rule, in which its language counts, and the agent who knew the customer last, where the policy prefers that one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from caseline.cases.answering import is_reply
from caseline.cases.evidence import Scene
from caseline.cases.ledger import history_row
from caseline.policy import Policy
from caseline.priority.model import find_rule
from caseline.signals import parse_time
from caseline.table import Item


def language_of(row: Mapping[str, Any]) -> str:
    """Of a signal, as analysis found it, else as the platform said: two or three letters, "" where nobody knows."""
    found = (row.get("assessment") or {}).get("language") or row.get("language") or ""
    return str(found).replace("_", "-").partition("-")[0].casefold()


def last_agent(policy: Policy, scene: Scene) -> str:
    """Who answered the customer last, within the days for which the policy prefers that agent; "" for nobody."""
    if not policy.routing.last_agent_days:
        return ""
    since = scene.now - timedelta(days=policy.routing.last_agent_days)
    known = [row for row in scene.recent if is_reply(row) and row.get("agent") and parse_time(row["occurred_at"]) >= since]
    return str(max(known, key=lambda row: str(row["occurred_at"]))["agent"]) if known else ""


def routing_rows(policy: Policy, case: Item, scene: Scene) -> Iterator[Item]:
    """Lines of history for a new case whose language chose its queue, or whose customer somebody knows."""
    at, language = case["opened_at"], case.get("language", "")
    rule = find_rule(policy, case["category"], scene.account, case["priority"]["band"], language)
    if rule and rule.languages:
        yield history_row(case["case_key"], at, "queue", f"{case['queue']}, who speak {language}", 1, mark="routed-queue")
    if case.get("owner"):
        yield history_row(case["case_key"], at, "owner", f"to {case['owner']}, who answered this customer last", 1, mark="routed-owner")
