"""Cases follow customers: after a merge the open cases of the merged customer are the other's, and two of one issue become one."""

from __future__ import annotations

from contextlib import suppress

from caseline.cases.ledger import CLOSED, change_case, claim_key, due, history_row, load_case
from caseline.customers import load_customer
from caseline.table import ConditionFailed, Item, Table


def settle_merges(table: Table, customer_id: str, now: str) -> None:
    """Let the open cases of all customers merged into this one follow. A merge leaves their names on the row until that is done."""
    customer = load_customer(table, customer_id)
    merging = (customer or {}).get("merging")
    if not customer or not merging:
        return
    for loser in merging:
        follow_merge(table, loser, customer["customer_id"], now)
    with suppress(ConditionFailed):
        table.update(f"CUSTOMER#{customer['customer_id']}", "CUSTOMER", "REMOVE merging", "merging = :merging", merging=merging)


def follow_merge(table: Table, loser: str, winner: str, now: str) -> None:
    """Re-point the claims of a merged customer. Safe to repeat; a crash in between leaves claims that the next call moves."""
    for claim in list(table.query(f"CLAIMS#{loser}")):
        brand, _, category = claim["SK"].partition("#")
        target = claim_key(winner, brand, category)
        try:
            table.transact(
                table.put_write({**claim, **target}, "attribute_not_exists(PK)"),
                table.delete_write(claim["PK"], claim["SK"], "case_key = :case_key", case_key=claim["case_key"]),
            )
        except ConditionFailed:
            _close_younger(table, claim, target, now)


def _close_younger(table: Table, claim: Item, target: Item, now: str) -> None:
    """Two open cases of one person on one issue: the older goes on, the younger is closed with a link to it."""
    held = table.get(target["PK"], target["SK"])
    if held is None or held["case_key"] == claim["case_key"]:
        return
    older, younger = sorted((held, claim), key=lambda row: (row["opened_at"], row["case_key"]))
    close_case(table, younger["case_key"], now, f"merged into {older['case_key']}", joined=older["case_key"])
    table.put({**target, **{k: v for k, v in older.items() if k not in ("PK", "SK")}}, "case_key = :held", held=held["case_key"])
    table.delete(claim["PK"], claim["SK"])


def close_case(table: Table, case_key: str, now: str, why: str, by: str = "caseline", joined: str = "") -> Item | None:
    """Close the case in the ledger; triage sees that it wants a push. None if there is none or it was closed before."""
    for _ in range(8):
        case = load_case(table, case_key)
        if case is None or case["status"] == CLOSED:
            return None
        closed = {**case, "status": CLOSED, "closed_at": now, "updated_at": now, "version": case["version"] + 1, "push": "wanted", **due(now)}
        closed |= {"joined": joined} if joined else {}
        if change_case(table, case, closed, history_row(case_key, now, "status", why, closed["version"], by, mark=f"{closed['version']:06d}")):
            return closed
    raise ConditionFailed()
