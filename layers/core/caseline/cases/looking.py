"""What there is to be seen of a customer when signals are to be placed, and where each of them goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from caseline.cases.evidence import WEIGHED, Scene, read_recent
from caseline.cases.joining import UNKNOWN, Home, Shelf
from caseline.cases.ledger import CLOSED, PAST, is_past, load_case, load_cases, load_shelf
from caseline.cases.threads import MAIL, read_references
from caseline.crm import Account
from caseline.customers import load_customer
from caseline.policy import Policy
from caseline.runs import Run
from caseline.signals import signal_id
from caseline.storms.counting import STORM, is_key, is_taken_by_incident
from caseline.table import Item, Table
from caseline.timeline import LIVE, load_signals

REVISED = "revised"  # a rule: it is in the case already
FAR = 20  # signals of one run whose references are looked up beyond the customer's open cases and the last closed ones
SURE = ("number", "thread", "category")  # rules that what a mail refers to cannot better


@dataclass(frozen=True)
class View:
    """A customer as it stands: its claims, its cases of the run's brand, what is on its timeline."""

    run: Run
    customer: Item
    claims: Sequence[Item]
    shelf: Shelf
    scene: Scene

    def claim_of(self, case: Mapping[str, Any]) -> Item | None:
        return next((claim for claim in self.claims if claim["case_key"] == case["case_key"]), None)

    def beside(self, case: Mapping[str, Any] | None) -> Scene:
        """The scene as that case sees it: what others are open, and when it was closed itself."""
        others = [claim for claim in self.claims if not case or claim["case_key"] != case["case_key"]]
        return replace(self.scene, others=keys_of(others), rests=tuple(case.get("rests") or ()) if case else ())


@dataclass
class Group:
    """Signals that go to one place, each by the rule that sends it there."""

    home: Home
    rows: list[Item] = field(default_factory=list)
    rules: dict[str, Home] = field(default_factory=dict)

    @property
    def fresh(self) -> list[Item]:
        return [row for row in self.rows if self.rules[row["signal_id"]].rule != REVISED]

    @property
    def folds(self) -> list[Item]:
        return list({fold["case_key"]: fold for home in self.rules.values() for fold in home.folds}.values())

    @property
    def why(self) -> str:
        return "; ".join(dict.fromkeys(home.why for home in self.rules.values() if home.why))


