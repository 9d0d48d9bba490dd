"""What judgement looks at: the signals of a case, the customer's other signals, the account."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from caseline.assessment import Assessment
from caseline.cases.answering import replies_to
from caseline.crm import Account
from caseline.customers import identity_key
from caseline.deadlines import waited_share, ways_of
from caseline.need import is_star_only
from caseline.policy import Policy
from caseline.priority import Evidence, Priority
from caseline.priority.model import prioritise
from caseline.reposts import audience_of, engagement_of
from caseline.signals import INBOUND, OWN_CHANNEL, parse_time
from caseline.table import Item, Table
from caseline.timeline import read_signal
from caseline.turns import turns_of

UNKNOWN = "unknown"
LOOK_BACK = timedelta(days=30)
RECENT = 50  # rows of each identity that a person's state is worked out from
WEIGHED = 10  # rows of each identity that judging a case reads: with more, a signal would cost more where the history is long
IDENTITIES = 10


@dataclass(frozen=True)
class Scene:
    """The customer's recent signals, the keys of its other open cases, and what the CRM says. `notes`: what agents told the customer there; `rests`: when
    the case that is judged was closed before."""

    recent: Sequence[Item]
    others: frozenset[str]
    account: Account | None
    stale: bool
    candidates: int
    now: datetime
    notes: Sequence[Item] = ()
    rests: Sequence[str] = ()

    def replies_to(self, signals: Sequence[Item]) -> list[str]:
        return replies_to(signals, [*self.recent, *self.notes], self.others)


def read_recent(table: Table, customer: Mapping[str, Any], until: str = "", most: int = RECENT) -> tuple[list[Item], list[Item]]:
    """The newest signals of a customer over all identities, one query for each, and what agents told the customer in the CRM; those up to `until`."""
    before = f"{until}~" if until else None
    rows: list[Item] = []
    for identity in customer["identities"][:IDENTITIES]:
        found = table.query(identity_key(identity, customer.get("scope", "")), index="timeline", before=before, newest_first=True, limit=most)
        rows += islice(found, most)
    notes = [row for row in rows if row["type"] == "note" and row.get("answers")]
    return sorted((row for row in rows if row["type"] == "signal"), key=lambda row: str(row["at"])), notes


def judge(policy: Policy, signals: Sequence[Item], category: str, scene: Scene, override: Mapping[str, Any] | None) -> tuple[Priority, str]:
    """The priority of a case is that of the signal that weighs most in it, whose id comes with it."""
    ask = oldest_ask(signals, scene)
    seen = [(str(row["signal_id"]), evidence_of(policy, row, signals, _graver(policy, row, category), scene)) for row in signals]
    found = ((prioritise(policy, _with_wait(policy, evidence, ask, scene), override), signal_id) for signal_id, evidence in seen)
    return max(found, key=lambda pair: (pair[0].score, _without_floor(pair[0]), pair[1]))  # of equals always the same, whatever came first


def _without_floor(priority: Priority) -> int:
    return sum(line.points for line in priority.lines if line.factor != "floor")


def evidence_of(policy: Policy, row: Item, signals: Sequence[Item], category: str, scene: Scene) -> Evidence:
    signal = read_signal(row)
    return Evidence(
        assessment=Assessment.from_json(row["assessment"]), now=scene.now, account=scene.account, account_stale=scene.stale, ambiguous=scene.candidates > 0,
        candidates=scene.candidates,
        public=signal.public, audience=audience_of(row), velocity=velocity(row, scene), category=category, ask=row["need"] == "due",
        star_only=is_star_only(signal),
        unresolved=len(scene.others), same_category=_same_category(signals, category, scene), signal_at=row["occurred_at"],
    )


def _with_wait(policy: Policy, evidence: Evidence, ask: Item | None, scene: Scene) -> Evidence:
    """How much of its target the ask has waited: of the band that all but the wait comes to, so that the line and the deadline tell the same."""
    if ask is None:
        return evidence
    band = prioritise(policy, evidence).auto_band
    waited = waited_share(policy, parse_time(ask["occurred_at"]), scene.now, band, ways_of(ask), str(ask.get("brand") or ""))
    return replace(evidence, waits=True, waited=waited)


def _graver(policy: Policy, row: Item, category: str) -> str:
    """A thread about an invoice in which somebody wants to cancel weighs as that: the graver of what the case and the signal are about."""
    own = str(row.get("category") or UNKNOWN)
    return own if own != UNKNOWN and policy.severity.get(own, 0) > policy.severity.get(category, 0) else category


def velocity(row: Mapping[str, Any], scene: Scene) -> float:
    """Engagement per hour over the author's usual, which is taken as the median of its other posts, at least one an hour."""
    if not engagement_of(row):
        return 0.0
    usual = sorted(_per_hour(other, scene.now) for other in scene.recent if other["signal_id"] != row["signal_id"] and engagement_of(other))
    return _per_hour(row, scene.now) / max(1.0, usual[len(usual) // 2] if usual else 1.0)


def _per_hour(row: Mapping[str, Any], now: datetime) -> float:
    hours = max(1.0, (now - parse_time(row["occurred_at"])).total_seconds() / 3600)
    return engagement_of(row) / math.ceil(hours)


def _same_category(signals: Sequence[Item], category: str, scene: Scene) -> int:
    """Earlier contacts on the same category that are not part of this case."""
    own = {row["signal_id"] for row in signals}
    since = scene.now - LOOK_BACK
    asks = [row for row in scene.recent if row["need"] == "due" and row["direction"] == INBOUND and row.get("category") == category]
    return sum(row["signal_id"] not in own and parse_time(row["occurred_at"]) >= since for row in asks)


def oldest_ask(signals: Sequence[Item], scene: Scene) -> Item | None:
    """The first of the signals that nobody has answered since, and whose case nobody has closed since; changed to ask anew, it is said then."""
    replied = max(["", *scene.rests, *scene.replies_to(signals)])
    asks = [row for row in turns_of(filter(asks_for_reply, signals)) if row["occurred_at"] > replied]
    return min(asks, key=lambda row: str(row["occurred_at"]), default=None)


def asks_for_reply(row: Item) -> bool:
    """What a customer said waits for a reply; what Caseline itself found does not, for nobody asked."""
    return bool(row["direction"] == INBOUND and row["channel"] != OWN_CHANNEL)
