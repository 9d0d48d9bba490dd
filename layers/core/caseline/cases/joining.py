"""Which case a signal belongs to: rules in the order in which they are sure, each with a switch in the policy and words for what it found. Pure.

Only the customer's own cases are looked at: whatever a signal quotes, it never lands in somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from caseline.cases.chasers import is_chaser
from caseline.cases.edits import says_anew
from caseline.cases.folding import seniority, standing
from caseline.cases.ledger import CLOSED
from caseline.cases.reopening import goes_round, why_not
from caseline.cases.threads import linked_names
from caseline.policy import Policy
from caseline.signals import parse_time
from caseline.storms.fingerprints import likeness, sketch_of
from caseline.table import Item
from caseline.timeline import read_text

UNKNOWN = "unknown"
OPENED = "opened"
ROUND = "round"  # it would open a case again that has been opened too often by the same words, and does not
CHANGED = "changed"  # what was in it says something new since it was closed
WAITING = "service"  # the category of those whom nobody answers
LOOKED_AT = 4000  # characters of a text in which a number may be quoted
_WORD = r"case|ticket|request|reference|ref|incident|complaint|fall|vorgang|anfrage|dossier|demande|caso|chamado|pratica|zaak|melding"
_NAMED = re.compile(rf"\b(?:{_WORD})\b[\s:.#№-]{{0,4}}(?:(?:id|no|nr|number|nummer|numéro|número)\b[\s:.#№-]{{0,4}})?([a-z]{{0,6}}-?\d{{3,20}})\b")
_BARE = re.compile(r"(?<![\w-])(?:#([a-z]{0,6}-?\d{3,20})|(case-[0-9a-f]{26})|([a-z]{1,6}-?\d{5,20}))(?![\w-])")
_DIGITS = re.compile(r"([a-z]*)-?0*(\d+)\Z")


@dataclass(frozen=True)
class Home:
    """Where a signal goes: into `case`, which opens again if it is closed; without one into a new case, which follows the closed case `follows`.

    `folds` are other open cases of which the signal shows that they are the same.
    """

    rule: str
    why: str
    case: Item | None = None
    folds: Sequence[Item] = ()
    follows: Item | None = None

    @property
    def key(self) -> str:
        return str(self.case["case_key"]) if self.case else ""


@dataclass(frozen=True)
class Shelf:
    """A customer's cases of one brand, with what is on the timeline beside them."""

    policy: Policy
    open: Sequence[Item]
    closed: Sequence[Item]
    recent: Sequence[Item]
    now: datetime

    def find_home(self, row: Item, category: str, strange: bool = False) -> Home:
        """By the first rule that holds for a case that is open, or that may open again; else in a case of its own.

        `strange`: it refers to what stands in somebody else's case.
        """
        ask = Ask(self.policy, row, category, self.recent, self.now, strange)
        follows: tuple[Item, str] | None = None
        for rule, holds, words in RULES:
            if rule in self.policy.join.off:
                continue
            if found := [case for case in self.open if ask.may_join(case) and holds(ask, case)]:
                first = min(found, key=standing) if rule == "thread" else max(found, key=seniority)
                return Home(rule, words(ask), first, [case for case in found if case is not first] if rule == "thread" else ())
            for case in sorted((case for case in self.closed if ask.may_join(case) and holds(ask, case)), key=seniority, reverse=True):
                if survivor := self._survivor(case):
                    return Home(rule, words(ask), survivor)
                if ask.is_again and (often := goes_round(self.policy, case, self.now)):
                    return Home(ROUND, f"nearly the same words once more; {call(case)} was {often}, and stays closed", case)
                reason = why_not(self.policy, case, self.now)
                if not reason and not self._is_taken(case):
                    return Home(rule, words(ask), case)
                follows = follows or (case, reason or "another case of it is open")
        return _open_new(ask, follows)

    def find_again(self, row: Item, category: str, case: Item) -> Home | None:
        """Of a signal that its author changed after `case`, which it was in, was closed: that case again, where it may open; None where nothing is new."""
        if not says_anew(self.policy, row, case):
            return None
        may_open = Ask(self.policy, row, category, self.recent, self.now).may_join(case) and not self._is_taken(case)
        if case["status"] == CLOSED and may_open and not why_not(self.policy, case | {"closed_by": ""}, self.now):
            return Home(CHANGED, "its author changed what it says", case)
        return self.find_home(row, category)

    def _survivor(self, case: Item) -> Item | None:
        """The open case into which a closed one went."""
        return next((other for other in self.open if other["case_key"] == case.get("joined")), None)

    def _is_taken(self, case: Item) -> bool:
        """One open case for each issue: a closed one stays closed beside it."""
        return any(self.policy.join.by == "customer" or other["category"] == case["category"] for other in self.open)


