"""What was authentic but not understood: kept whole, listed, replayed or dropped."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import expiry

KEPT, REPLAYED, DROPPED = "kept", "replayed", "dropped"
RAW_LIMIT = 300_000  # bytes; an item may have 400 KB
_SAID = ("list_name", "list_rank", "raw", "raw_z", "headers", "url")


def quarantine_row(envelope: Mapping[str, Any], unreadable: Mapping[str, Any], delivery: str, retention: timedelta) -> Item:
    """One unreadable item, or a whole payload; its id follows from the delivery, so a redelivery changes nothing."""
    quarantine_id = "qua_" + hashlib.sha256(delivery.encode()).hexdigest()[:24]
    received_at = parse_time(envelope["received_at"])
    raw = unreadable.get("raw")
    return quarantine_key(quarantine_id) | {
        "type": "quarantine", "schema": 1, "id": quarantine_id,
        "brand": envelope.get("brand", ""), "channel": envelope["channel"], "source": envelope["source"],
        "reason": unreadable["reason"], "field": unreadable.get("field", ""),
        **_pack(raw if isinstance(raw, str) else json.dumps(raw), bool(unreadable.get("whole"))),
        "whole": bool(unreadable.get("whole")), "headers": json.dumps(unreadable.get("headers") or {}), "url": unreadable.get("url") or "", "state": KEPT,
        "received_at": isoformat(received_at), "deliveries": {delivery}, "expires": expiry(received_at, retention),
        "list_name": "QUARANTINE", "list_rank": f"{isoformat(received_at)}#{quarantine_id}",
    }


def dropped_row(row: Item) -> Item:
    """That there was a payload, and nothing of what it said."""
    return {name: value for name, value in row.items() if name not in _SAID} | {"state": DROPPED}


def read_raw(row: Mapping[str, Any]) -> str | None:
    """The payload as it was kept: base64 of a whole one, else the item's text; None once it was dropped."""
    if "raw_z" not in row:
        return row.get("raw")
    data = zlib.decompress(bytes(row["raw_z"]))
    return base64.b64encode(data).decode() if row["whole"] else data.decode("utf-8", "ignore")


def _pack(raw: str, whole: bool) -> Item:
    """A long payload is compressed; one that is too long for an item even then is cut, and no longer fit for a replay."""
    text = raw.encode("utf-8", "replace")
    if len(text) <= RAW_LIMIT:
        return {"raw": text.decode()}
    data = base64.b64decode(raw) if whole else text
    packed = zlib.compress(data)
    return {"raw_z": packed} if len(packed) <= RAW_LIMIT else {"raw_z": zlib.compress(data[:RAW_LIMIT]), "cut": True}


def quarantine_key(quarantine_id: str) -> Item:
    return key(f"QUARANTINE#{quarantine_id}", "QUARANTINE")


def list_quarantine(table: Table, limit: int = 100, before: str | None = None) -> list[Item]:
    """What waits for a decision, newest first."""
    return list(table.list_rows("QUARANTINE", before=before, limit=limit))


def load_quarantined(table: Table, quarantine_id: str) -> Item | None:
    return table.get(f"QUARANTINE#{quarantine_id}", "QUARANTINE")


def mark_replayed(table: Table, quarantine_id: str, brought: int) -> bool:
    """Take the item off the list after its replay, with how many signals that brought; False if someone already did. Its words stand in those signals now."""
    try:
        expression = f"SET state = :replayed, brought = :brought REMOVE {', '.join(_SAID)}"
        table.update(
            f"QUARANTINE#{quarantine_id}", "QUARANTINE", expression, "state = :kept", replayed=REPLAYED, kept=KEPT, brought=brought,
        )
    except ConditionFailed:
        return False
    return True


def drop(table: Table, quarantine_id: str) -> bool:
    """Forget the payload for good; the fact that there was one stays in the counts."""
    try:
        expression = f"SET state = :dropped REMOVE {', '.join(_SAID)}"
        table.update(f"QUARANTINE#{quarantine_id}", "QUARANTINE", expression, "attribute_exists(PK)", dropped=DROPPED)
    except ConditionFailed:
        return False
    return True
