"""Second step of the state machine: open or join the case of the run's waiting signals, and score it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.cases.changes import work_case
from caseline.cases.clocks import missed_rows
from caseline.cases.evidence import Scene, read_recent
from caseline.cases.ledger import CASE_KEY, CLOSED, OPEN, change_case, claim_key, history_row, load_case, load_claims, open_case
from caseline.cases.merging import settle_merges
from caseline.cases.routing import routing_rows
from caseline.cases.versions import KEPT, first_version, live_of, next_version, summarise
from caseline.crm import Account
from caseline.customers import load_customer
from caseline.errors import ConflictError, UnavailableError
from caseline.policy import Policy
from caseline.runs import Run, Runs, read_run
from caseline.signals import isoformat
from caseline.storms.words import start_incident
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import LIVE, load_signals

UNKNOWN = "unknown"
JUDGED = 20  # signals of a case that judgement looks at, the newest


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
        if customer and (customer.get("merging") or customer.get("parting")):
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
        """An open case that changed outside a run, about whose customer the CRM has learnt something, or whose time has come to be looked at."""
        for _ in range(10):
            case = load_case(self.table, case_key)
            if case is None or case["status"] != OPEN:
                return None
            others = [row for row in load_claims(self.table, customer["customer_id"]) if row["case_key"] != case_key]
            rows = self._rows_of(case, ())
            if not live_of(rows):
                return self._drop(case)
            changed = next_version(self.policy, run, case, rows, [], self._scene(customer, len(others), stale))
            if changed["version"] == case["version"]:
                return self._rest(case, changed)
            told = history_row(case_key, changed["updated_at"], "priority", changed["headline"], changed["version"], mark=f"{changed['version']:06d}")
            if change_case(self.table, case, changed, told, *missed_rows(case, changed)):
                return changed
        raise UnavailableError("the case keeps changing")

    def _rows_of(self, case: Item, fresh: Sequence[Item]) -> list[Item]:
        """The newest signals of a case, and the one that weighs most in it."""
        known = [*case["signal_ids"][-JUDGED:], *filter(None, [case.get("weighs")]), *(row["signal_id"] for row in fresh)]
        return list(load_signals(self.table, dict.fromkeys(known)).values())

    def _rest(self, case: Item, changed: Item) -> Item:
        """Nothing new: only when to look again is noted; a case that still waits to be pushed gets its time then."""
        kept, expression = {name: changed[name] for name in KEPT}, "SET look_at = :look_at, lower_since = :lower_since"
        for more, condition in ((", due_at = :look_at", "version = :same AND due_shard = :look"), ("", "version = :same AND due_shard <> :look")):
            with suppress(ConditionFailed):
                self.table.update(case["PK"], case["SK"], expression + more, condition, same=case["version"], look="look", **kept)
                break
        return changed

    def _drop(self, case: Item) -> Item | None:
        """All that the case was about was deleted or is no complaint any more: there is nothing left to work."""
        with suppress(ConflictError):
            return work_case(self.table, case["case_key"], {"status": CLOSED, "version": case["version"]}, "caseline", self.clock())
        return load_case(self.table, case["case_key"])

    def _open_or_join(self, run: Run, customer: Item, signals: list[Item], stale: bool) -> Item | None:
        for _ in range(10):
            customer = load_customer(self.table, customer["customer_id"]) or customer
            claims = load_claims(self.table, customer["customer_id"])
            claim = claim_key(customer["customer_id"], *self._issue(run))
            held = next((row for row in claims if row["SK"] == claim["SK"]), None) or _nearest(run, claims)
            scene = self._scene(customer, len(claims) - bool(held), stale)
            done, case = self._join(run, held, signals, scene) if held else self._open(run, claim, customer, signals, scene)
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
        told = case["headline"]
        if customer.get("kind"):
            case |= start_incident(customer, case)
            told = f"{case['subject']}; {told}"
        history = history_row(case["case_key"], case["opened_at"], "opened", told, 1, mark="opened")
        if open_case(self.table, claim, case, history, *missed_rows({}, case), *routing_rows(self.policy, case, scene)):
            return True, case
        self._drop_handled(signals, case["case_key"])
        return False, None

    def _drop_handled(self, signals: list[Item], case_key: str) -> None:
        """A case of this opener that was closed since had its signals: they open no other."""
        existing = load_case(self.table, case_key)
        if existing and existing["status"] != OPEN:
            signals[:] = [row for row in signals if row["signal_id"] not in existing["signal_ids"]]

    def _join(self, run: Run, held: Item, signals: list[Item], scene: Scene) -> tuple[bool, Item | None]:
        """Add the signals to the open case, let its priority rise to what they call for, and its issue get the name they give it."""
        case = load_case(self.table, held["case_key"])
        if case is None:
            return False, None
        fresh = [row for row in signals if row["need"] == "due" and row["signal_id"] not in case["signal_ids"] and not row.get("case_key")]
        changed_since = any((row.get("revisions") or row.get("reposts")) and row["signal_id"] in case["signal_ids"] for row in signals)
        if not fresh and not changed_since and case["version"] == case.get("pushed_version") and case.get("alerted_by") != run.name:
            return True, case
        rows = self._rows_of(case, fresh)
        if not live_of(rows):
            return True, self._drop(case)
        category = self._named(run, held, case, rows, bool(fresh))
        if category != case["category"] and self._is_taken(held, category):
            category = case["category"]  # another case of this customer has that name
        changed = next_version(self.policy, run, case | {"category": category}, rows, fresh, scene)
        if changed["version"] == case["version"]:
            return True, self._rest(case, changed)
        what, mark = "joined" if fresh else "priority", f"{changed['version']:06d}"
        told = f"{self._why_joined(run, held)}; {changed['headline']}" if fresh else changed["headline"]
        history = history_row(case["case_key"], changed["updated_at"], what, told, changed["version"], mark=mark)
        told = (history, *missed_rows(case, changed))
        return change_case(self.table, case, changed, *told, writes=self._renamed(held, category) if category != case["category"] else ()), changed

    def _why_joined(self, run: Run, held: Item) -> str:
        """The rule by which a signal joined the open case that holds the claim."""
        brand, issue = self._issue(run)
        if held["SK"] == f"{brand}#{issue}":
            return "same customer and category" if self.policy.join.by == "category" else "same customer"
        return "same customer, and the case had no category yet" if _is_nameless(held) else "same customer, and the words name no category"

    def _named(self, run: Run, held: Item, case: Item, rows: Sequence[Item], joined: bool) -> str:
        """What the case is about: a nameless one takes the name that comes; one whose signals were all edited to be about something else takes that."""
        if self.policy.join.by != "category":
            return str(case["category"])
        if joined and _is_nameless(held):
            return run.category
        names = {str(row["category"]) for row in live_of(rows)}
        edited = any(row.get("revisions") for row in rows)
        return names.pop() if edited and len(names) == 1 else str(case["category"])

    def _renamed(self, held: Item, category: str) -> list[Mapping[str, Any]]:
        """The claim moves with the issue's name, in the same transaction; not where another case has that name already."""
        claim = self._claim_of(held, category)
        if claim["SK"] == held["SK"]:
            return []
        return [
            self.table.put_write(held | claim, "attribute_not_exists(PK)"),
            self.table.delete_write(held["PK"], held["SK"], "case_key = :case_key", case_key=held["case_key"]),
        ]

    def _claim_of(self, held: Item, category: str) -> Item:
        return claim_key(str(held["PK"]).partition("#")[2], str(held["SK"]).partition("#")[0], category)

    def _is_taken(self, held: Item, category: str) -> bool:
        claim = self._claim_of(held, category)
        return claim["SK"] != held["SK"] and self.table.get(claim["PK"], claim["SK"]) is not None

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
