"""Signals go where they belong: into a case that is open, one that opens again, or a new one. What is written is written in one go, or tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from caseline.cases import ledger
from caseline.cases.changes import OF_CLOSING, people_worked, work_case
from caseline.cases.clocks import missed_rows
from caseline.cases.folding import absorb, fold_writes, take_in
from caseline.cases.joining import ROUND, UNKNOWN
from caseline.cases.ledger import ANY, CLOSED, KEPT_SIGNALS, OPEN, change_case, claim_key, history_row, load_case, load_cases
from caseline.cases.looking import REVISED, Group, Outlook, View
from caseline.cases.reopening import opened_again
from caseline.cases.rescoring import look_soon, rescore_case
from caseline.cases.routing import routing_rows
from caseline.cases.titles import title_of
from caseline.cases.versions import KEPT, first_version, live_of, next_version
from caseline.errors import ConflictError, UnavailableError
from caseline.policy import Policy
from caseline.runs import Run
from caseline.signals import isoformat, parse_time
from caseline.storms.counting import SAMPLES, load_people
from caseline.storms.words import start_incident
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import load_signals
from caseline.turns import asks_of

JUDGED = 20  # signals of a case that judgement looks at, the newest
TRIES = 10
KEPT_RESTS = 10
LOOKED_THROUGH = 100  # of an incident's people, for some whose signals stand


@dataclass(frozen=True)
class Placer:
    table: Table
    policy: Policy
    crm_name: str
    clock: Callable[[], datetime]

    @property
    def outlook(self) -> Outlook:
        return Outlook(self.table, self.policy, self.clock)

    def place(self, run: Run, customer: Item, signals: Sequence[Item], stale: bool) -> list[Item]:
        """The cases that the signals went to, mostly one; those of a closed case that say nothing new go nowhere."""
        cases: dict[str, Item] = {}
        left, tries = list(signals), TRIES
        outlook = self.outlook
        while left and (group := outlook.group(view := outlook.look(run, customer, stale), left)):
            if (case := self._settle(view, group)) is None:
                tries -= 1
                if not tries:
                    raise UnavailableError("the case keeps changing")
                continue
            cases[case["case_key"]] = case
            left = [row for row in left if row not in group.rows]
        return list(cases.values())

    def rows_of(self, case: Item, fresh: Iterable[Item]) -> list[Item]:
        """The newest signals of a case, and the one that weighs most in it; but for what went into another case since."""
        known = [*case["signal_ids"][-JUDGED:], *filter(None, [case.get("weighs")]), *(row["signal_id"] for row in fresh)]
        return [row for row in load_signals(self.table, dict.fromkeys(known)).values() if case["case_key"] not in row.get("was_in", ())]

    def refill(self, customer: Item, case: Item, rows: list[Item]) -> tuple[Item, list[Item]]:
        """An incident rests on a few of its people's signals: where those were all deleted, on others of them."""
        if not case.get("kind") or live_of(rows):
            return case, rows
        people = list(islice(load_people(self.table, customer), LOOKED_THROUGH))
        homes = load_cases(self.table, sorted({row["case_key"] for row in people if row.get("case_key")} - {case["case_key"]}))
        alone = {key for key, home in homes.items() if home.get("adopted_by") != case["case_key"]}
        others = [row for row in people if row.get("case_key") not in alone][:SAMPLES]
        return case | {"signal_ids": [*case["signal_ids"], *(row["signal_id"] for row in others)][-KEPT_SIGNALS:]}, [*rows, *others]

    def rest(self, case: Item, changed: Item) -> Item:
        """Nothing new: only when to look again is noted; a case that still waits to be pushed gets its time then."""
        kept, expression = {name: changed[name] for name in KEPT}, "SET " + ", ".join(f"{name} = :{name}" for name in KEPT)
        for more, condition in ((", due_at = :look_at", "version = :same AND due_shard = :look"), ("", "version = :same AND due_shard <> :look")):
            with suppress(ConditionFailed):
                self.table.update(case["PK"], case["SK"], expression + more, condition, same=case["version"], look="look", **kept)
                break
        return changed

    def drop(self, case: Item) -> Item | None:
        """All that the case was about was deleted or is no complaint any more: there is nothing left to work."""
        with suppress(ConflictError):
            return work_case(self.table, case["case_key"], {"status": CLOSED, "version": case["version"]}, "caseline", self.clock())
        return load_case(self.table, case["case_key"])

    def _settle(self, view: View, group: Group) -> Item | None:
        """The case the group is in now; None to try again."""
        case = group.home.case
        if case and group.home.rule == ROUND:
            return self._note(case, group)
        settled = self._open(view, group) if case is None else self._join(view, case, group) if case["status"] == OPEN else self._reopen(view, case, group)
        if settled:
            self._mark(settled, group)
        return settled

    def _note(self, case: Item, group: Group) -> Item:
        """It goes into the case, which stays closed and does not change."""
        row = group.rows[0]
        self.table.put(history_row(case["case_key"], row["occurred_at"], "noted", group.home.why, case["version"], mark=f"noted-{row['signal_id']}"))
        self._mark(case, group)
        return case

    def _open(self, view: View, group: Group) -> Item | None:
        """A case of its own. One of this opener that was closed before its signals were marked has them: they open no other."""
        run, customer, scene, opener = view.run, view.customer, view.beside(None), group.rows[0]
        case = first_version(self.policy, run, self.crm_name, customer["customer_id"], opener, group.rows, scene)
        told = f"{group.home.why}; {case['headline']}" if ";" in group.home.why or group.home.follows else case["headline"]
        if customer.get("kind"):
            case |= start_incident(customer, case)
            told = f"{case['subject']}; {told}"
        if group.home.follows:
            case |= {"follows": group.home.follows["case_key"], **opened_again(group.home.follows, view.scene.now)}
        history = history_row(case["case_key"], case["opened_at"], "opened", told, 1, mark="opened")
        told_rows = (history, *missed_rows({}, case), *routing_rows(self.policy, case, scene))
        if ledger.open_case(self.table, self._claim(view, case), case, *told_rows, version=customer["version"]):
            look_soon(self.table, view.claims, scene.now)
            return case
        existing = load_case(self.table, case["case_key"])
        if existing and existing["status"] != OPEN:
            group.rows[:] = [row for row in group.rows if row["signal_id"] in existing["signal_ids"]]
            return existing
        return None

    def _claim(self, view: View, case: Item) -> Item:
        """Of the issue; where the policy does not join by it, of the case alone."""
        issue = ANY if self.policy.join.by == "customer" else str(case["category"])
        return claim_key(view.customer["customer_id"], view.run.brand, f"{issue}#{case['case_key']}" if "category" in view.shelf.policy.join.off else issue)

    def _join(self, view: View, case: Item, group: Group) -> Item | None:
        """Add the signals to the open case, let its priority rise to what they call for, and its issue get the name they give it."""
        fresh, folds, scene = group.fresh, [fold for fold in group.folds if self._may_fold(case, fold)], view.beside(case)
        changed_since = any(row.get("revisions") or row.get("reposts") for row in group.rows if row not in fresh)
        if not fresh and not changed_since and case["version"] == case.get("pushed_version") and case.get("alerted_by") != view.run.name:
            return case
        whole = absorb(case, folds)
        whole, rows = self.refill(view.customer, whole, self.rows_of(whole, fresh))
        if not live_of(rows):
            return self.drop(case)
        claim = view.claim_of(case)
        if claim and (namesake := self._namesake(view, claim, whole, rows)):
            take_in(self.table, namesake, case, isoformat(scene.now), ledger.give_back(self.table, claim)[:1])
            return None  # looked at again as the one case that they are now
        category = self._named(view, claim, whole, rows, bool(fresh))
        changed = next_version(self.policy, view.run, whole | {"category": category}, rows, fresh, scene)
        if changed["version"] == case["version"]:
            return self.rest(case, changed)
        told = _tell(changed, "joined" if fresh else "priority", group.why + self._say_renamed(case, category))
        writes = self._renamed(claim, category) if claim and category != case["category"] else []
        writes += [write for fold in folds for write in self._folded(view, fold, case)]
        return changed if change_case(self.table, case, changed, told, *missed_rows(case, changed), writes=writes) else None

    def _reopen(self, view: View, case: Item, group: Group) -> Item | None:
        """The closed case takes its claim back, in the same transaction; it alerts again if it is urgent again."""
        again = {name: value for name, value in case.items() if name not in (*OF_CLOSING, "alerted_by", "lower_since")}
        again |= {"status": OPEN, "customer_id": view.customer["customer_id"], "reopened": case.get("reopened", 0) + 1, "rests": _rests(case, group.rows)}
        again |= opened_again(case, view.scene.now) | {"headline": ""}  # that it is open is news, though it may weigh what it weighed
        rows = self.rows_of(again, group.rows)
        fresh = [row for row in group.rows if row["signal_id"] not in case["signal_ids"]]
        again["category"] = self._named_again(view, case, rows)
        changed = next_version(self.policy, view.run, again, rows, fresh, view.beside(again))
        told = _tell(changed, "status", f"reopened: {group.why}")
        claim = self.table.put_write(ledger.held_by(self._claim(view, again), case), "attribute_not_exists(PK)")
        still = ledger.stand_still(self.table, view.customer["customer_id"], view.customer["version"])
        return changed if change_case(self.table, case, changed, told, *missed_rows(case, changed), writes=[claim, still]) else None

    # ---- two that are one

    def _may_fold(self, case: Item, fold: Item) -> bool:
        """Not what a person works, nor what is grave."""
        return not people_worked(fold) and fold["category"] not in self.policy.join.alone and fold["case_key"] != case["case_key"]

    def _folded(self, view: View, fold: Item, into: Item) -> list[Mapping[str, Any]]:
        claim = view.claim_of(fold)
        gone = ledger.give_back(self.table, claim)[:1] if claim else []
        return [*fold_writes(self.table, fold, into, ": one e-mail thread or conversation", isoformat(view.scene.now)), *gone]

    def _namesake(self, view: View, claim: Item, case: Item, rows: Sequence[Item]) -> Item | None:
        """The customer's other open case of the issue that all of this one was edited to be about; none where a person works this one."""
        name = _edited_to(rows)
        if name in ("", case["category"]) or self.policy.join.by == "customer" or people_worked(case):
            return None
        held = next((row["case_key"] for row in view.claims if row["SK"] == _other(claim, name)["SK"]), "")
        return next((other for other in view.shelf.open if other["case_key"] == held), None)

    # ---- what it is called

    def _named(self, view: View, claim: Item | None, case: Item, rows: Sequence[Item], joined: bool) -> str:
        """What the case is about: a nameless one takes the name that comes; one whose signals were all edited to be about something else takes that.

        A customer's one case is about what most of its signals are.
        """
        if self.policy.join.by == "customer":
            return title_of(self.policy, case, live_of(rows))
        if claim is None:
            return str(case["category"])
        name = view.run.category if joined and case["category"] == UNKNOWN else _edited_to(rows) or str(case["category"])
        return str(case["category"]) if any(row["SK"] == _other(claim, name)["SK"] for row in view.claims if row is not claim) else name

    def _named_again(self, view: View, case: Item, rows: Sequence[Item]) -> str:
        """A case that opens again may be about something else by now, where all that is left of it was edited."""
        claim = ledger.held_by(self._claim(view, case), case)
        return self._named(view, claim, case, rows, joined=False)

    def _renamed(self, claim: Item, category: str) -> list[Mapping[str, Any]]:
        """The claim moves with the issue's name, in the same transaction; not where another case has that name already."""
        moved = _other(claim, category)
        if moved["SK"] == claim["SK"] or self.policy.join.by == "customer":
            return []
        return [
            self.table.put_write(claim | moved, "attribute_not_exists(PK)"),
            self.table.delete_write(claim["PK"], claim["SK"], "case_key = :case_key", case_key=claim["case_key"]),
        ]

    def _say_renamed(self, case: Item, category: str) -> str:
        told = self.policy.join.by == "customer" and category != case["category"]
        return f"; about {category.replace('_', ' ')} now, as most of what the customer says is" if told else ""

    def _mark(self, case: Item, group: Group) -> None:
        """Bookkeeping: the first case a signal fed stands on its row, or the one that it feeds since it was changed, with the rule that led there; an erased
        row stays erased."""
        for row in group.rows:
            home, before = group.rules[row["signal_id"]], row.get("case_key")
            if before and (home.rule == REVISED or before == case["case_key"]):
                continue
            facts = {"case_key": case["case_key"]} | ({"case_rule": home.rule, "case_why": home.why} if home.rule != REVISED else {})
            facts |= {"was_in": [*row.get("was_in", ()), before]} if before else {}
            with suppress(ConditionFailed):
                expression = "SET " + ", ".join(f"{name} = :{name}" for name in facts)
                condition = "case_key = :before" if before else "attribute_exists(PK) AND attribute_not_exists(case_key)"
                self.table.update(row["PK"], row["SK"], expression, condition, **facts, **({"before": before} if before else {}))
            if before:
                rescore_case(self.table, before, isoformat(self.clock()))


