"""Second step of the state machine: open or join the case of the run's waiting signals, and score it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.cases.clocks import missed_rows
from caseline.cases.ledger import CASE_KEY, OPEN, change_case, history_row, load_case, load_cases, load_claims, take_back
from caseline.cases.merging import settle_merges
from caseline.cases.placing import JUDGED, Placer
from caseline.cases.versions import live_of, next_version, summarise
from caseline.crm._pace import BUILTIN
from caseline.customers import load_customer
from caseline.errors import UnavailableError
from caseline.policy import Policy
from caseline.runs import Run, Runs, read_run
from caseline.signals import isoformat
from caseline.table import Item, Table
from caseline.timeline import GONE, LIVE, load_signals

__all__ = ["JUDGED", "Prioritiser"]


@dataclass(frozen=True)
class Prioritiser:
    """`crm_name` is where the case will stand; `case_url(case_key)` links to its page in the console."""

    table: Table
    crm_name: str
    policy: Policy
    runs: Runs
    clock: Callable[[], datetime]
    case_url: Callable[[str], str]

    @property
    def _placer(self) -> Placer:
        return Placer(self.table, self.policy, self.crm_name, self.clock)

    def prioritise(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Open or join the case of the run's waiting signals and write its next version to the ledger."""
        run = read_run(state)
        taken = self.runs.take(run)
        done = taken.case_key and not taken.waiting  # this step died after its last line and runs again
        found = [load_case(self.table, taken.case_key)] if done else self._handle(run, taken.waiting, "lookup_error" in state)
        cases = [case for case in found if case]
        owed = load_cases(self.table, sorted(taken.owes)) if taken.owes else {}  # by a run that died before
        unpushed = {*(waits for waits in taken.waiting if waits.startswith(CASE_KEY)), *(case["case_key"] for case in cases[1:]), *owed}
        outcome = {"case": summarise(cases[0]) if cases else None, "alert": self._alert(cases, run)}
        return {"run": run.to_json(), "unpushed": sorted(unpushed), **outcome}

    def _handle(self, run: Run, waiting: set[str], stale: bool) -> list[Item | None]:
        """The cases that came of it, the one that the run is about first."""
        customer = load_customer(self.table, run.customer_id)
        if customer and (customer.get("merging") or customer.get("parting")):
            settle_merges(self.table, customer["customer_id"], isoformat(self.clock()))
        found = load_signals(self.table, [waits for waits in waiting if not waits.startswith(CASE_KEY)])
        signals = [row for row in found.values() if row["state"] == LIVE or row.get("case_key")]
        cases: list[Item | None] = [*self._placer.place(run, customer, signals, stale)] if customer and signals else []
        self._take_back(signals, cases)
        for case_key in sorted(waits for waits in waiting if waits.startswith(CASE_KEY)):
            judged = self._judge_again(run, customer, case_key, stale) if customer else None
            cases = [judged, *cases] if judged else cases
        self.runs.handled(run, waiting, [case["case_key"] for case in cases if case])
        return cases

    def _take_back(self, signals: Sequence[Item], cases: Sequence[Item | None]) -> None:
        """What the CRM was told of a signal that its author deleted goes there, too, in each case that it was in; the built-in one is told of none."""
        if self.crm_name == BUILTIN or not self.policy.crm.take_back_notes:
            return
        for row in signals:
            if row["state"] == GONE and row.get("case_key"):
                now_in = [case["case_key"] for case in cases if case and row["signal_id"] in case["signal_ids"]]
                for case_key in dict.fromkeys([row["case_key"], *row.get("was_in", ()), *now_in]):
                    take_back(self.table, case_key, [row["signal_id"]], isoformat(self.clock()))

    def _judge_again(self, run: Run, customer: Item, case_key: str, stale: bool) -> Item | None:
        """An open case that changed outside a run, about whose customer the CRM has learnt something, or whose time has come to be looked at."""
        for _ in range(10):
            case = load_case(self.table, case_key)
            if case is None or case["status"] != OPEN:
                return None
            others = [row for row in load_claims(self.table, customer["customer_id"]) if row["case_key"] != case_key]
            whole, rows = self._placer.refill(customer, case, self._placer.rows_of(case, ()))
            if not live_of(rows):
                return self._placer.drop(case)
            scene = self._placer.outlook.scene(customer, others, stale, case.get("rests") or ())
            changed = next_version(self.policy, run, whole, rows, [], scene)
            if changed["version"] == case["version"]:
                return self._placer.rest(case, changed)
            told = history_row(case_key, changed["updated_at"], "priority", changed["headline"], changed["version"], mark=f"{changed['version']:06d}")
            if change_case(self.table, case, changed, told, *missed_rows(case, changed)):
                return changed
        raise UnavailableError("the case keeps changing")

    def _alert(self, cases: Sequence[Item], run: Run) -> dict[str, str] | None:
        """Once for each case, also when this step runs twice: the run that first saw a P1 alerts."""
        told = [case for case in cases if case.get("alerted_by") == run.name]
        if not told:
            return None
        subject = f"{told[0]['priority']['band']} {told[0]['category']} case for {told[0]['brand']}, queue {told[0]['queue']}"
        message = "\n\n".join(f"{case['headline']}\n\n{self.case_url(case['case_key'])}" for case in told)
        return {"subject": subject.encode("ascii", "replace").decode()[:100], "message": message}
