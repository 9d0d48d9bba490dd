"""Signal rows: how a signal stands in the table, and how it is read back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from caseline.assessment import Assessment
from caseline.customers import identity_key
from caseline.signals import DELETED, SCORES, Signal, isoformat
from caseline.table import Item, Table, key

if TYPE_CHECKING:
    from caseline.need import Need

LIVE, GONE, EXPECTED = "live", "deleted", "expected"
COMPRESS_FROM = 1_000  # bytes: below it zlib saves no write unit
TEXT_LIMIT = 300_000  # bytes as stored; an item may have 400 KB
FACTS = "channel source native_id kind direction public revision author_name agent language url thread_id parent_id reach engagement provider_sentiment".split()

ERASED: Item = {"need": "none", "need_reason": "deleted", "assessment": {"unscored": "deleted"}}


def signal_key(signal_id: str) -> Item:
    return key(f"SIGNAL#{signal_id}", "SIGNAL")


def load_signals(table: Table, signal_ids: Iterable[str]) -> dict[str, Item]:
    """The rows that exist, by signal id."""
    rows = table.get_many([signal_key(signal_id) for signal_id in signal_ids])
    return {row["signal_id"]: row for row in rows}


def signal_row(signal: Signal, brand: str, scope: str, assessment: Assessment, need: Need, delivery: str, retention: timedelta) -> Item:
    """The base row of a signal; the index `timeline` carries it under the customer's native identity."""
    row: Item = signal_key(signal.signal_id) | {
        "type": "signal", "schema": 1, "signal_id": signal.signal_id, "state": GONE if signal.action == DELETED else LIVE, "brand": brand,
        "occurred_at": isoformat(signal.occurred_at), "received_at": isoformat(signal.received_at), "rank": rank_of(signal), "born": signal.action,
        "identities": list(signal.identities), "deliveries": {delivery}, "revisions": 0, "expires": expiry(signal.received_at, retention),
    }
    row |= {name: getattr(signal, name) for name in FACTS if getattr(signal, name) is not None}
    row |= ERASED if signal.action == DELETED else content_of(signal, assessment, need)
    row |= placement(signal.identities, row["occurred_at"], signal.signal_id, scope)
    return row | listing(row)


def listing(row: Mapping[str, Any]) -> Item:
    """The keys that list a live answer to a survey by brand and month of its time, so that reports read those alone; none for any other row."""
    if row.get("state") != LIVE or (row.get("rating") or {}).get("metric") not in SCORES:
        return {}
    return {"list_name": score_list(row["brand"], row["occurred_at"]), "list_rank": f"{row['occurred_at']}#{row['signal_id']}"}


def score_list(brand: str, moment: str) -> str:
    return f"SCORES#{brand}#{moment[:7]}"


def content_of(signal: Signal, assessment: Assessment, need: Need) -> Item:
    """What an edit replaces: words, rating, what analysis says of them, and the need that follows."""
    content: Item = {"need": need.state, "need_reason": need.reason, "category": need.category, "assessment": assessment.to_json()}
    if signal.rating:
        content["rating"] = {"metric": signal.rating.metric, "value": signal.rating.value, "low": signal.rating.low, "high": signal.rating.high}
    if signal.attributes:
        content["attributes"] = json.dumps(signal.attributes, ensure_ascii=False)
    return content | stored_text(signal.text)


def placement(identities: Iterable[str], occurred_at: str, signal_id: str, scope: str) -> Item:
    """The index keys; none for a signal whose customer is not known yet."""
    first = next(iter(identities), None)
    return {"identity": identity_key(first, scope), "at": f"{occurred_at}#{signal_id}"} if first else {}


def stored_text(text: str | None) -> Item:
    """`text`, or `text_z` compressed; a text past the item limit is cut and marked."""
    if not text:
        return {}
    data = text.encode("utf-8", "replace")
    if len(data) < COMPRESS_FROM:
        return {"text": data.decode()}
    packed = zlib.compress(data)
    if len(packed) <= TEXT_LIMIT:
        return {"text_z": packed}
    return {"text_z": zlib.compress(data[:TEXT_LIMIT].decode("utf-8", "ignore").encode()), "text_cut": True}


def read_text(row: Mapping[str, Any]) -> str | None:
    """The text of a row, however it is stored."""
    packed = row.get("text_z")
    if packed is None:
        return row.get("text")
    return zlib.decompress(bytes(packed)).decode("utf-8", "replace")


def read_attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["attributes"])) if row.get("attributes") else {}


def read_signal(row: Mapping[str, Any]) -> Signal:
    """The signal a row was made from, as far as judgement needs it."""
    facts = {name: row[name] for name in (*FACTS, "rating", "occurred_at", "received_at") if name in row}
    return Signal.from_json(facts | {"identities": row.get("identities", []), "text": read_text(row), "attributes": read_attributes(row)})


def rank_of(signal: Signal) -> str:
    """Orders versions of one item: by the platform's revision, then by when we received it."""
    return f"{signal.revision} {isoformat(signal.received_at)}"  # a space sorts before every revision


def expiry(received_at: datetime, retention: timedelta) -> int:
    return int((received_at + retention).timestamp())


def fingerprint(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two versions differ; the time and the delivery do not."""
    rating = row.get("rating") or {}
    facts = (row.get("kind"), row.get("direction"), row.get("author_name"), row.get("engagement"), row.get("reach"), row.get("thread_id"), row.get("parent_id"))
    return (*facts, read_text(row) or "", rating.get("metric"), rating.get("value"), row.get("attributes"))
