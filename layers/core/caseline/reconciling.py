"""Nightly, and when somebody asks: both sides are counted, and each difference is reported. Nothing is mended by guess; only an older version of ours that
stands in the CRM is written again: a writer that was too slow put it there after the newest, and died before it could know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from caseline.cases.ledger import CLOSED, OPEN, load_cases
from caseline.crm import Crm, StandingCase
from caseline.errors import CrmError
from caseline.metrics import emit
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table

VERSION = "version"
LISTED = 200  # differences that the report names; the counts go on
PAGES = 1_000
SETTLED = timedelta(minutes=60)  # a case younger than this may be on its way
REPORT = ("RECONCILIATION", "REPORT")
REQUEST = json.dumps({"v": 1, "changes": [], "reconcile": True})  # on the queue of the CRM's changes


@dataclass(frozen=True)
class Reconciler:
    table: Table
    crm: Crm
    clock: Callable[[], datetime]
    stack: str = ""

    def reconcile(self) -> dict[str, Any]:
        """The report, which the desk shows until the next: counts of both sides and `differences` of the kinds missing, unknown, doubled, status, version.

        CrmError where the CRM cannot be counted now; the report before stays, and says that.
        """
        try:
            return self._report()
        except CrmError as error:
            at, why = isoformat(self.clock()), type(error).__name__
            self.table.update(*REPORT, "SET failed_at = :at, why = :why, crm = if_not_exists(crm, :crm)", at=at, why=why, crm=self.crm.name)
            raise

    def _report(self) -> dict[str, Any]:
        there: dict[str, list[StandingCase]] = {}
        for case in self._standing():
            there.setdefault(case.case_key, []).append(case)
        here = {row["case_key"]: row for status in (OPEN, CLOSED) for row in self.table.list_rows(f"CASES#{status}")}
        differences = [*self._missing(here, there), *_unknown(here, there, self.table), *_doubled(there), *_unlike(here, there)]
        for difference in differences[:LISTED]:
            if difference["kind"] == VERSION:
                self._write_again(here[difference["case_key"]])
        report = {
            "crm": self.crm.name, "at": isoformat(self.clock()), "here": len(here), "there": sum(map(len, there.values())),
            "count": len(differences), "differences": differences[:LISTED],
        }  # fmt: skip
        self.table.put({"PK": REPORT[0], "SK": REPORT[1], "type": "reconciliation", **report})
        emit({"CrmDifferences": len(differences)}, f"crm/{self.crm.name}", self.clock(), self.stack)
        return report

    def _write_again(self, row: Item) -> None:
        """By the watcher, unless it was written meanwhile; a closed case stands as it is."""
        now, same = isoformat(self.clock()), "wrote = :wrote AND #status = :open AND pushed_version = version"
        with suppress(ConditionFailed):
            expression, names = "SET pushed_version = :none, due_shard = :due, due_at = :now", {"#status": "status"}
            self.table.update(row["PK"], row["SK"], expression, same, names, wrote=row["wrote"], open=OPEN, none=0, due="due", now=now)

    def _standing(self) -> Iterator[StandingCase]:
        cursor = ""
        for _ in range(PAGES):
            cases, cursor = self.crm.list_cases(cursor)
            yield from cases
            if not cursor:
                return

    def _missing(self, here: dict[str, Item], there: dict[str, list[StandingCase]]) -> Iterator[dict[str, Any]]:
        """A case that the CRM should have by now and has not; one that was merged there stands without our key, or under another's."""
        before = self.clock() - SETTLED
        for case_key, row in here.items():
            if case_key not in there and not row.get("merged_there") and row["status"] == OPEN and parse_time(row["opened_at"]) < before:
                yield _difference("missing", case_key, row["crm"].get("id", ""), "open here and not in the CRM")


def _unknown(here: dict[str, Item], there: dict[str, list[StandingCase]], table: Table) -> Iterator[dict[str, Any]]:
    strange = [case_key for case_key in there if case_key not in here]
    known = load_cases(table, strange) if strange else {}
    for case_key in strange:
        if case_key not in known:
            yield _difference("unknown", case_key, there[case_key][0].crm_id, "has a key of Caseline's and is not known here")


def _doubled(there: dict[str, list[StandingCase]]) -> Iterator[dict[str, Any]]:
    for case_key, cases in there.items():
        if len(cases) > 1:
            yield _difference("doubled", case_key, cases[0].crm_id, f"{len(cases)} records in the CRM have this key")


def _unlike(here: dict[str, Item], there: dict[str, list[StandingCase]]) -> Iterator[dict[str, Any]]:
    """Of the record where the case stands: one that was merged away keeps our key."""
    for case_key, row in here.items():
        place = row["crm"].get("id") if row.get("merged_there") else ""
        for case in islice((case for case in there.get(case_key, ()) if place in ("", case.crm_id)), 1):
            if case.status != row["status"]:
                yield _difference("status", case_key, case.crm_id, f"{row['status']} here, {case.status} in the CRM")
            elif row["status"] == OPEN and case.version is not None and case.version < row.get("wrote", 0):
                # What came from there raises our version alone, and what is closed there may be read-only.
                yield _difference(VERSION, case_key, case.crm_id, f"version {row['wrote']} was written, {case.version} stands in the CRM")


def _difference(kind: str, case_key: str, crm_id: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "case_key": case_key, "crm_id": crm_id, "text": text}


def is_request(body: str) -> bool:
    """Whether a message of the queue asks for a count."""
    return bool(json.loads(body).get("reconcile"))


def read_report(table: Table) -> Item | None:
    return table.get(*REPORT)
