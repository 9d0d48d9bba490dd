"""What stands in a case's row: its first version, and the next one that judgement writes.

Neither puts the case on the list of what is due: the run that writes it brings it to the CRM, and its row is on that list until it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from caseline.cases.clocks import find_missed
from caseline.cases.evidence import UNKNOWN, Scene, judge, oldest_ask
from caseline.cases.ledger import KEPT_SIGNALS, OPEN, case_key_of, rest
from caseline.cases.looks import falls_since, look_again
from caseline.cases.routing import language_of, last_agent
from caseline.cases.threads import gather_names
from caseline.cases.titles import most_said
from caseline.cases.waiting import DUE_SHARDS
from caseline.crm import Account
from caseline.policy import Policy
from caseline.priority import Priority
from caseline.priority.model import headline, priority_from_json, route, say_fall, settle
from caseline.runs import Run
from caseline.signals import isoformat
from caseline.table import Item
from caseline.timeline import GONE, LIVE
from caseline.turns import asks_of

ALERT_BAND = "P1"
KEPT = ("look_at", "lower_since", "lower_why", "waits_since")  # judgement's own notes, which are no news to anybody
BESIDE = frozenset({"updated_at", "due_shard", "due_at", *KEPT})


def first_version(policy: Policy, run: Run, crm_name: str, customer_id: str, opener: Item, fresh: list[Item], scene: Scene) -> Item:
    """The case that `opener` opens, with all of `fresh` in it."""
    case_key = case_key_of(opener["signal_id"], len(opener.get("was_in", ())) + 1 if opener.get("case_key") else 0)  # it may open another than it was in
    category = most_said(policy, fresh) or UNKNOWN if policy.join.by == "customer" else opener["category"]
    row: Item = {
        "PK": f"CASE#{case_key}", "SK": "CASE", "type": "case", "schema": 1, "case_key": case_key, "customer_id": customer_id, "brand": opener["brand"],
        "category": category, "status": OPEN, "opened_at": isoformat(scene.now), "first_signal_at": asks_of(opener)[0], "version": 1, "pushed_version": 0,
        "identity": opener["identity"], "at": f"{opener['occurred_at']}#{case_key}", "author_name": opener.get("author_name") or "",
        "signal_ids": [], "signal_count": 0, "channels": [], "crm": {"name": crm_name, "sync": "pending"},
    }
    row |= {"language": language} if (language := language_of(opener)) else {}
    row |= {"owner": owner} if (owner := last_agent(policy, scene)) else {}
    priority, weighs = judge(policy, fresh, category, scene, None)
    row |= _judged(policy, run, row, priority, fresh, scene)
    row |= find_missed(policy, row, fresh, scene) | {"weighs": weighs, "waits_since": _waits_since(fresh, scene)}
    row |= {"look_at": look_again(policy, row, fresh, scene)}
    return row | rest(row)


def next_version(policy: Policy, run: Run, case: Item, rows: list[Item], fresh: list[Item], scene: Scene) -> Item:
    """The case with `fresh` in it and its priority settled over `rows`; the same case, but for when to look again, where nothing changes."""
    live = live_of(rows)
    previous = priority_from_json(case["priority"], case["queue"])
    found, weighs = judge(policy, live, case["category"], scene, previous.override) if live else (previous, case.get("weighs", ""))
    lower = falls_since(policy, case, previous, found, scene)
    lasted = bool(lower) and (lower <= isoformat(scene.now - policy.fall_after) or _is_taken_back(case, rows))
    settled = settle(previous, found, may_fall=lasted)
    taken = settled.score == found.score
    waits = {"lower_since": "" if taken else lower, "lower_why": say_fall(previous, found) if lower and not taken else ""}
    kept = {"weighs": weighs if taken else case.get("weighs", weighs), **waits, "waits_since": _waits_since(live, scene)}
    changed = case | _judged(policy, run, case, settled, fresh, scene) | kept
    changed |= find_missed(policy, case, live, scene)  # by the band that stood: a miss may be why it rises
    changed |= find_missed(policy, changed, live, scene) | {"look_at": look_again(policy, changed, live, scene)}
    if all(case.get(name, "") == changed[name] for name in changed if name not in BESIDE):
        return case | {name: changed[name] for name in KEPT}
    return changed | {"version": case["version"] + 1} | ({} if case.get("due_shard") in DUE_SHARDS else rest(changed))


def _is_taken_back(case: Item, rows: Sequence[Item]) -> bool:
    """What the case was judged by is gone, or went elsewhere: a score may dither, this does not come back, and until it fell a deadline
    could pass that nobody had."""
    standing = {row["signal_id"] for row in rows if row["state"] != GONE}
    return "weighs" in case and case["weighs"] not in standing


def _waits_since(signals: Sequence[Item], scene: Scene) -> str:
    """The oldest ask that nobody has answered; "" where all are."""
    ask = oldest_ask(signals, scene)
    return str(ask["occurred_at"]) if ask else ""


def live_of(rows: Sequence[Item]) -> list[Item]:
    """Those that the case rests on."""
    return [row for row in rows if row["state"] == LIVE and row["need"] == "due"]


def summarise(case: Item) -> dict[str, Any]:
    """What the state machine carries of a case: no words of the customer, no name."""
    priority = case["priority"]
    return {"case_key": case["case_key"], "version": case["version"], "band": priority["band"], "score": priority["score"], "queue": case["queue"]}


def _judged(policy: Policy, run: Run, case: Item, priority: Priority, fresh: list[Item], scene: Scene) -> Item:
    """What judgement writes to a case; its queue follows its band unless a person chose it."""
    queue = case.get("queue_set") or route(policy, case["category"], scene.account, priority.band, case.get("language", ""))
    data = replace(priority, queue=queue)
    alert = {"alerted_by": run.name} if data.band == ALERT_BAND and "alerted_by" not in case else {}
    words = {"headline": headline(data, case["category"]), "subject": _subject(case, fresh, scene.account)}
    now = isoformat(scene.now)
    gathered = _gathered(case, fresh) | gather_names(policy, case, fresh) | _known(case, scene.account)
    return {"priority": data.to_json(), "queue": queue, "updated_at": now, **words, **gathered, **alert}


def _gathered(case: Item, fresh: list[Item]) -> Item:
    return {
        "signal_ids": [*case["signal_ids"], *(row["signal_id"] for row in fresh)][-KEPT_SIGNALS:], "signal_count": case["signal_count"] + len(fresh),
        "channels": _channels(case, fresh), "first_signal_at": min([str(case["first_signal_at"]), *(asks_of(row)[0] for row in fresh)]),
    }


def _known(case: Item, account: Account | None) -> Item:
    """The CRM's ids, kept from before while the account cannot be read."""
    if account is None:
        return {"account_id": case.get("account_id", ""), "contact_id": case.get("contact_id", "")}
    return {"account_id": account.account_id, "contact_id": account.contact_id}


def _channels(case: Item, fresh: list[Item]) -> list[str]:
    return sorted({*case["channels"], *(row["channel"] for row in fresh)})


def _subject(case: Item, fresh: list[Item], account: Account | None) -> str:
    """Names no words of the customer: those may be deleted, and then must be gone everywhere. An incident has its own."""
    if case.get("kind"):
        return str(case["subject"])
    whom = account.name if account else case.get("author_name") or "a customer not in the CRM"
    return f"{case['category'].replace('_', ' ').capitalize()}: {whom} on {', '.join(_channels(case, fresh)).replace('_', ' ')}"[:200]
