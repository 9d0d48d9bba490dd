"""Cases: the queue by priority, and one case with its reasons, its signals and its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from caseline.cases.circumstances import say_incident, say_missed, say_outlook
from caseline.cases.ledger import count_of, told_rows
from caseline.customers import load_customer, load_customers
from caseline.errors import NotFoundError
from caseline.table import Item, Table
from caseline.timeline import load_signals
from caseline.views.paging import read_choice, read_cursor, read_limit, write_cursor
from caseline.views.timeline import signal_entry

STATUSES, SORTS = ("open", "closed"), ("priority", "newest", "waiting")
CASE_FACTS = (
    "case_key", "brand", "category", "status", "queue", "owner", "subject", "headline", "opened_at", "updated_at", "closed_at", "version",
    "signal_count", "account_id", "contact_id", "follows", "joined", "reopened", "look_at", "lower_since", "outcome", "corrected", "erased",
)
CRM_FACTS = ("name", "id", "number", "url", "sync", "error")
_SORTABLE = 5_000  # rows that the other orders read; the index keeps the order by priority alone
_CHUNK = 100
_BESIDE = frozenset({"value", "renewal", "severity"})
SIGNALS_SHOWN, REASONS = 200, 3


def list_cases(table: Table, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`{"cases": [...], "next"}`. `query`: status, sort, limit, after, and the filters band, queue, brand, owner, channel, customer_id."""
    asked = query or {}
    status, sort = read_choice("status", asked.get("status"), STATUSES, "open"), read_choice("sort", asked.get("sort"), SORTS, "priority")
    size, after = read_limit(asked.get("limit")), read_cursor("after", asked.get("after"), f"cases-{status}-{sort}")
    rows = (row for row in _ORDERS[sort](table, f"CASES#{status}", after) if _wanted(row, asked))
    page = list(islice(rows, size + 1))
    following = write_cursor(f"cases-{status}-{sort}", _position(sort, page[size - 1])) if len(page) > size else None
    return {"cases": with_customers(table, page[:size]), "next": following}


def show_case(table: Table, case_key: str, fall_after: timedelta = timedelta(0)) -> dict[str, Any]:
    """One case: the summary, every line of its priority, the CRM's record, its signals and its history, newest first.

    `fall_after` is how long the policy lets a score stand after the facts weigh less.
    """
    rows = list(table.query(f"CASE#{case_key}"))
    row = next((row for row in rows if row["SK"] == "CASE"), None)
    if row is None:
        raise NotFoundError(f"no case {case_key}")
    customer = (None if row.get("erased") else load_customer(table, row["customer_id"])) or {}  # who comes back is somebody new
    history = {entry["SK"]: _history_entry(entry) for entry in (*rows, *told_rows(row)) if str(entry["SK"]).startswith("HISTORY#")}
    return case_summary(row) | {
        "customer_id": customer.get("customer_id", row["customer_id"]), "customer": {"name": customer.get("name")},
        "priority": _priority_view(row), "outlook": say_outlook(row, fall_after) or None, "signals": _signals_of(table, row),
        "history": [history[name] for name in sorted(history, reverse=True)],
    }


def case_summary(row: Mapping[str, Any]) -> dict[str, Any]:
    crm, priority = row.get("crm") or {}, row.get("priority") or {}
    return {name: row.get(name) for name in CASE_FACTS} | ({"signal_count": count_of(row)} if row.get("parted") else {}) | {
        "customer_id": row["customer_id"], "waiting_since": _waiting_since(row) or None, "channels": sorted(row.get("channels") or ()),
        "priority": {name: priority.get(name) for name in ("score", "band", "auto_band", "override")}, "crm": {name: crm.get(name) for name in CRM_FACTS},
        "reasons": _weightiest(priority.get("lines") or ()), "missed": [miss | {"text": say_missed(miss)} for miss in row.get("missed") or ()],
        "incident": _incident_of(row),
    }


