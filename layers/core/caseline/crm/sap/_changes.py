"""What people did in SAP since a cursor: cases, what they wrote to them, contacts and accounts, each by the time of its last change.

What SAP does not tell: deletions (its events and the nightly reconciliation do), which column was changed, and who changed it before the last writer. So a
priority or an owner that is not ours is told whoever wrote last; a status, a contact or an account only where that was not `own_user`. A person's closing
of a case that we write to before it is read is what saving answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._schema import OUTCOMES
from caseline.crm._streams import Streams
from caseline.crm._words import PENDING
from caseline.crm.sap._accounts import ALONE, Accounts
from caseline.crm.sap._product import Product, Query, time_of
from caseline.crm.sap._rows import Row, text_of
from caseline.crm.sap._shape import Settings
from caseline.crm.sap._store import Store
from caseline.payloads import read_time

RECORDS = ("case", "contact", "account")
CATCHING_UP, MOST = timedelta(days=1), 50_000  # rows of one instant: no import is larger


class Changes:
    def __init__(self, product: Product, settings: Settings, store: Store, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._product, self._settings, self._store, self._accounts = product, settings, store, accounts
        self._columns = {"case": settings.case_columns, "contact": settings.contact_columns, "account": settings.account_columns}
        overlap = timedelta(seconds=settings.overlap_seconds)
        self._streams = Streams((*RECORDS, "comment"), self._fetch, self._place, self._tell, clock, overlap, settings.page)

    def read(self, cursor: str) -> tuple[list[Change], str]:
        return self._streams.read(cursor)

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        return self._store.page(cursor)

    # ---- reading

    def _fetch(self, places: Mapping[str, Position]) -> dict[str, Sequence[Row]]:
        pages = self._pages(places)
        # While the cases are read page by page, what was written to a later one may be older than what was told of an earlier.
        since = places["comment"].at - (CATCHING_UP if places["case"].row_id else timedelta())
        ours = [row for row in pages["case"] if text_of(row, self._settings.case_fields["case_key"])]
        comments = self._product.read_comments(since, ours)
        return {**pages, "comment": sorted(comments, key=lambda row: (str(row["at"]), str(row["id"])))}

    def _pages(self, places: Mapping[str, Position]) -> dict[str, Sequence[Row]]:
        """What comes after each place, in the order of time and id. SAP compares one column at a time, so what shares the place's time is read again."""
        found: dict[str, list[Row]] = {name: [] for name in RECORDS}
        waiting, size = list(RECORDS), self._settings.page
        for skip in range(0, MOST, size):
            pages = dict(zip(waiting, self._product.read_many([self._query(name, places[name], skip) for name in waiting]), strict=True))
            for name, page in pages.items():
                found[name] += [row for row in page.rows if self._place(name, row) > (places[name].at, places[name].row_id)]
            waiting = [name for name, page in pages.items() if len(page.rows) == size and len(found[name]) < size]
            if not waiting:
                break
        return {name: rows[:size] for name, rows in found.items()}

    def _query(self, name: str, place: Position, skip: int) -> Query:
        columns = self._columns[name]
        order = f"{self._product.name(columns['changed_at'])},{columns['id']}"
        return Query(self._settings.paths[name], self._product.since(columns["changed_at"], place.at), order, self._settings.page, skip)

    def _place(self, name: str, row: Row) -> tuple[datetime, str]:
        if name == "comment":
            return read_time(str(row["at"])), str(row["id"])
        return time_of(row, self._columns[name]["changed_at"]), text_of(row, self._columns[name]["id"])

    # ---- telling

    def _tell(self, name: str, rows: Sequence[Row]) -> list[Change]:
        teller = {"case": self._case, "comment": self._comment, "contact": self._contact, "account": self._account}[name]
        return [change for row in rows for change in teller(row)]

    def _case(self, row: Row) -> list[Change]:
        key = text_of(row, self._settings.case_fields["case_key"])
        fields = case_fields(row, self._settings, {} if self._is_ours("case", row) else told_status(row, self._settings)) if key else {}
        return [self._change("case", row, fields, key)] if fields else []

    def _comment(self, row: Row) -> list[Change]:
        fields = {"comment_id": row["id"], "text": row["text"], "public": row["public"]}
        return [Change("comment", row["case_id"], read_time(row["at"]), row["case_key"], fields, row["by"])] if str(row["text"]).strip() else []

    def _contact(self, row: Row) -> list[Change]:
        contact = self._accounts.contact(row)
        account = "" if contact.account_id.startswith(ALONE) else contact.account_id
        fields = {"account_id": account, "name": contact.name, "identities": list(contact.identities)}
        return [] if self._is_ours("contact", row) else [self._change("contact", row, {name: value for name, value in fields.items() if value})]

    def _account(self, row: Row) -> list[Change]:
        """Which fact changed is not told: it is looked up."""
        return [] if self._is_ours("account", row) else [self._change("account", row, {})]

    def _is_ours(self, name: str, row: Row) -> bool:
        return bool(self._settings.own_user) and text_of(row, self._columns[name]["changed_by"]) == self._settings.own_user

    def _change(self, name: str, row: Row, fields: Mapping[str, Any], key: str = "") -> Change:
        at, crm_id = self._place(name, row)
        return Change(name, crm_id, at, key, fields, text_of(row, self._columns[name]["changed_by"]))


def case_fields(row: Row, settings: Settings, more: Mapping[str, Any]) -> dict[str, Any]:
    """What a person set: a priority or an owner that is not what we set, a waiting for the customer, which we never set, and what else is told."""
    columns, fields = settings.case_columns, settings.case_fields
    queue, owner = text_of(row, fields["queue"]), text_of(row, columns["owner"])
    is_pending = settings.status(text_of(row, columns["status"])) == PENDING
    found = {
        "band": settings.hand_band(text_of(row, columns["priority"]), text_of(row, fields["band"])),
        "owner": owner and next((name for name, known in settings.owners.items() if known == owner), text_of(row, columns["owner_name"]) or owner),
        "queue": next((name for name, team in settings.queues.items() if team == text_of(row, columns["team"]) and name != queue), ""),
        **({"status": PENDING} if is_pending else {}), **more,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def told_status(row: Row, settings: Settings) -> dict[str, Any]:
    status, outcome = settings.status(text_of(row, settings.case_columns["status"])), text_of(row, settings.case_fields["outcome"])
    return {"status": status, "outcome": outcome if outcome in OUTCOMES else None}
