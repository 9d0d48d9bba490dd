"""What was authentic but not understood: kept whole, listed, replayed or dropped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import expiry

KEPT, REPLAYED, DROPPED = "kept", "replayed", "dropped"
RAW_LIMIT = 300_000  # bytes; an item may have 400 KB


def quarantine_row(envelope: Mapping[str, Any], unreadable: Mapping[str, Any], delivery: str, retention: timedelta) -> Item:
    """One unreadable item, or a whole payload; its id follows from the delivery, so a redelivery changes nothing."""
    quarantine_id = "qua_" + hashlib.sha256(delivery.encode()).hexdigest()[:24]
    received_at = parse_time(envelope["received_at"])
    raw = unreadable.get("raw")
    return quarantine_key(quarantine_id) | {
        "type": "quarantine", "schema": 1, "id": quarantine_id,
        "brand": envelope.get("brand", ""), "channel": envelope["channel"], "source": envelope["source"],
        "reason": unreadable["reason"], "field": unreadable.get("field", ""), "raw": _cut(raw if isinstance(raw, str) else json.dumps(raw)),
        "whole": bool(unreadable.get("whole")), "headers": json.dumps(unreadable.get("headers") or {}), "url": unreadable.get("url") or "", "state": KEPT,
        "received_at": isoformat(received_at), "deliveries": {delivery}, "expires": expiry(received_at, retention),
        "list_name": "QUARANTINE", "list_rank": f"{isoformat(received_at)}#{quarantine_id}",
    }


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:RAW_LIMIT].decode("utf-8", "ignore")


def quarantine_key(quarantine_id: str) -> Item:
    return key(f"QUARANTINE#{quarantine_id}", "QUARANTINE")


def list_quarantine(table: Table, limit: int = 100, before: str | None = None) -> list[Item]:
    """What waits for a decision, newest first."""
    rows = table.query("QUARANTINE", index="lists", before=before, limit=limit, newest_first=True)
    return [row for row, _ in zip(rows, range(limit), strict=False)]


def load_quarantined(table: Table, quarantine_id: str) -> Item | None:
    return table.get(f"QUARANTINE#{quarantine_id}", "QUARANTINE")


def mark_replayed(table: Table, quarantine_id: str) -> bool:
    """Take the item off the list before its replay; False if someone already did."""
    try:
        table.update(
            f"QUARANTINE#{quarantine_id}", "QUARANTINE", "SET state = :replayed REMOVE list_name, list_rank", "state = :kept",
            replayed=REPLAYED, kept=KEPT,
        )
    except ConditionFailed:
        return False
    return True


def drop(table: Table, quarantine_id: str) -> bool:
    """Forget the payload for good; the fact that there was one stays in the counts."""
    try:
        expression = "SET state = :dropped REMOVE list_name, list_rank, raw"
        table.update(f"QUARANTINE#{quarantine_id}", "QUARANTINE", expression, "attribute_exists(PK)", dropped=DROPPED)
    except ConditionFailed:
        return False
    return True
