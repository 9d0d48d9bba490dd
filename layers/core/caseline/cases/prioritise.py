"""Second step of the state machine: open or join the case of the run's waiting signals, and score it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.cases.evidence import Scene, read_recent
from caseline.cases.ledger import CASE_KEY, OPEN, change_case, claim_key, history_row, load_case, load_claims, open_case
from caseline.cases.merging import settle_merges
from caseline.cases.versions import first_version, next_version, summarise
from caseline.crm import Account
from caseline.customers import load_customer
from caseline.errors import UnavailableError
from caseline.policy import Policy
from caseline.runs import Run, Runs, read_run
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import LIVE, load_signals

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Prioritiser:
    """`crm_name` is where the case will stand; `case_url(case_key)` links to its page in the console."""

    table: Table
    crm_name: str
    policy: Policy
    runs: Runs
    clock: Callable[[], datetime]
    case_url: Callable[[str], str]

    def prioritise(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Open or join the case of the run's waiting signals and write its next version to the ledger."""
        run = read_run(state)
        taken = self.runs.take(run)
        done = taken.case_key and not taken.waiting  # this step died after its last line and runs again
        case = load_case(self.table, taken.case_key) if done else self._handle(run, taken.waiting, "lookup_error" in state)
        unpushed = sorted(waits for waits in taken.waiting if waits.startswith(CASE_KEY))
        outcome = {"case": summarise(case), "alert": self._alert(case, run)} if case else {"case": None, "alert": None}
        return {"run": run.to_json(), "unpushed": unpushed, **outcome}

    def _handle(self, run: Run, waiting: set[str], stale: bool) -> Item | None:
        customer = load_customer(self.table, run.customer_id)
        if customer and customer.get("merging"):
            settle_merges(self.table, customer["customer_id"], isoformat(self.clock()))
        found = load_signals(self.table, [waits for waits in waiting if not waits.startswith(CASE_KEY)])
        signals = [row for row in found.values() if row["state"] == LIVE or row.get("case_key")]
        case = self._open_or_join(run, customer, signals, stale) if customer and signals else None
        self._mark_signals(case, signals)
        for case_key in sorted(waits for waits in waiting if waits.startswith(CASE_KEY)):
            case = (self._judge_again(run, customer, case_key, stale) if customer else None) or case
        self.runs.handled(run, waiting, case["case_key"] if case else "")
        return case

    def _judge_again(self, run: Run, customer: Item, case_key: str, stale: bool) -> Item | None:
        """An open case that changed outside a run, or about whose customer the CRM has learnt something."""
        for _ in range(10):
            case = load_case(self.table, case_key)
            if case is None or case["status"] != OPEN:
                return None
            others = [row for row in load_claims(self.table, customer["customer_id"]) if row["case_key"] != case_key]
            rows = list(load_signals(self.table, case["signal_ids"][-20:]).values())
            changed = next_version(self.policy, run, case, rows, [], self._scene(customer, len(others), stale))
            told = history_row(case_key, changed["updated_at"], "priority", changed["headline"], changed["version"], mark=f"{changed['version']:06d}")
            if changed == case or change_case(self.table, case, changed, told):
                return changed
        raise UnavailableError("the case keeps changing")

    def _open_or_join(self, run: Run, customer: Item, signals: list[Item], stale: bool) -> Item | None:
        for _ in range(10):
            customer = load_customer(self.table, customer["customer_id"]) or customer
            claims = load_claims(self.table, customer["customer_id"])
            claim = claim_key(customer["customer_id"], *self._issue(run))
            held = next((row for row in claims if row["SK"] == claim["SK"]), None) or _nearest(run, claims)
            scene = self._scene(customer, len(claims) - bool(held), stale)
            done, case = self._join(run, held, claim, signals, scene) if held else self._open(run, claim, customer, signals, scene)
            if done:
                return case
        raise UnavailableError("the case keeps changing")

    def _open(self, run: Run, claim: Item, customer: Item, signals: list[Item], scene: Scene) -> tuple[bool, Item | None]:
        """A case of its own for the signals that stand in none yet."""
        fresh = [row for row in signals if row["need"] == "due" and row["state"] == LIVE and not row.get("case_key")]
        if not fresh:
            return True, None
        opener = min(fresh, key=lambda row: (row["occurred_at"], row["signal_id"]))
        case = first_version(self.policy, run, self.crm_name, customer["customer_id"], opener, fresh, scene)
        history = history_row(case["case_key"], case["opened_at"], "opened", case["headline"], 1, mark="opened")
        if open_case(self.table, claim, case, history):
            return True, case
        self._drop_handled(signals, case["case_key"])
        return False, None

    def _drop_handled(self, signals: list[Item], case_key: str) -> None:
        """A case of this opener that was closed since had its signals: they open no other."""
        existing = load_case(self.table, case_key)
        if existing and existing["status"] != OPEN:
            signals[:] = [row for row in signals if row["signal_id"] not in existing["signal_ids"]]

    def _join(self, run: Run, held: Item, claim: Item, signals: list[Item], scene: Scene) -> tuple[bool, Item | None]:
        """Add the signals to the open case, let its priority rise to what they call for, and its issue get the name they give it."""
        case = load_case(self.table, held["case_key"])
        if case is None:
            return False, None
        fresh = [row for row in signals if row["need"] == "due" and row["signal_id"] not in case["signal_ids"] and not row.get("case_key")]
        changed_since = any((row.get("revisions") or row.get("reposts")) and row["signal_id"] in case["signal_ids"] for row in signals)
        if not fresh and not changed_since and case["version"] == case.get("pushed_version") and case.get("alerted_by") != run.name:
            return True, case
        named = fresh and _is_nameless(held) and claim["SK"] != held["SK"]
        rows = list(load_signals(self.table, [*case["signal_ids"][-20:], *(row["signal_id"] for row in fresh)]).values())
        changed = next_version(self.policy, run, case | {"category": run.category} if named else case, rows, fresh, scene)
        if changed == case:
            return True, case
        what, mark = "joined" if fresh else "priority", f"{changed['version']:06d}"
        history = history_row(case["case_key"], changed["updated_at"], what, changed["headline"], changed["version"], mark=mark)
        return change_case(self.table, case, changed, history, writes=self._renamed(held, claim) if named else ()), changed

    def _renamed(self, held: Item, claim: Item) -> list[Mapping[str, Any]]:
        """The claim moves with the issue's name, in the same transaction."""
        return [
            self.table.put_write(held | claim, "attribute_not_exists(PK)"),
            self.table.delete_write(held["PK"], held["SK"], "case_key = :case_key", case_key=held["case_key"]),
        ]

    def _mark_signals(self, case: Item | None, signals: list[Item]) -> None:
        """Bookkeeping: the first case a signal fed stays on its row; an erased row stays erased."""
        for row in signals:
            if not case or row.get("case_key") or row["signal_id"] not in case["signal_ids"]:
                continue
            with suppress(ConditionFailed):
                condition = "attribute_exists(PK) AND attribute_not_exists(case_key)"
                self.table.update(row["PK"], row["SK"], "SET case_key = :case_key", condition, case_key=case["case_key"])

    def _scene(self, customer: Item, other_cases: int, stale: bool) -> Scene:
        account = Account.from_json(customer["account"]) if customer.get("account") else None
        recent, answered = read_recent(self.table, customer)
        return Scene(recent, other_cases, account, stale, len(customer.get("candidates") or ()), self.clock(), answered)

    def _issue(self, run: Run) -> tuple[str, str]:
        return run.brand, run.category if self.policy.join.by == "category" else "any"

    def _alert(self, case: Item, run: Run) -> dict[str, str] | None:
        """Once for each case, also when this step runs twice: the run that first saw a P1 alerts."""
        if case.get("alerted_by") != run.name:
            return None
        link_to = self.case_url(case["case_key"])
        subject = f"{case['priority']['band']} {case['category']} case for {case['brand']}, queue {case['queue']}"
        return {"subject": subject.encode("ascii", "replace").decode()[:100], "message": f"{case['headline']}\n\n{link_to}"}


def _nearest(run: Run, claims: list[Item]) -> Item | None:
    """Words that name no issue ("hello? anyone?") are about the youngest case that is open; an issue that gets a name is about the case that has none."""
    kin = [row for row in claims if row["SK"].startswith(f"{run.brand}#") and (run.category == UNKNOWN or _is_nameless(row))]
    return max(kin, key=lambda row: str(row["opened_at"]), default=None)


def _is_nameless(claim: Item) -> bool:
    return str(claim["SK"]).endswith(f"#{UNKNOWN}")