@dataclass(frozen=True)
class Ask:
    policy: Policy
    row: Item
    category: str
    recent: Sequence[Item]
    now: datetime
    strange: bool = False

    @cached_property
    def text(self) -> str:
        return (read_text(self.row) or "")[:LOOKED_AT].casefold()

    @cached_property
    def numbers(self) -> frozenset[str]:
        """What may be numbers of cases."""
        return frozenset(_plain(number) for found in _BARE.findall(self.text) for number in found if number) | self.named

    @cached_property
    def named(self) -> frozenset[str]:
        """What the words call the number of a case."""
        return frozenset(_plain(number) for number in _NAMED.findall(self.text))

    @cached_property
    def is_nameless(self) -> bool:
        """Whether the words name no issue; that nobody answers is none beside what was to be answered."""
        return self.category == UNKNOWN or self.chases

    @cached_property
    def chases(self) -> bool:
        return self.category == WAITING and is_chaser(self.text)

    @cached_property
    def links(self) -> frozenset[str]:
        return linked_names(self.policy, self.row, self.recent)

    @cached_property
    def near(self) -> frozenset[str]:
        """The customer's other signals of the last hours in nearly the same words."""
        sketch = sketch_of(self.text)
        if len(sketch) < self.policy.storms.min_words:
            return frozenset()
        others = [row for row in self._others if self.is_fresh(str(row["occurred_at"]))]
        return frozenset(str(row["signal_id"]) for row in others if likeness(sketch, sketch_of(read_text(row))) >= self.policy.storms.similarity)

    @property
    def _others(self) -> list[Item]:
        return [row for row in self.recent if row.get("case_key") and row["signal_id"] != self.row["signal_id"]]

    @cached_property
    def is_again(self) -> bool:
        """Nearly the same words as before, about nothing grave."""
        said = self.text.split()
        return self.category not in self.policy.join.alone and bool(self.near or any(said == _words(row) for row in self._others))

    def is_fresh(self, moment: str) -> bool:
        return abs(self.now - parse_time(moment)) <= self.policy.join_window

    def may_join(self, case: Item) -> bool:
        """What is grave has a case of its own, whatever thread it comes in."""
        return self.policy.join.by == "customer" or case["category"] in (self.category, UNKNOWN) or self.category not in self.policy.join.alone


def _quotes(ask: Ask, case: Item) -> bool:
    numbers = {str(case["case_key"]), _plain(str((case.get("crm") or {}).get("number") or "")), _plain(str((case.get("crm") or {}).get("id") or ""))}
    return bool(ask.numbers & numbers - {""})


def _is_in_thread(ask: Ask, case: Item) -> bool:
    return bool(ask.links & set(case.get("threads") or ()))


def _is_same_issue(ask: Ask, case: Item) -> bool:
    return ask.policy.join.by == "customer" or case["category"] == ask.category


def _is_unnamed(ask: Ask, case: Item) -> bool:
    """Words that name no issue ("hello? anyone?") are about the youngest case; an issue that gets a name is about the open case that has none."""
    if case["status"] == CLOSED:
        return ask.is_nameless and ask.is_fresh(str(case.get("closed_at") or case["opened_at"]))
    return ask.is_nameless or case["category"] == UNKNOWN


def _is_near(ask: Ask, case: Item) -> bool:
    return bool(ask.near and ask.near & set(case["signal_ids"]))


def _say_thread(ask: Ask) -> str:
    return "same e-mail thread" if ask.row["kind"] == "email" else "same conversation"


def _say_issue(ask: Ask) -> str:
    return "same customer" if ask.policy.join.by == "customer" else "same customer and category"


def _say_unnamed(ask: Ask) -> str:
    if ask.chases:
        return "same customer, and the words only ask for an answer"
    return "same customer, and the words name no category" if ask.category == UNKNOWN else "same customer, and the case had no category yet"


RULES: Sequence[tuple[str, Callable[[Ask, Item], bool], Callable[[Ask], str]]] = (
    ("number", _quotes, lambda _ask: "it quotes the number of this case, which is its customer's own"),
    ("thread", _is_in_thread, _say_thread),
    ("category", _is_same_issue, _say_issue),
    ("unnamed", _is_unnamed, _say_unnamed),
    ("similar", _is_near, lambda _ask: "same customer, in nearly the same words"),
)


def _open_new(ask: Ask, follows: tuple[Item, str] | None) -> Home:
    """Why it is new; of a number that is nobody's we know of no more is said than that it is not this customer's."""
    said = ["a new case"]
    if follows:
        said = [f"a new case after {call(follows[0])}: {follows[1]}"]
    quotes_other = ask.named and "number" not in ask.policy.join.off and not (follows and _quotes(ask, follows[0]))
    said += ["the case number it quotes is of none of this customer's"] if quotes_other else []
    said += ["the mail it answers is another customer's"] if ask.strange else []
    return Home(OPENED, "; ".join(said), follows=follows[0] if follows else None)


def call(case: Mapping[str, object]) -> str:
    """What people call a case."""
    crm = case.get("crm")
    return f"case {(crm.get('number') if isinstance(crm, Mapping) else '') or case['case_key']}"


def _plain(number: str) -> str:
    """Without case, dash and leading zeros: people write 42 of C-000042."""
    found = _DIGITS.match(number.casefold())
    return f"{found[1]}{found[2]}" if found else number.casefold()


def _words(row: Item) -> list[str]:
    return (read_text(row) or "")[:LOOKED_AT].casefold().split()
