"""How a customer feels now, for its contact and account in the CRM: worked out from the timeline, written once in a while and only when it has changed.

The row `PROFILE#<customer_id> / PROFILE` says when the next is due and what was written last (`wrote`, a hash, and `upto`, the newest signal told of).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.evidence import read_recent
from caseline.crm import Crm, Profile, ProfileEvent
from caseline.customers import load_customer
from caseline.policy_shape import CrmRules
from caseline.signals import INBOUND, OUTBOUND, isoformat, parse_time
from caseline.table import Item, Table
from caseline.timeline import LIVE

HALF_LIFE = timedelta(days=7)  # how fast a sentiment counts for less
TURN = 0.15  # a smaller difference is no trend
EVENTS = 20


@dataclass(frozen=True)
class ProfileWriter:
    table: Table
    crm: Crm
    rules: CrmRules
    clock: Callable[[], datetime]

    def write(self, row: Item) -> None:
        """Bring the CRM to what the timeline says, unless it says what was written before. CRM errors leave it due."""
        known = self.table.get(row["PK"], row["SK"]) or row
        customer = load_customer(self.table, str(row["PK"]).partition("#")[2])
        account = (customer or {}).get("account") or {}
        if customer and account.get("contact_id"):
            self._write(known, customer, account)
        else:
            self._rest(known)

    def _write(self, known: Item, customer: Item, account: Mapping[str, Any]) -> None:
        recent, answered = read_recent(self.table, customer)
        known_as = {"handles": ";".join(i for i in customer["identities"] if not i.startswith(("email:", "phone:")))}
        values = {name: value for name, value in (known_as | profile_of(recent, answered, self.clock())).items() if self.rules.is_ours(name)}
        told, wrote = str(known.get("upto", "")), _hash(account["contact_id"], values)
        fresh = [signal for signal in recent if str(signal["at"]) > told and signal["direction"] == INBOUND and signal["state"] == LIVE][-EVENTS:]
        if wrote != known.get("wrote") or fresh:
            self.crm.write_profile(Profile(account["contact_id"], account.get("account_id", ""), values, [_event(signal) for signal in fresh]))
        self._rest(known, wrote=wrote, upto=str(fresh[-1]["at"]) if fresh else told)

    def _rest(self, known: Item, **values: Any) -> None:
        """Off the list, unless it came due anew meanwhile; a window that opens now is marked by the next signal."""
        said = "SET " + ", ".join(f"{name} = :{name}" for name in values) if values else ""
        self.table.update(known["PK"], known["SK"], f"{said} REMOVE due_shard, due_at, tries".strip(), **values)


def profile_of(recent: Sequence[Item], answered: str, now: datetime) -> dict[str, Any]:
    """`Profile.values` of a customer's recent rows, oldest first."""
    own = [row for row in recent if row["direction"] == INBOUND and row["state"] == LIVE]
    scored = [(row, feeling) for row in own if (feeling := _feeling(row)) is not None]
    replied = max([answered, *(str(row["occurred_at"]) for row in recent if row["direction"] == OUTBOUND)])
    found = {
        **_sentiment(scored, now), **_ratings(own), "unanswered": sum(row["need"] == "due" and row["occurred_at"] > replied for row in own),
        "channels": ", ".join(sorted({str(row["channel"]) for row in own})), "last_contact": max((str(row["occurred_at"]) for row in own), default=None),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "")}


def _sentiment(scored: Sequence[tuple[Item, float]], now: datetime) -> dict[str, Any]:
    """What was said last counts most. The trend is where the last week stands against what was before it."""
    if not scored:
        return {}
    week = isoformat(now - HALF_LIFE)
    late, early = [pair for pair in scored if pair[0]["occurred_at"] >= week], [pair for pair in scored if pair[0]["occurred_at"] < week]
    turn = _mean(late, now) - _mean(early, now) if late and early else 0.0
    return {"sentiment": round(_mean(scored, now), 2), "sentiment_trend": "rising" if turn > TURN else "falling" if turn < -TURN else "steady"}


def _mean(scored: Iterable[tuple[Item, float]], now: datetime) -> float:
    weighed = [(0.5 ** (max(0.0, (now - parse_time(row["occurred_at"])).total_seconds()) / HALF_LIFE.total_seconds()), feeling) for row, feeling in scored]
    total = sum(weight for weight, _ in weighed)
    return sum(weight * feeling for weight, feeling in weighed) / total if total else 0.0


def _feeling(row: Item) -> float | None:
    """From -1 to 1; None for what analysis could not score."""
    said = row["assessment"]
    return None if said.get("unscored") else float(said.get("positive", 0)) - float(said.get("negative", 0))


def _ratings(own: Sequence[Item]) -> dict[str, Any]:
    """The last answer of each metric."""
    return {f"last_{row['rating']['metric']}": row["rating"]["value"] for row in own if row.get("rating") and row["rating"]["metric"] in ("nps", "csat", "ces")}


def _event(row: Item) -> ProfileEvent:
    rating, feeling = row.get("rating"), _feeling(row)
    words = f"{row['channel']} {row['kind']}, {row['assessment'].get('sentiment') or 'not scored'}, about {row.get('category') or 'unknown'}"
    return ProfileEvent(
        row["signal_id"], row["occurred_at"], row["channel"], row["kind"], words, None if feeling is None else round(feeling, 2),
        f"{rating['metric']} {rating['value']:g} of {rating['high']:g}" if rating else "",
    )  # fmt: skip


def _hash(contact_id: str, values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([contact_id, values], sort_keys=True, default=str).encode()).hexdigest()[:16]