def _incident_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The incident that the case stands for, or into which it was closed; `customers` as the last count had them."""
    said = say_incident(row)
    if not said:
        return None
    return {"case_key": row.get("adopted_by") or row["case_key"], "is_this": not row.get("adopted_by"), "customers": row.get("people"), "text": said}


def _weightiest(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """The reasons that weigh most, in words, for one line; what stands beside it anyhow (category, account) is left out."""
    counted = sorted((line for line in lines if line["points"] and line["factor"] not in _BESIDE), key=lambda line: -int(line["points"]))
    return [str(line["text"]) for line in counted[:REASONS]]


def with_customers(table: Table, rows: list[Item]) -> list[dict[str, Any]]:
    """Each case with the customer its id stands for now: name and account, in one batch read."""
    customers = load_customers(table, {row["customer_id"] for row in rows if not row.get("erased")})
    return [case_summary(row) | _customer_of({} if row.get("erased") else customers.get(row["customer_id"], {}), row["customer_id"]) for row in rows]


def summarise_open(table: Table) -> dict[str, dict[str, int]]:
    """How many open cases there are of each band, queue, brand, owner and channel, from at most 5,000."""
    rows = list(islice(_by_priority(table, "CASES#open", None), _SORTABLE))
    counts = {name: Counter(str(row.get(name)) for row in rows if row.get(name)) for name in ("queue", "brand", "owner")}
    counts["band"] = Counter(_band(row) for row in rows)
    counts["channel"] = Counter(str(channel) for row in rows for channel in row.get("channels") or ())
    return {name: dict(sorted(counter.items())) for name, counter in counts.items()}


def _customer_of(customer: Mapping[str, Any], asked: str) -> dict[str, Any]:
    account = customer.get("account") or {}
    return {
        "customer_id": customer.get("customer_id", asked),
        "customer": {"name": customer.get("name"), "account": account.get("name"), "facts": dict(account.get("facts") or {})},
    }


def _priority_view(row: Mapping[str, Any]) -> dict[str, Any]:
    priority = row.get("priority") or {}
    return {name: priority.get(name) for name in ("score", "band", "auto_band", "override", "policy_version")} | {"lines": list(priority.get("lines") or ())}


def _signals_of(table: Table, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Newest first; of a storm's thousands the latest ones, `signal_count` says how many there are."""
    rows = load_signals(table, list(row.get("signal_ids") or ())[-SIGNALS_SHOWN:])
    newest = sorted(rows.values(), key=lambda signal: (signal["occurred_at"], signal["signal_id"]), reverse=True)
    return [{"type": "signal", "occurred_at": signal["occurred_at"], **signal_entry(signal)} for signal in newest]


def _history_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": str(row["SK"]).split("#")[1]} | {name: row.get(name) for name in ("what", "by", "text", "version")}


def _by_priority(table: Table, list_name: str, after: str | None) -> Iterator[Item]:
    while True:
        rows = list(table.list_rows(list_name, before=after, limit=_CHUNK))
        yield from rows
        if len(rows) < _CHUNK:
            return
        after = rows[-1]["list_rank"]


def _newest(table: Table, list_name: str, after: str | None) -> Iterator[Item]:
    rows = sorted(islice(_by_priority(table, list_name, None), _SORTABLE), key=_opened, reverse=True)
    return (row for row in rows if after is None or _opened(row) < after)


def _waiting(table: Table, list_name: str, after: str | None) -> Iterator[Item]:
    rows = sorted(islice(_by_priority(table, list_name, None), _SORTABLE), key=_waits)
    return (row for row in rows if after is None or _waits(row) > after)


_ORDERS = {"priority": _by_priority, "newest": _newest, "waiting": _waiting}


def _position(sort: str, row: Mapping[str, Any]) -> str:
    return {"priority": str(row["list_rank"]), "newest": _opened(row), "waiting": _waits(row)}[sort]


def _opened(row: Mapping[str, Any]) -> str:
    return f"{row['opened_at']}#{row['case_key']}"


def _waits(row: Mapping[str, Any]) -> str:
    return f"{_waiting_since(row) or '~'}#{row['case_key']}"


def _waiting_since(row: Mapping[str, Any]) -> str:
    """The oldest ask that nobody has answered; "" where nothing waits. An incident waits from its first signal on."""
    return str(row.get("waits_since", row.get("first_signal_at") or row["opened_at"]))


def _band(row: Mapping[str, Any]) -> str:
    return str((row.get("priority") or {}).get("band"))


def _wanted(row: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    """Filters take several values, separated by commas; an unknown value matches nothing."""
    facts: dict[str, Iterable[str]] = {name: (str(row.get(name)),) for name in ("queue", "brand", "owner", "category")}
    facts |= {"band": (_band(row),), "channel": [str(channel) for channel in row.get("channels") or ()]}
    return all(set(asked[name].split(",")) & set(values) for name, values in facts.items() if asked.get(name))
