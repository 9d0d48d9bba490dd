"""A customer's timeline: the merge of the index partitions of all their identities, newest first, each entry once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from caseline.customers import load_customer
from caseline.errors import NotFoundError
from caseline.explanations import say_need, say_origin, say_split
from caseline.newest import newest_rows, with_cases
from caseline.table import Table
from caseline.timeline import read_text
from caseline.views.paging import read_cursor, read_limit, write_cursor

SIGNAL_FACTS = (
    "signal_id", "channel", "source", "brand", "kind", "direction", "public", "state", "author_name", "agent", "language", "rating", "url",
    "thread_id", "parent_id", "reach", "engagement", "received_at", "assessment", "need", "need_reason", "category", "case_key", "case_rule", "case_why",
    "revisions",
)


def read_timeline(table: Table, customer_id: str, limit: str | None = None, before: str | None = None) -> dict[str, Any]:
    """`{"entries": [...], "next"}`: a page of at most `limit` entries older than the cursor `before`."""
    customer = load_customer(table, customer_id)
    if customer is None:
        raise NotFoundError(f"no customer {customer_id}")
    size, cursor = read_limit(limit), read_cursor("before", before, "timeline")
    page = list(islice(newest_rows(table, customer, size + 1, cursor), size + 1))
    following = write_cursor("timeline", page[size - 1]["at"]) if len(page) > size else None
    return {"customer_id": customer["customer_id"], "entries": [entry_of(row) for row in with_cases(table, page[:size])], "next": following}


def entry_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """One timeline entry: signal, case, note or link. Only signals have text, the others a summary."""
    kind = "link" if row["type"] == "customer" else row["type"]
    return {"type": kind, "occurred_at": _moment(row), **_ENTRIES[kind](row)}


def signal_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: row.get(name) for name in SIGNAL_FACTS}
    said = {"need_reason": row.get("need_reason") or None, "need_text": say_need(row) or None}
    return facts | said | {"identity": plain_identity(row), "text": read_text(row)}


def plain_identity(row: Mapping[str, Any]) -> str | None:
    """`namespace:id` of a row's partition, without the scope."""
    partition = str(row.get("identity") or "").removeprefix("IDENTITY#")
    scope = row.get("scope") or row.get("brand") or ""
    return partition.removeprefix(f"{scope}|") or None


def _case_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    priority = row.get("priority") or {}
    facts = {name: row.get(name) for name in ("case_key", "brand", "category", "status", "queue")}
    summary = f"Case opened: {row.get('headline') or row.get('subject') or row['category']}"
    return facts | {"priority": {name: priority.get(name) for name in ("score", "band")}, "summary": summary}


def _note_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"case_key": str(row["PK"]).removeprefix("CASE#"), "by": row.get("by"), "summary": row.get("summary") or row.get("text") or "Note"}


def _link_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    identity = plain_identity(row)
    if row.get("what") == "split":
        return _split_entry(row)
    why = f": {row['why']}" if row.get("why") else ""
    facts = {"what": "linked", "by": row.get("linked_by"), "why": row.get("why"), "provenance": row.get("provenance"), "trust": row.get("trust")}
    return {"identity": identity, **facts, "summary": f"{identity} was linked to this customer by {row.get('linked_by') or say_origin(row)}{why}"}


def _split_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    customers, said = [row.get("from"), row.get("split")], say_split(row)
    facts = {"what": "split", "by": row.get("by"), "why": row.get("why"), "undone": row.get("undone") or {}, "customers": customers}
    return facts | {"summary": said[:1].upper() + said[1:]}


def _moment(row: Mapping[str, Any]) -> str:
    return str(row.get("occurred_at") or str(row["at"]).partition("#")[0])


_ENTRIES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"signal": signal_entry, "case": _case_entry, "note": _note_entry, "link": _link_entry}
