"""Second step of the state machine: open or join the case of the run's waiting signals, and score it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from caseline.cases.evidence import Scene, judge, read_recent
from caseline.cases.ledger import CASE_KEY, KEPT_SIGNALS, OPEN, case_key_of, change_case, claim_key, due, history_row, load_case, load_claims, open_case
from caseline.cases.merging import settle_merges
from caseline.crm import Account
from caseline.customers import load_customer
from caseline.errors import UnavailableError
from caseline.policy import Policy
from caseline.priority import Priority
from caseline.priority.model import headline, priority_from_json, route, settle
from caseline.runs import Run, Runs, read_run
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import LIVE, load_signals

ALERT_BAND = "P1"
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
        if taken.case_key and not taken.waiting:
            case = load_case(self.table, taken.case_key)
        else:
            case = self._handle(run, taken.waiting, "lookup_error" in state)
        unpushed = sorted(waits for waits in taken.waiting if waits.startswith(CASE_KEY))
        return {"run": run.to_json(), "case": _summary(case) if case else None, "unpushed": unpushed, "alert": self._alert(case, run) if case else None}

    def _handle(self, run: Run, waiting: set[str], stale: bool) -> Item | None:
        customer = load_customer(self.table, run.customer_id)
        if customer and customer.get("merging"):
            settle_merges(self.table, customer["customer_id"], isoformat(self.clock()))
        signals = [row for row in load_signals(self.table, [waits for waits in waiting if not waits.startswith(CASE_KEY)]).values() if row["state"] == LIVE or row.get("case_key")]
        case = self._open_or_join(run, customer, signals, stale) if customer and signals else None
        self._mark_signals(case, signals)
        self.runs.handled(run, waiting, case["case_key"] if case else "")
        return case

    def _open_or_join(self, run: Run, customer: Item, signals: list[Item], stale: bool) -> Item | None:
        for _ in range(10):
            customer = load_customer(self.table, customer["customer_id"]) or customer
            claims = load_claims(self.table, customer["customer_id"])
            claim = claim_key(customer["customer_id"], *self._issue(run))
            held = next((row for row in claims if row["SK"] == claim["SK"]), None) or self._nearest(run, claims)
            scene = self._scene(customer, len(claims) - bool(held), stale)
            done, case = self._join(run, held["case_key"], signals, scene) if held else self._open(run, claim, customer, signals, scene)
            if done:
                return case
        raise UnavailableError("the case keeps changing")

    def _open(self, run: Run, claim: Item, customer: Item, signals: list[Item], scene: Scene) -> tuple[bool, Item | None]:
        """A case of its own for the signals that stand in none yet."""
        fresh = [row for row in signals if row["need"] == "due" and row["state"] == LIVE and not row.get("case_key")]
        if not fresh:
            return True, None
        opener = min(fresh, key=lambda row: (row["occurred_at"], row["signal_id"]))
        case = self._new_case(run, opener, fresh, customer, scene)
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

    def _join(self, run: Run, case_key: str, signals: list[Item], scene: Scene) -> tuple[bool, Item | None]:
        """Add the signals to the open case and let its priority rise to what they call for."""
        case = load_case(self.table, case_key)
        if case is None:
            return False, None
        fresh = [row for row in signals if row["need"] == "due" and row["signal_id"] not in case["signal_ids"] and not row.get("case_key")]
        if not fresh and case["version"] == case.get("pushed_version") and case.get("alerted_by") != run.name:
            return True, case
        rows = list(load_signals(self.table, [*case["signal_ids"][-20:], *(row["signal_id"] for row in fresh)]).values())
        changed = self._next_version(run, case, rows, fresh, scene)
        if changed == case:
            return True, case
        history = history_row(case_key, changed["updated_at"], "joined" if fresh else "priority", changed["headline"], changed["version"], mark=f"{changed['version']:06d}")
        return change_case(self.table, case, changed, history), changed

    def _new_case(self, run: Run, opener: Item, fresh: list[Item], customer: Item, scene: Scene) -> Item:
        case_key, category = case_key_of(opener["signal_id"]), opener["category"]
        priority = judge(self.policy, fresh, category, scene, None)
        now = isoformat(scene.now)
        row: Item = {
            "PK": f"CASE#{case_key}", "SK": "CASE", "type": "case", "schema": 1, "case_key": case_key, "customer_id": customer["customer_id"], "brand": opener["brand"],
            "category": category, "status": OPEN, "opened_at": now, "version": 1, "pushed_version": 0, "identity": opener["identity"], "at": f"{opener['occurred_at']}#{case_key}",
            "signal_ids": [], "signal_count": 0, "channels": [], "crm": {"name": self.crm_name, "sync": "pending"}, "first_signal_at": opener["occurred_at"], "author_name": opener.get("author_name") or "",
        }
        return row | self._judged(run, row, priority, fresh, scene)

    def _next_version(self, run: Run, case: Item, rows: list[Item], fresh: list[Item], scene: Scene) -> Item:
        live = [row for row in rows if row["state"] == LIVE and row["need"] == "due"]
        previous = priority_from_json(case["priority"], case["queue"])
        priority = settle(previous, judge(self.policy, live, case["category"], scene, previous.override)) if live else previous
        changed = case | self._judged(run, case, priority, fresh, scene)
        same = {name for name in changed if name not in ("updated_at", "due_shard", "due_at")}
        if all(case.get(name) == changed[name] for name in same):
            return case
        return changed | {"version": case["version"] + 1}

    def _judged(self, run: Run, case: Item, priority: Priority, fresh: list[Item], scene: Scene) -> Item:
        """What judgement writes to a case; its queue rises with its band unless a person chose it."""
        now = isoformat(scene.now)
        account = scene.account
        queue = case.get("queue_set") or route(self.policy, case["category"], account, priority.band)
        data = replace(priority, queue=queue)
        judged = {
            "priority": data.to_json(), "queue": queue, "headline": headline(data, case["category"]), "updated_at": now, "subject": _subject(case, fresh, account),
            "signal_ids": [*case["signal_ids"], *(row["signal_id"] for row in fresh)][-KEPT_SIGNALS:], "signal_count": case["signal_count"] + len(fresh),
            "channels": sorted({*case["channels"], *(row["channel"] for row in fresh)}),
            "account_id": account.account_id if account else case.get("account_id", ""), "contact_id": account.contact_id if account else case.get("contact_id", ""),
        }
        alert = {"alerted_by": run.name} if data.band == ALERT_BAND and "alerted_by" not in case else {}
        return judged | alert | due(now)

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
        return Scene(read_recent(self.table, customer), other_cases, account, stale, len(customer.get("candidates") or ()), self.clock())

    def _nearest(self, run: Run, claims: list[Item]) -> Item | None:
        """Words that name no issue ("hello? anyone?") are about the case that is open, the youngest if there are several."""
        kin = [row for row in claims if row["SK"].startswith(f"{run.brand}#")]
        return max(kin, key=lambda row: str(row["opened_at"]), default=None) if run.category == UNKNOWN else None

    def _issue(self, run: Run) -> tuple[str, str]:
        return run.brand, run.category if self.policy.join.by == "category" else "any"

    def _alert(self, case: Item, run: Run) -> dict[str, str] | None:
        """Once for each case, also when this step runs twice: the run that first saw a P1 alerts."""
        if case.get("alerted_by") != run.name:
            return None
        link_to = self.case_url(case["case_key"])
        subject = f"{case['priority']['band']} {case['category']} case for {case['brand']}, queue {case['queue']}"
        return {"subject": subject.encode("ascii", "replace").decode()[:100], "message": f"{case['headline']}\n\n{link_to}"}


def _summary(case: Item) -> dict[str, Any]:
    return {
        "case_key": case["case_key"], "version": case["version"], "band": case["priority"]["band"], "score": case["priority"]["score"], "queue": case["queue"]
    }


def _subject(case: Item, fresh: list[Item], account: Account | None) -> str:
    """Names no words of the customer: those may be deleted, and then must be gone everywhere."""
    channels = ", ".join(sorted({*case["channels"], *(row["channel"] for row in fresh)}))
    whom = account.name if account else case.get("author_name") or "a customer not in the CRM"
    return f"{case['category'].replace('_', ' ').capitalize()}: {whom} on {channels}"[:200]
