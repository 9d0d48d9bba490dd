"""Stream records to domain events on the bus, and to the counts of each source."""

from __future__ import annotations

from typing import Any

from caseline.departures import forget_customers
from caseline.profile_marks import mark_profiles
from caseline.publishing import fold_counts, put_events, read_records
from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    wired = wiring()
    happenings = read_records(event["Records"])
    put_events(happenings, wired.event_bus, wired.send_events)
    fold_counts(wired.table, happenings)
    forget_customers(wired.table, happenings, wired.scope_of, wired.config.crm.name)
    if wired.enrich_after:
        mark_profiles(wired.table, happenings, wired.scope_of, wired.clock() + wired.enrich_after)
    return {"batchItemFailures": []}
