"""Reports and facts as they are asked for: which window, which brand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from caseline.config_text import suggest
from caseline.errors import QueryError
from caseline.policy import Policy
from caseline.reports.reading import Facts, Reader, Window
from caseline.reports.report import make_report
from caseline.signals import isoformat, parse_time
from caseline.table import Table
from caseline.views.paging import read_cursor, write_cursor

USUAL = timedelta(days=30)
PAGES = 60  # of one answer; more are read page by page
CURSOR = "metrics"


def read_report(table: Table, policy: Policy, brands: Iterable[str], scopes: Iterable[str], query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """QueryError where there is too much for one answer."""
    known = set(brands)
    window, reader = read_window(query, known, now), _reader(table, policy, scopes, now)
    facts: Facts = []
    after = ""
    for _ in range(PAGES):
        page, after = reader.read(window, after)
        facts += page
        if not after:
            if problem := find_slip(query.get("brand"), known, facts):
                raise QueryError("brand", problem)
            return make_report(window, facts, isoformat(now), _rules(policy))
    raise QueryError("from", "there is too much for one answer; `caseline report` reads it page by page, or write a shorter window")


def read_facts(table: Table, policy: Policy, brands: Iterable[str], scopes: Iterable[str], query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    known = set(brands)
    window = read_window(query, known, now)
    after = read_cursor("after", query.get("after"), CURSOR) or ""
    if after and after.partition("|")[0] not in window.lists:
        raise QueryError("after", "this is not a cursor of this window; use the value of `next` as it was given")
    facts, following = _reader(table, policy, scopes, now).read(window, after)
    told = {"from": isoformat(window.since), "to": isoformat(window.until), "brands": list(window.brands), "as_of": isoformat(now), "policy": _rules(policy)}
    told |= {"known_brands": sorted(known)}
    return {"facts": facts, "next": write_cursor(CURSOR, following) if following else None} | told


def find_slip(brand: str | None, known: Collection[str], facts: Facts) -> str:
    """A brand that no source has any more may still have facts; one that has neither is a slip."""
    return f"nothing is known of a brand {brand!r}{suggest(brand, sorted(known))}" if brand and brand not in known and not facts else ""


def read_window(query: Mapping[str, str], brands: Iterable[str], now: datetime) -> Window:
    """`from` and `to` as ISO dates or times; the last thirty days of all brands where nothing is said."""
    until = _moment("to", query.get("to")) or now
    since = _moment("from", query.get("from")) or until - USUAL
    if not since < until:
        raise QueryError("from", "write a time before `to`")
    return Window(since, until, [query["brand"]] if query.get("brand") else sorted(set(brands)))


def _rules(policy: Policy) -> dict[str, Any]:
    return {"policy_version": policy.policy_version, "repeat_days": policy.metrics.repeat_days}


def _moment(field: str, text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        raise QueryError(field, "write a date or a time, as 2026-11-01 or 2026-11-01T09:00:00Z") from None


def _reader(table: Table, policy: Policy, scopes: Iterable[str], now: datetime) -> Reader:
    known: Collection[str] = set(scopes)
    return Reader(table, policy, lambda brand: brand if brand in known else "", now)
