"""The desk: what people and their programs can see and do. API and console are two faces of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from caseline import views
from caseline.cases.changes import work_case
from caseline.cases.rescoring import rescore_cases
from caseline.config_text import suggest
from caseline.crm._pace import BUILTIN
from caseline.errors import ConflictError, CrmError, NotFoundError, QueryError, UnavailableError
from caseline.identity import guess_identity, is_identity, normalise_identity
from caseline.outside import Outside
from caseline.personal import Personal
from caseline.policy import Policy, shipped_policy
from caseline.quarantine import KEPT, drop, list_quarantine, load_quarantined, read_raw
from caseline.recalls import Recalls
from caseline.signals import isoformat
from caseline.table import Item, Table
from caseline.unions import Unions
from caseline.views.paging import read_cursor, read_limit, write_cursor

LONGEST = 500  # characters of an id, an identity or a reason
_SHOWN = ("id", "channel", "source", "brand", "reason", "field", "whole", "received_at", "state")


@dataclass(frozen=True)
class Desk:
    """`sources` maps `<channel>/<source>` to its brand; `scopes` are the prefixes that identities may have ("" unless customers stay in a brand).

    `push(case_key)` brings a case to the CRM, `replay(row)` sends a quarantined payload back through its channel, `crm()` is the configured CRM, named
    `crm_name`, `ask_count()` has it counted against what is here, `policy()` is the one that stands, `outside` the stores besides the table.
    """

    table: Table
    gauges: views.Gauges
    sources: Mapping[str, str]
    scopes: Iterable[str]
    push: Callable[[str], Any]
    replay: Callable[[Item], Any]
    clock: Callable[[], datetime]
    crm: Callable[[], Any] = lambda: None
    crm_name: str = BUILTIN
    ask_count: Callable[[], None] = lambda: None
    policy: Callable[[], Policy] = shipped_policy
    outside: Outside | None = None

    def find_customers(self, identity: str | None) -> dict[str, Any]:
        return views.find_customers(self.table, guess_identity((identity or "").strip()), self.scopes)

    def show_customer(self, customer_id: str) -> dict[str, Any]:
        return views.show_customer(self.table, customer_id, self.policy(), self.clock())

    def merge_customers(self, customer_id: str, wanted: Mapping[str, Any], by: str) -> dict[str, Any]:
        """Joined with the customer `with` (an id, or an identity), because of `why`: the one that stands. Undone by `split_customer`."""
        kept = self._unions(by).merge(customer_id, self._known(_text(wanted, "with", required=True)), _text(wanted, "why"))
        return views.show_customer(self.table, kept, self.policy(), self.clock())

    def _known(self, named: str) -> str:
        """A customer's id, also for one of its identities."""
        if not is_identity(named):
            return named
        found = self.find_customers(named)["customers"]
        if len(found) != 1:
            raise NotFoundError(f"{len(found) or 'no'} customers are known as {named}" + ("; write the id of one" if found else ""))
        return str(found[0]["customer_id"])

    def split_customer(self, customer_id: str, wanted: Mapping[str, Any], by: str) -> dict[str, Any]:
        """`{"stayed", "left"}`, the ids of both: the customer of the id, or of its one `identity`, is again who it was."""
        identity = guess_identity(_text(wanted, "identity"))
        stayed, left = self._unions(by).split(customer_id, normalise_identity(identity) or identity, _text(wanted, "why"))
        return {"stayed": stayed, "left": left}

    def export_customer(self, customer_id: str) -> dict[str, Any]:
        """All that is kept of a person, by store."""
        return self._personal.export(customer_id)

    def erase_customer(self, customer_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Erase a person everywhere; `confirm` repeats the customer's id. Tells what was erased and what stands elsewhere."""
        if _text(wanted, "confirm") != customer_id:
            raise QueryError("confirm", "repeat the customer's id: what is erased does not come back")
        return self._personal.erase(customer_id)

    @property
    def _personal(self) -> Personal:
        return Personal(self.table, self.crm_name, self.policy(), self.clock, self.outside, time.sleep, self._push_now, self._recall_now)

    def _push_now(self, case_key: str) -> None:
        """The watcher pushes what is due; who asks hears more if it is done at once."""
        with suppress(CrmError, UnavailableError):
            self.push(case_key)

    def _recall_now(self, row: Item) -> Sequence[str] | None:
        try:
            return Recalls(self.table, self.crm(), self.policy()).take_back(row)
        except (CrmError, UnavailableError):
            return None

    def _unions(self, by: str) -> Unions:
        return Unions(self.table, by, isoformat(self.clock()))

    def read_timeline(self, customer_id: str, limit: str | None = None, before: str | None = None) -> dict[str, Any]:
        return views.read_timeline(self.table, customer_id, limit, before)

    def show_signal(self, signal_id: str) -> dict[str, Any]:
        return views.show_signal(self.table, signal_id)

    def list_cases(self, query: Mapping[str, str]) -> dict[str, Any]:
        return views.list_cases(self.table, query)

    def summarise_open(self) -> dict[str, dict[str, int]]:
        return views.summarise_open(self.table)

    def show_case(self, case_key: str) -> dict[str, Any]:
        return views.show_case(self.table, case_key, self.policy().fall_after)

    @property
    def categories(self) -> Sequence[str]:
        """What a case can be about, the gravest first."""
        return tuple(self.policy().severity)

    def change_case(self, case_key: str, wanted: Mapping[str, Any], by: str) -> dict[str, Any]:
        """The case as it stands after the change. A CRM that is down gets the change later: the case stays due."""
        known, category = self.categories, wanted.get("category")
        if isinstance(category, str) and category not in known:
            raise QueryError("category", f"no category {category!r}{suggest(category, known)}")
        work_case(self.table, case_key, wanted, by, self.clock())
        self._push_now(case_key)
        return self.show_case(case_key)

    def list_channels(self) -> dict[str, Any]:
        return views.list_channels(self.table, self.gauges, self.sources, self.clock())

    def read_stats(self) -> dict[str, Any]:
        return views.read_stats(self.table, self.gauges, self.sources, self.clock())

    def import_accounts(self, text: str) -> dict[str, Any]:
        """`{"accounts": {created, updated, unchanged}, "contacts": {...}, "errors": [{line, column, name, message}]}` of a CSV file for the built-in CRM.

        Open cases of those it says something new about are judged again.
        """
        crm = self.crm()
        if not hasattr(crm, "import_accounts"):
            raise ConflictError("the configured CRM has its own accounts; files go into the built-in one: `crm: {name: builtin}`")
        report = asdict(crm.import_accounts(text.encode("utf-8", "surrogatepass")))
        rescore_cases(self.table, report.pop("touched"), self.scopes, isoformat(self.clock()))
        return report

    def read_metrics(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The report of a window (`from`, `to`, `brand`), where it is small enough for one answer; see `caseline.reports`."""
        from caseline.reports.asking import read_report

        return read_report(self.table, self.policy(), self.sources.values(), self.scopes, query, self.clock())

    def read_facts(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of what a report is made of: `{"facts", "next", "as_of"}`."""
        from caseline.reports.asking import read_facts

        return read_facts(self.table, self.policy(), self.sources.values(), self.scopes, query, self.clock())

    def try_policy(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """A page of what another policy would make of the cases there are; see `caseline.policy_trial`."""
        from caseline.policy_trial import try_policy

        return try_policy(self.table, self.policy(), wanted)

    def show_crm(self) -> dict[str, Any]:
        return views.show_crm(self.table, self.crm_name, self.clock())

    def reconcile(self) -> dict[str, Any]:
        """`{"asked_at"}`: the report of `show_crm` is as new once both sides are counted."""
        if self.crm_name == BUILTIN:
            raise ConflictError("the built-in CRM stands in Caseline's own table: there is nothing to count against")
        self.ask_count()
        return {"asked_at": isoformat(self.clock())}

    def list_quarantine(self, limit: str | None = None, before: str | None = None) -> dict[str, Any]:
        """`{"quarantine": [...], "next"}`, newest first, without the payloads."""
        size = read_limit(limit)
        rows = list_quarantine(self.table, size + 1, read_cursor("before", before, "quarantine"))
        following = write_cursor("quarantine", rows[size - 1]["list_rank"]) if len(rows) > size else None
        return {"quarantine": [_shown(row) for row in rows[:size]], "next": following}

    def show_quarantined(self, quarantine_id: str) -> dict[str, Any]:
        row = self._quarantined(quarantine_id)
        return _shown(row) | {"url": row.get("url"), "headers": json.loads(row.get("headers") or "{}"), "raw": read_raw(row)}

    def replay_quarantined(self, quarantine_id: str) -> dict[str, Any]:
        """Back through its channel; what is still not understood comes back here."""
        row = self._quarantined(quarantine_id)
        if row["state"] != KEPT:
            raise ConflictError(f"this was {row['state']} before")
        self.replay(row)
        return {"id": quarantine_id, "state": "replayed"}

    def drop_quarantined(self, quarantine_id: str) -> dict[str, Any]:
        row = self._quarantined(quarantine_id)
        if row["state"] == KEPT:
            drop(self.table, quarantine_id)
        return {"id": quarantine_id, "state": "dropped" if row["state"] == KEPT else row["state"]}

    def _quarantined(self, quarantine_id: str) -> Item:
        row = load_quarantined(self.table, quarantine_id)
        if row is None:
            raise NotFoundError(f"nothing of the id {quarantine_id} in quarantine")
        return row


def read_body(text: str | None) -> dict[str, Any]:
    """The JSON object of a request; QueryError for anything else."""
    try:
        body = json.loads(text or "")
    except (ValueError, RecursionError):
        raise QueryError("body", "write a JSON object") from None
    if not isinstance(body, dict):
        raise QueryError("body", "write a JSON object")
    return body


def _text(wanted: Mapping[str, Any], name: str, required: bool = False) -> str:
    value = wanted.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST or (required and not value.strip()):
        raise QueryError(name, "write the id of the other customer, or one of their identities" if required else f"write text of up to {LONGEST} characters")
    return value.strip()


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in _SHOWN}
