"""How a customer feels now, for its contact and account in the CRM: worked out from the timeline, written once in a while and only when it has changed.

The row `PROFILE#<customer_id> / PROFILE` says when the next is due and what was written last (`wrote`, a hash, and `upto`, the newest signal told of),
and on which contact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.crm import Crm, Profile, ProfileEvent
from caseline.customers import load_customer
from caseline.health.history import History, decayed_mean, read_history
from caseline.health.score import MOOD, health_value
from caseline.policy import Policy
from caseline.recalls import OWED, Recalls, owe
from caseline.reports.rows import feeling_of
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table

TURN = 0.15  # a smaller difference is no trend
EVENTS = 20


@dataclass(frozen=True)
class ProfileWriter:
    table: Table
    crm: Crm
    policy: Policy
    clock: Callable[[], datetime]
    active: bool = True

    def write(self, row: Item) -> None:
        """Bring the CRM to what the timeline says, unless it says what was written before; of who was erased, take that back. CRM errors leave it due."""
        known = self.table.get(row["PK"], row["SK"]) or row
        if known.get(OWED):
            Recalls(self.table, self.crm, self.policy).take_back(known)
            return
        customer = load_customer(self.table, str(row["PK"]).partition("#")[2])
        account = (customer or {}).get("account") or {}
        if self.active and customer and account.get("contact_id"):
            self._write(known, customer, account)
        else:
            with suppress(ConditionFailed):
                self._rest(known)

    def _write(self, known: Item, customer: Item, account: Mapping[str, Any]) -> None:
        history = read_history(self.table, customer, self.clock())
        known_as = {"handles": ";".join(i for i in customer["identities"] if not i.startswith(("email:", "phone:")))}
        values = {name: value for name, value in (known_as | profile_of(self.policy, history)).items() if self.policy.crm.is_ours(name)}
        told, wrote = str(known.get("upto", "")), _hash(account["contact_id"], values)
        fresh = [signal for signal in history.heard if str(signal["at"]) > told][-EVENTS:]
        if wrote != known.get("wrote") or fresh:
            self.crm.write_profile(Profile(account["contact_id"], account.get("account_id", ""), values, [_event(signal) for signal in fresh]))
        try:
            self._rest(known, wrote=wrote, upto=str(fresh[-1]["at"]) if fresh else told, contact=account["contact_id"])
        except ConditionFailed:  # erased while it was written
            owe(self.table, known, account["contact_id"], "", isoformat(self.clock()))

    def _rest(self, known: Item, **values: Any) -> None:
        """Off the list, unless it came due anew meanwhile; a window that opens now is marked by the next signal."""
        said = "SET " + ", ".join(f"{name} = :{name}" for name in values) if values else ""
        same = f"attribute_not_exists({OWED})" + (" AND attribute_exists(PK)" if "due_at" in known else "")
        self.table.update(known["PK"], known["SK"], f"{said} REMOVE due_shard, due_at, tries".strip(), same, **values)


def profile_of(policy: Policy, history: History) -> dict[str, Any]:
    """`Profile.values` of a customer."""
    heard = history.heard
    found = {
        **_sentiment(history), **_ratings(heard), "unanswered": len(history.unanswered), "health": health_value(policy, history),
        "channels": ", ".join(sorted({str(row["channel"]) for row in heard})), "last_contact": max((str(row["occurred_at"]) for row in heard), default=None),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "")}


def _sentiment(history: History) -> dict[str, Any]:
    """What was said last counts most. The trend is where the last week stands against what was before it."""
    mood, week = decayed_mean(history.feelings, history.now, MOOD), isoformat(history.now - MOOD)
    if mood is None:
        return {}
    late = decayed_mean([pair for pair in history.feelings if pair[0]["occurred_at"] >= week], history.now, MOOD)
    early = decayed_mean([pair for pair in history.feelings if pair[0]["occurred_at"] < week], history.now, MOOD)
    turn = late - early if late is not None and early is not None else 0.0
    return {"sentiment": round(mood, 2), "sentiment_trend": "rising" if turn > TURN else "falling" if turn < -TURN else "steady"}


def _ratings(own: Sequence[Item]) -> dict[str, Any]:
    """The last answer of each metric."""
    return {f"last_{row['rating']['metric']}": row["rating"]["value"] for row in own if row.get("rating") and row["rating"]["metric"] in ("nps", "csat", "ces")}


def _event(row: Item) -> ProfileEvent:
    rating, feeling = row.get("rating"), feeling_of(row)
    words = f"{row['channel']} {row['kind']}, {row['assessment'].get('sentiment') or 'not scored'}, about {row.get('category') or 'unknown'}"
    return ProfileEvent(
        row["signal_id"], row["occurred_at"], row["channel"], row["kind"], words, None if feeling is None else round(feeling, 2),
        f"{rating['metric']} {rating['value']:g} of {rating['high']:g}" if rating else "",
    )  # fmt: skip


def _hash(contact_id: str, values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([contact_id, values], sort_keys=True, default=str).encode()).hexdigest()[:16]
