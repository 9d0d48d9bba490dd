"""What must hold after every scenario, whatever happened in it: each check gives the violations it found, as sentences.

`get(path)` asks the JSON API (or the views behind it) and gives the answer's JSON; rows are items of the table as plain values.

    problems = check_all(Evidence(get, rows, inputs, logs, words={"quokka"}), at_rest=True)
    assert problems == []
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Get = Callable[[str], Any]
Row = Mapping[str, Any]
OUTCOMES = ("recorded", "revised", "duplicates", "quarantined", "in_flight")
PAGE_SIZES = (3, 200)


@dataclass(frozen=True)
class Evidence:
    """`inputs` are the inputs of executions, `logs` the logs' text, `words` what customers wrote or what is secret: neither may hold them."""

    get: Get
    rows: Sequence[Row] = ()
    inputs: Sequence[str] = ()
    logs: str = ""
    words: Collection[str] = ()
    sent: Collection[str] = field(default_factory=tuple)  # signal ids that were answered 2xx


def check_all(evidence: Evidence, at_rest: bool = True) -> list[str]:
    return [
        *check_balance(evidence.get("/api/v1/stats"), at_rest),
        *check_rows(evidence.rows, evidence.sent, evidence.get("/api/v1/stats")["total"]),
        *check_claims(evidence.rows),
        *check_timelines(evidence.get, evidence.rows),
        *check_priorities(evidence.get),
        *check_words("the state machine's input", evidence.inputs, evidence.words),
        *check_words("the logs", [evidence.logs], evidence.words),
    ]


def check_balance(stats: Mapping[str, Any], at_rest: bool = True) -> Iterator[str]:
    """accepted = recorded + revised + duplicates + quarantined + in flight, per source and in all; at rest nothing is under way."""
    for name, counts in {**stats["sources"], "total": stats["total"]}.items():
        if counts["accepted"] != sum(counts[outcome] for outcome in OUTCOMES):
            yield f"{name} does not balance: {counts}"
        if counts["in_flight"] < 0 or (at_rest and counts["in_flight"]):
            yield f"{name} has {counts['in_flight']} in flight"
    if at_rest and stats["total"]["pending"]:
        yield f"{stats['total']['pending']} pending"


def check_rows(rows: Iterable[Row], sent: Collection[str], total: Mapping[str, int]) -> Iterator[str]:
    """One row for each signal that was accepted, and as many as were counted."""
    found = Counter(str(row["signal_id"]) for row in rows if row.get("type") == "signal" and row["state"] != "expected")
    yield from (f"{signal_id} has {count} rows" for signal_id, count in found.items() if count > 1)
    yield from (f"{signal_id} was accepted and has no row" for signal_id in sorted(set(sent) - set(found)))
    if len(found) != total["recorded"]:
        yield f"{len(found)} signals stand in the table, {total['recorded']} were counted"


def check_claims(rows: Sequence[Row]) -> Iterator[str]:
    """At most one open case for each customer (after all merges), brand and category; each case has a CRM record of its own."""
    merged = {str(row["customer_id"]): str(row["merged_into"]) for row in rows if row.get("type") == "customer" and row.get("merged_into")}
    open_cases: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.get("type") == "case" and row["status"] == "open":
            open_cases[_root(merged, str(row["customer_id"])), str(row["brand"]), str(row["category"])].append(str(row["PK"]))
    yield from (f"{claim} has {len(cases)} open cases" for claim, cases in open_cases.items() if len(cases) > 1)
    records = Counter(str(row["crm"]["id"]) for row in rows if row.get("type") == "case" and (row.get("crm") or {}).get("id"))
    yield from (f"CRM case {crm_id} stands for {count} cases" for crm_id, count in records.items() if count > 1)


def _root(merged: Mapping[str, str], customer_id: str) -> str:
    while customer_id in merged:
        customer_id = merged[customer_id]
    return customer_id


def check_timelines(get: Get, rows: Sequence[Row], most: int = 50) -> Iterator[str]:
    """Each customer's timeline (of up to `most` customers) is complete, sorted, without doubles, and the same for every page size."""
    merged = {str(row["customer_id"]): str(row["merged_into"]) for row in rows if row.get("type") == "customer" and row.get("merged_into")}
    customers = [row for row in rows if row.get("type") == "customer" and not row.get("merged_into")][:most]
    placed: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.get("type") == "signal" and row.get("identity") and row["state"] != "expected":
            placed[str(row["identity"])].add(str(row["signal_id"]))
    for customer in customers:
        expected = {signal_id for identity in customer["identities"] for signal_id in placed.get(_partition(customer, identity), ())}
        yield from check_timeline(get, str(customer["customer_id"]), expected)
    yield from (f"{child} is merged into {parent}, which is nobody" for child, parent in merged.items() if not _exists(rows, parent))


def _partition(customer: Row, identity: str) -> str:
    scope = customer.get("scope")
    return f"IDENTITY#{scope}|{identity}" if scope else f"IDENTITY#{identity}"


def _exists(rows: Sequence[Row], customer_id: str) -> bool:
    return any(row.get("type") == "customer" and row["customer_id"] == customer_id for row in rows)


def check_timeline(get: Get, customer_id: str, expected: Collection[str] | None = None) -> Iterator[str]:
    """`expected`: the signal ids that must be there, no more and no fewer."""
    read = [read_timeline(get, customer_id, size) for size in PAGE_SIZES]
    if read[0] != read[1]:
        yield f"{customer_id}'s timeline differs between page sizes"
    times = [entry["occurred_at"] for entry in read[-1]]
    if times != sorted(times, reverse=True):
        yield f"{customer_id}'s timeline is not sorted"
    signals = Counter(entry["signal_id"] for entry in read[-1] if entry["type"] == "signal")
    if any(count > 1 for count in signals.values()):
        yield f"{customer_id}'s timeline has an entry twice"
    if expected is not None and set(signals) != set(expected):
        yield f"{customer_id}'s timeline lacks {len(set(expected) - set(signals))} signals and has {len(set(signals) - set(expected))} of others"


def read_timeline(get: Get, customer_id: str, size: int) -> list[dict[str, Any]]:
    """All entries, page by page."""
    return _read_pages(get, f"/api/v1/customers/{customer_id}/timeline?limit={size}", "before", "entries")


def _read_pages(get: Get, path: str, cursor: str, name: str) -> list[dict[str, Any]]:
    page = get(path)
    found = list(page[name])
    while page["next"]:
        page = get(f"{path}&{cursor}={quote(page['next'])}")
        found += page[name]
    return found


def check_priorities(get: Get, most: int = 50) -> Iterator[str]:
    """The lines of each case (of up to `most`) sum to its score, and the queue is in the order of the scores."""
    cases = _read_pages(get, "/api/v1/cases?status=open&sort=priority&limit=200", "after", "cases")
    scores = [case["priority"]["score"] for case in cases]
    if scores != sorted(scores, reverse=True):
        yield "the queue is not in the order of priority"
    for case in cases[:most]:
        priority = get(f"/api/v1/cases/{case['case_key']}")["priority"]
        if sum(line["points"] for line in priority["lines"]) != priority["score"]:
            yield f"the lines of {case['case_key']} do not sum to {priority['score']}"


def check_words(place: str, texts: Iterable[str], words: Collection[str]) -> Iterator[str]:
    """Nothing that a customer wrote and no secret stands there. The word itself is not repeated."""
    for text in texts:
        found = sum(word in text or json.dumps(word)[1:-1] in text for word in words)
        if found:
            yield f"{place} holds {found} of the words it must not hold"
