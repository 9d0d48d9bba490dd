"""A policy on trial: what it would make of the cases there are. Nothing is written, and the code that judges for good judges here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.assessment import Assessment
from caseline.cases.evidence import WEIGHED, Scene, judge, read_recent
from caseline.cases.ledger import CLOSED, OPEN, load_claims
from caseline.cases.looking import keys_of
from caseline.cases.prioritise import JUDGED
from caseline.cases.versions import live_of
from caseline.crm import Account
from caseline.customers import load_customer
from caseline.errors import ConfigError, QueryError
from caseline.need import DUE, NONE, decide_need
from caseline.policy import Policy, load_policy
from caseline.priority import Priority
from caseline.priority.model import route
from caseline.signals import INBOUND, parse_time
from caseline.table import Item, Table
from caseline.timeline import LIVE, load_signals, read_signal
from caseline.views.paging import read_choice, read_cursor, read_limit, write_cursor


@dataclass(frozen=True)
class Verdict:
    priority: Priority
    queue: str
    category: str

    def to_json(self) -> dict[str, Any]:
        return {"score": self.priority.score, "band": self.priority.band, "queue": self.queue, "category": self.category}


def try_policy(table: Table, standing: Policy, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A page of cases under both policies: `{"standing", "proposed", "cases": [...], "uncased": [...], "next"}`.

    `wanted`: policy (the text of the proposed one), against (that of another standing one), status, limit, after. Each case is judged as of its last
    change; a verdict of None means that none of its signals would need a case. `uncased` are its customer's signals that would need one and have none.
    """
    proposed = _read("policy", wanted.get("policy"))
    standing = _read("against", wanted["against"]) if wanted.get("against") else standing
    status, size = read_choice("status", wanted.get("status"), (OPEN, CLOSED), OPEN), read_limit(str(wanted.get("limit") or ""))
    after = read_cursor("after", wanted.get("after"), f"trial-{status}")
    rows = list(table.list_rows(f"CASES#{status}", before=after, limit=size + 1))
    trials = [Trial(table, standing, proposed, row) for row in rows[:size]]
    return {
        "standing": standing.policy_version, "proposed": proposed.policy_version, "cases": [trial.to_json() for trial in trials],
        "uncased": sorted({signal_id for trial in trials for signal_id in trial.find_uncased()}),
        "next": write_cursor(f"trial-{status}", rows[size - 1]["list_rank"]) if len(rows) > size else None,
    }  # fmt: skip


class Trial:
    """One case under both policies."""

    def __init__(self, table: Table, standing: Policy, proposed: Policy, case: Item) -> None:
        self.standing, self.proposed, self.case = standing, proposed, case
        self.customer = load_customer(table, case["customer_id"]) or case | {"identities": []}
        known = dict.fromkeys([*case["signal_ids"][-JUDGED:], *filter(None, [case.get("weighs")])])
        self.rows = [row for row in load_signals(table, known).values() if case["case_key"] not in row.get("was_in", ())]
        self.scene = self._set_scene(table)

    def to_json(self) -> dict[str, Any]:
        before = _verdict(self.standing, self.case, self.rows, self.scene)
        after = _verdict(self.proposed, self.case, [self._as_proposed(row) for row in self.rows], self.scene)
        facts = {name: self.case.get(name) for name in ("case_key", "customer_id", "brand", "category", "status")}
        verdicts = {"standing": before and before.to_json(), "proposed": after and after.to_json()}
        return facts | {"at": self.case["updated_at"]} | verdicts | {"why": list(_differences(before, after))}

    def find_uncased(self) -> Iterator[str]:
        for row in self.scene.recent:
            if row["direction"] == INBOUND and not row.get("case_key") and row["need"] == NONE and self._as_proposed(row)["need"] == DUE:
                yield str(row["signal_id"])

    def _set_scene(self, table: Table) -> Scene:
        """What was to be seen when the case changed last; the account, and how many other cases are open, as of now."""
        others = [row for row in load_claims(table, self.customer["customer_id"]) if row["case_key"] != self.case["case_key"]]
        account = Account.from_json(self.customer["account"]) if self.customer.get("account") else None
        recent, notes = read_recent(table, self.customer, until=self.case["updated_at"], most=WEIGHED)
        seen_at, rests = parse_time(self.case["updated_at"]), tuple(self.case.get("rests") or ())
        return Scene(recent, keys_of(others), account, False, len(self.customer.get("candidates") or ()), seen_at, notes, rests)

    def _as_proposed(self, row: Item) -> Item:
        """The row with the need it would have, where the two policies differ on it."""
        if row["state"] != LIVE:
            return row
        signal, assessment = read_signal(row), Assessment.from_json(row["assessment"])
        before, after = (decide_need(policy, signal, assessment) for policy in (self.standing, self.proposed))
        return row if (before.state, before.category) == (after.state, after.category) else row | {"need": after.state, "category": after.category}


def _verdict(policy: Policy, case: Item, rows: Sequence[Item], scene: Scene) -> Verdict | None:
    due = live_of(rows)
    if not due:
        return None
    first = min(due, key=lambda row: str(row["occurred_at"]))
    category = case["category"] if any(row["category"] == case["category"] for row in due) else first["category"]
    priority, _ = judge(policy, due, category, scene, case["priority"].get("override"))
    queue = route(policy, category, scene.account, priority.band, case.get("language", ""))
    return Verdict(priority, case.get("queue_set") or queue, category)


def _differences(before: Verdict | None, after: Verdict | None) -> Iterator[str]:
    """The lines that weigh otherwise, as the proposed policy says them."""
    if before is None or after is None:
        if before:
            yield "no signal of it would need a case"
        return
    old, new = (_by_factor(verdict.priority) for verdict in (before, after))
    for factor in dict.fromkeys((*old, *new)):
        (was, said), (now, says) = old.get(factor, (0, "")), new.get(factor, (0, ""))
        if was != now:
            yield f"{now - was:+d} {says or said}"


def _by_factor(priority: Priority) -> dict[str, tuple[int, str]]:
    return {line.factor: (line.points, line.text) for line in priority.lines}


def _read(field: str, text: Any) -> Policy:
    if not isinstance(text, str):
        raise QueryError(field, "write the text of a policy, YAML or JSON")
    try:
        return load_policy(text)
    except ConfigError as error:
        raise QueryError(field, str(error)) from None
