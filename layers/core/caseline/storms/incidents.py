"""Each minute, for each incident that goes on: adopt the cases that were opened before it was seen, find key accounts among its people, count them.

All of it may be repeated, and whoever dies in between leaves the rest to the next minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from caseline.cases.changes import claim_writes, people_worked
from caseline.cases.evidence import read_recent
from caseline.cases.ledger import CLOSED, OPEN, change_case, due, history_row, load_case, load_cases, load_shelf
from caseline.cases.lookup import AccountLookUp
from caseline.customers import load_customer, load_customers
from caseline.errors import CrmError
from caseline.policy import Policy
from caseline.runs import Runs, run_key
from caseline.signals import isoformat, parse_time
from caseline.storms.counting import LOOK, STORM, belongs, is_key, members_key, members_row
from caseline.storms.fingerprints import issue_keys, sketch_of, text_keys
from caseline.storms.words import WHY, subject_of
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import LIVE, load_signals, read_text

AT_ONCE = 500  # people whose accounts one look reads
TOLD_AFTER = timedelta(minutes=15)  # the CRM is told of more people when they have doubled, or after this


@dataclass(frozen=True)
class Incidents:
    """`look_up` reads accounts; without it only those are known that were read before."""

    table: Table
    policy: Policy
    runs: Runs
    clock: Callable[[], datetime]
    look_up: AccountLookUp | None = None

    def look(self, storm: Item) -> None:
        """Look after one incident, and again in a minute, until nobody has written for a while and nothing is left to do."""
        now = self.clock()
        case = self._case_of(storm)
        if case is None:
            done = self._start(storm)
        else:
            rows = list(self.table.query(f"STORM#{storm['storm']}"))
            self._adopt(storm, case, rows)
            done = self._greet(storm, case, rows) and isoformat(now) >= storm["until"]
            self._tell(case, rows, last=done)
        self._again(storm, done, now)

    def meet(self, customer_id: str) -> None:
        """Who has become a key account, by the CRM or by whom they were joined with, gets cases of their own for what an incident took of them."""
        customer = load_customer(self.table, customer_id) if self.policy.storms.key_accounts_alone else None
        if customer and (taken := self._taken_of(customer)) and is_key(self.policy, self._refresh(customer)):
            for row in taken:
                self.runs.add(run_key(customer["customer_id"], row["brand"], row["category"]), [row["signal_id"]])

    def _taken_of(self, customer: Item) -> list[Item]:
        """The customer's signals that stand in an open incident."""
        rows = [row for row in read_recent(self.table, customer)[0] if row["state"] == LIVE and row["need"] == "due" and row.get("case_key")]
        cases = load_cases(self.table, sorted({str(row["case_key"]) for row in rows})) if rows else {}
        adopted = {key: str(case["adopted_by"]) for key, case in cases.items() if case.get("adopted_by")}
        cases |= load_cases(self.table, sorted(set(adopted.values()) - cases.keys())) if adopted else {}
        goes_on = {key for key, case in cases.items() if case.get("kind") and case["status"] == OPEN}
        return [row for row in rows if adopted.get(row["case_key"], row["case_key"]) in goes_on]

    def _refresh(self, customer: Item) -> Item:
        if self.look_up and not customer.get("account_as_of"):
            with suppress(CrmError):
                self.look_up.look_up_customer(customer)
        return load_customer(self.table, customer["customer_id"]) or customer

    def _case_of(self, storm: Item) -> Item | None:
        """Its case; kept by key, so that it is found also after people closed it."""
        if not storm.get("case_key"):
            claims = load_shelf(self.table, storm["customer_id"])  # or the mark of it, where it was closed within the minute
            if not claims:
                return None
            storm["case_key"] = claims[0]["case_key"]
            self.table.update(storm["PK"], storm["SK"], "SET case_key = :case_key", case_key=storm["case_key"])
        return load_case(self.table, storm["case_key"])

    def _start(self, storm: Item) -> bool:
        """Whoever saw it died before its run was started, or the run is still under way: its people's signals start it."""
        for row in self.table.query(f"STORM#{storm['storm']}"):
            self.runs.add(run_key(storm["customer_id"], storm["brand"], storm["category"]), sorted(row["people"])[:10])
            return False
        return isoformat(self.clock()) >= str(storm["until"])

    # ---- what was opened before

    def _adopt(self, storm: Item, incident: Item, rows: list[Item]) -> None:
        """Close what the early signals opened into the incident."""
        signals = self._early(storm)
        cases = load_cases(self.table, sorted({row["case_key"] for row in signals if row.get("case_key")} - {incident["case_key"]}))
        owners = load_customers(self.table, {case["customer_id"] for case in cases.values()})
        ours = {row["signal_id"] for row in signals}
        for case in cases.values():
            customer = owners.get(case["customer_id"])
            if case["status"] == OPEN and set(case["signal_ids"]) <= ours and not self._stands_alone(case, customer, storm):
                self._close(case, incident)
                people = {signal_id: str((customer or case)["customer_id"]) for signal_id in case["signal_ids"]}
                row = members_key(storm["storm"], people) | members_row(people, storm["expires"]) | {"looked": True}
                self.table.put(row)
                rows.append(row)

    def _early(self, storm: Item) -> list[Item]:
        """The signals that belong, among all that were counted before; those whose own choices of words never met the issue's are found by its others'."""
        seen = load_signals(self.table, storm["early"])
        live = [row for row in seen.values() if row["state"] == LIVE]
        issues = {issue for row in live for issue in issue_keys(row, self.policy.storms)} | set(text_keys(frozenset(storm["core"])))
        counted = self.table.get_many([key(f"ISSUE#{storm['brand']}#{issue}", "ISSUE") for issue in sorted(issues)]) if storm["core"] else []
        more = {signal_id for row in counted for signal_id in row["signals"]} - seen.keys()
        return [row for row in (seen | load_signals(self.table, sorted(more))).values() if self._belongs(row, storm)]

    def _belongs(self, row: Item, storm: Item) -> bool:
        if row["state"] != LIVE or row.get("need") != "due":
            return False
        return belongs(sketch_of(read_text(row)), issue_keys(row, self.policy.storms), storm)

    def _stands_alone(self, case: Item, customer: Item | None, storm: Item) -> bool:
        rules = self.policy.storms
        key_account = rules.key_accounts_alone and is_key(self.policy, customer)
        return key_account or rules.stands_alone(str(case["category"]), str(storm["category"])) or people_worked(case)

    def _close(self, case: Item, incident: Item) -> None:
        now = isoformat(self.clock())
        for _ in range(8):
            text = f"adopted by incident {incident['case_key']}: {WHY[incident['why']]}"
            closed = {**case, "status": CLOSED, "closed_at": now, "updated_at": now, "version": case["version"] + 1, **due(now)}
            closed["adopted_by"] = incident["case_key"]
            told = history_row(case["case_key"], now, "status", text, closed["version"], mark=f"{closed['version']:06d}")
            if change_case(self.table, case, closed, told, writes=claim_writes(self.table, case, closed)):
                return
            case = load_case(self.table, case["case_key"]) or case
            if case["status"] == CLOSED or people_worked(case):
                return
        raise ConditionFailed()

    # ---- who is in it

    def _greet(self, storm: Item, incident: Item, rows: Iterable[Item]) -> bool:
        """Link the people's signals to the incident; a key account among them gets a case of its own. False if some are left for the next look."""
        left = AT_ONCE
        for row in [row for row in rows if not row.get("looked")]:
            if left <= 0 or not self._read_accounts(row["people"]):
                return False
            left -= len(row["people"])
            self._link(storm, incident, row["people"])
            self.table.update(row["PK"], row["SK"], "SET looked = :yes", yes=True)
            row["looked"] = True
        return True

    def _read_accounts(self, people: Mapping[str, str]) -> bool:
        if not self.look_up or not self.policy.storms.key_accounts_alone:
            return True
        try:
            for customer in load_customers(self.table, set(people.values())).values():
                if not customer.get("account_as_of"):
                    self.look_up.look_up_customer(customer)
        except CrmError:
            return False  # the CRM is away or has had enough: the next minute goes on
        return True

    def _link(self, storm: Item, incident: Item, people: Mapping[str, str]) -> None:
        customers = load_customers(self.table, set(people.values()))
        signals = load_signals(self.table, people)
        for signal_id, row in sorted(signals.items()):
            customer = customers.get(people[signal_id])
            if row.get("case_key") or row["state"] != LIVE:
                continue
            if self.policy.storms.key_accounts_alone and customer and is_key(self.policy, customer):
                self.runs.add(run_key(customer["customer_id"], storm["brand"], row["category"]), [signal_id])
                continue
            with suppress(ConditionFailed):
                condition = "attribute_exists(PK) AND attribute_not_exists(case_key)"
                facts = {"case_key": incident["case_key"], "case_rule": STORM, "case_why": WHY[incident["why"]]}
                self.table.update(row["PK"], row["SK"], "SET case_key = :case_key, case_rule = :case_rule, case_why = :case_why", condition, **facts)

    # ---- what the CRM is told

    def _tell(self, case: Item, rows: Iterable[Item], last: bool) -> None:
        people = {signal_id: customer_id for row in rows for signal_id, customer_id in row["people"].items()}
        customers = len(set(people.values()))
        known = case.get("people", 0)
        late = self.clock() >= parse_time(case["updated_at"]) + TOLD_AFTER
        if case["status"] != OPEN or customers <= known or not (customers >= 2 * known or late or last):
            return
        now = isoformat(self.clock())
        changed = {
            **case, "people": customers, "signal_count": max(len(people), case["signal_count"]), "subject": subject_of(case, customers), "updated_at": now,
            "version": case["version"] + 1, **due(now),
        }  # fmt: skip
        text, mark = f"{len(people)} signals of {customers} customers", f"{changed['version']:06d}"
        told = history_row(case["case_key"], now, "incident", text, changed["version"], mark=mark)
        change_case(self.table, case, changed, told)  # if it changed meanwhile, the next look tells

    def _again(self, storm: Item, done: bool, now: datetime) -> None:
        """Off the list when all is done, unless somebody wrote meanwhile."""
        with suppress(ConditionFailed):
            if done:
                self.table.update(storm["PK"], storm["SK"], "REMOVE due_shard, due_at", "until = :until", until=storm["until"])
                return
        self.table.update(storm["PK"], storm["SK"], "SET due_shard = :due, due_at = :at", due="due", at=isoformat(now + LOOK))