def _tell(case: Item, what: str, why: str) -> Item:
    """The line of history of a case's new version."""
    text = f"{why}; {case['headline']}" if why else str(case["headline"])
    return history_row(case["case_key"], case["updated_at"], what, text, case["version"], mark=f"{case['version']:06d}")


def _other(claim: Item, category: str) -> Item:
    """The claim's key under another category."""
    brand, _, *rest = str(claim["SK"]).split("#")
    return claim_key(str(claim["PK"]).partition("#")[2], brand, "#".join([category, *rest]))


def _edited_to(rows: Sequence[Item]) -> str:
    """The one issue that all are about, of which some were edited; "" where there is no such."""
    names = {str(row["category"]) for row in live_of(rows)}
    return names.pop() if len(names) == 1 and any(row.get("revisions") for row in rows) else ""


def _rests(case: Item, again: Sequence[Item]) -> list[str]:
    """When it was closed, each time: what was asked before that waits no more, but for what opens it `again`, though it may have come late."""
    if not case.get("closed_at"):
        return list(case.get("rests", ()))
    asked = min(parse_time(asks_of(row)[-1]) for row in again) - timedelta(microseconds=1)
    return [*case.get("rests", ()), min(str(case["closed_at"]), isoformat(asked))][-KEPT_RESTS:]