@dataclass(frozen=True)
class Outlook:
    table: Table
    policy: Policy
    clock: Callable[[], datetime]

    def scene(self, customer: Item, others: Sequence[Item], stale: bool, rests: Sequence[str] = ()) -> Scene:
        account = Account.from_json(customer["account"]) if customer.get("account") else None
        recent, notes = read_recent(self.table, customer, most=WEIGHED)
        return Scene(recent, keys_of(others), account, stale, len(customer.get("candidates") or ()), self.clock(), notes, tuple(rests))

    def look(self, run: Run, customer: Item, stale: bool) -> View:
        """The customer is read first: whoever writes by what comes after fails if it has changed since."""
        customer = load_customer(self.table, customer["customer_id"]) or customer
        marks = load_shelf(self.table, customer["customer_id"])
        mine = [row for row in marks if str(row["SK"]).removeprefix(PAST).split("#")[0] == run.brand]
        cases = load_cases(self.table, [row["case_key"] for row in mine]) if mine else {}
        claims = [row for row in marks if not is_past(row)]
        held = {row["case_key"] for row in claims}
        standing = [case for case_key, case in cases.items() if case_key in held]
        closed = [case for case_key, case in cases.items() if case_key not in held and case["status"] == CLOSED]
        scene = self.scene(customer, claims, stale)
        return View(run, customer, claims, Shelf(self._rules_of(customer), standing, closed, scene.recent, scene.now), scene)

    def _rules_of(self, customer: Item) -> Policy:
        """An incident is one case, whatever rules a policy joins the cases of people by."""
        if not customer.get("kind") or not self.policy.join.off:
            return self.policy
        return self.policy.model_copy(update={"join": self.policy.join.model_copy(update={"off": []})})

    def group(self, view: View, left: Sequence[Item]) -> Group | None:
        """Those that go where the first of them goes, of which there is one that goes anywhere."""
        group: Group | None = None
        for row in sorted(left, key=lambda row: (str(row["occurred_at"]), str(row["signal_id"]))):
            home = self._find_home(view, row, far=group is None or len(group.rows) < FAR)
            if home and group is None:
                group = Group(home)
            if group and home and home.key == group.home.key and (home.key or "category" not in view.shelf.policy.join.off or not group.rows):
                group.rows.append(row)
                group.rules[row["signal_id"]] = home
        return group

    def _find_home(self, view: View, row: Item, far: bool) -> Home | None:
        shelf = view.shelf
        if case := next((case for case in shelf.open if _holds(case, row)), None):
            if not self._is_grave_beside(case, row):
                return Home(REVISED, "", case)
            return shelf.find_home(row, row["category"]) if view.run.category == row["category"] else None
        if row["need"] != "due" or row["state"] != LIVE:
            return None
        if (case := self._closed_with(shelf, row)) or row.get("case_key"):
            if case is None or view.run.category != row["category"]:
                return None
            own = self.policy.storms.key_accounts_alone and is_taken_by_incident(case) and is_key(self.policy, view.customer)
            return shelf.find_home(row, row["category"]) if own else shelf.find_again(row, row["category"], case)
        home = shelf.find_home(row, view.run.category)
        if home.rule in SURE or "thread" in self.policy.join.off or not far:
            return home
        linked, strange = self._refer(view, row)
        return replace(shelf, closed=[*shelf.closed, *linked]).find_home(row, view.run.category, strange) if linked or strange else home

    def _is_grave_beside(self, case: Item, row: Item) -> bool:
        """What was edited to be grave leaves the case in which it stood beside others: what is grave has a case of its own."""
        if self.policy.join.by == "customer" or row.get("category") not in self.policy.join.alone or case["category"] in (row["category"], UNKNOWN):
            return False
        return bool(row.get("revisions") and row["state"] == LIVE and row["need"] == "due" and len(case["signal_ids"]) > 1 and not case.get("kind"))

    def _closed_with(self, shelf: Shelf, row: Item) -> Item | None:
        """The case that it was in; beyond those last closed, one is read for what was changed since, or is an incident's."""
        held = next((case for case in shelf.closed if _holds(case, row)), None)
        again = row.get("revisions") or row.get("case_rule") == STORM
        return held or (load_case(self.table, row["case_key"]) if row.get("case_key") and again else None)

    def _refer(self, view: View, row: Item) -> tuple[list[Item], bool]:
        """Closed cases of this customer to whose signals a mail refers, however long ago, and whether it refers to somebody else's."""
        names = [row.get("parent_id"), *([row.get("thread_id"), *read_references(row)] if row["kind"] == MAIL else [])]
        ids = {signal_id(row["channel"], row["source"], str(name)) for name in names if name and name != row["native_id"]}
        found = [each for each in load_signals(self.table, sorted(ids)).values() if each.get("case_key")] if ids else []
        own = [each for each in found if set(each["identities"]) & set(view.customer["identities"])]
        known = {case["case_key"] for case in (*view.shelf.open, *view.shelf.closed)}
        keys = sorted({each["case_key"] for each in own} - known)
        cases = load_cases(self.table, keys).values() if keys else ()
        return [case for case in cases if case["status"] == CLOSED and case["brand"] == view.run.brand], len(own) < len(found)


def _holds(case: Item, row: Item) -> bool:
    return row["signal_id"] in case["signal_ids"] and case["case_key"] not in row.get("was_in", ())


def keys_of(claims: Iterable[Item]) -> frozenset[str]:
    return frozenset(str(claim["case_key"]) for claim in claims)
