"""In triage: who has been heard on which issue, and which signals belong to an incident.

A batch with signals that need a case reads the brand's incidents once and counts all its issues in one insert; an issue that others were heard on is one
update more. A signal that belongs to an incident costs none of that: one row tells of all of a batch.

Which signals belong is the same in any order for signals within one window: those that share an issue on which more customers than `own_cases` were heard.
The few that went their own way before are adopted, see `incidents`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from caseline.crm import Account
from caseline.customers import customer_id_of, identity_key
from caseline.policy import Policy
from caseline.priority.scene import find_fact, read_word
from caseline.runs import Runs, run_key
from caseline.signals import INBOUND, OWN_CHANNEL, isoformat
from caseline.storms.fingerprints import Sketch, are_copies, core_of, is_about, is_one_issue, issue_keys, name_issue, sketch_of
from caseline.table import ConditionFailed, Item, Table, key
from caseline.timeline import LIVE, load_signals, read_text

INCIDENT = "incident"  # the kind of its case, and of the customer that it has
STORM = "storm"  # the rule on the row of a signal that an incident took
LOOK = timedelta(minutes=1)  # how often an incident is looked after
KEPT = timedelta(days=2)  # of what was counted, after its window
SAMPLES = 10  # signals that an incident is opened with


@dataclass(frozen=True)
class Heard:
    """One signal that needs a case, of whom."""

    row: Item
    customer_id: str
    customer: Item | None
    scope: str

    @property
    def signal_id(self) -> str:
        return str(self.row["signal_id"])

    @cached_property
    def sketch(self) -> Sketch:
        return sketch_of(read_text(self.row))


@dataclass(frozen=True)
class Storms:
    table: Table
    policy: Policy
    runs: Runs
    clock: Callable[[], datetime]

    def take(self, heard: Sequence[Heard]) -> set[str]:
        """The ids of the signals that belong to an incident, which is told of them; the others go their own way."""
        taken: set[str] = set()
        if self.policy.storms.active:
            for brand in sorted({str(each.row["brand"]) for each in heard if self._may_belong(each)}):
                taken |= self._take(brand, [each for each in heard if each.row["brand"] == brand and self._may_belong(each)])
        return taken

    def _may_belong(self, heard: Heard) -> bool:
        row, rules = heard.row, self.policy.storms
        if row.get("case_key") or row["state"] != LIVE or row["direction"] != INBOUND or row["category"] in rules.alone or row["channel"] == OWN_CHANNEL:
            return False
        return not (rules.key_accounts_alone and is_key(self.policy, heard.customer))

    def _take(self, brand: str, heard: Sequence[Heard]) -> set[str]:
        now, keys = self.clock(), {each.signal_id: issue_keys(each.row, self.policy.storms) for each in heard}
        storms = load_storms(self.table, brand, now)
        rest = self._unclaimed(heard, keys, storms, now)
        for issue, counted in sorted(self._count(brand, rest, keys, now).items()):
            about = [each for each in rest if issue in keys[each.signal_id]]
            if about and len(counted["heard"]) > self.policy.storms.own_cases and not counted.get("common"):
                storms = load_storms(self.table, brand, now)  # another batch may have seen it by another choice of its words
                if not any(issue in storm["issues"] for storm in storms):
                    storms += self._see(brand, issue, counted, about, now)
                rest = self._unclaimed(rest, keys, storms, now)
        return {each.signal_id for each in heard} - {each.signal_id for each in rest}

    def _unclaimed(self, heard: Sequence[Heard], keys: Mapping[str, Sequence[str]], storms: Sequence[Item], now: datetime) -> list[Heard]:
        """Those that belong to none of the incidents; each incident is told of those that do."""
        members: dict[str, list[Heard]] = defaultdict(list)
        rest: list[Heard] = []
        for each in heard:
            about = (storm for storm in storms if belongs(each.sketch, keys[each.signal_id], storm))
            found = next((storm for storm in about if not self._stands_alone(each, storm)), None)
            (members[found["SK"]] if found else rest).append(each)
        for storm in storms:
            if storm["SK"] in members:
                self._note(storm, members[storm["SK"]], now)
        return rest

    def _stands_alone(self, heard: Heard, storm: Item) -> bool:
        return self.policy.storms.stands_alone(str(heard.row["category"]), str(storm["category"]))

    def _note(self, storm: Item, members: Sequence[Heard], now: datetime) -> None:
        """One row for the batch; the incident lasts as long as somebody writes of it."""
        people = {each.signal_id: each.customer_id for each in members}
        self.table.put(members_key(storm["storm"], people) | members_row(people, storm["expires"]))
        if isoformat(now + self.policy.storms.window / 2) > storm["until"]:
            until, at = isoformat(now + self.policy.storms.window), isoformat(now + LOOK)
            storm |= {"until": until}
            self.table.update(storm["PK"], storm["SK"], "SET until = :until, due_shard = :due, due_at = :at", until=until, due="due", at=at)

    def _count(self, brand: str, heard: Sequence[Heard], keys: Mapping[str, Sequence[str]], now: datetime) -> dict[str, Item]:
        """By issue, who has been heard on it within the window."""
        found: dict[str, list[Heard]] = defaultdict(list)
        for each in heard:
            for issue in keys[each.signal_id]:
                found[issue].append(each)
        rows = {issue: self._counter(brand, issue, about, now) for issue, about in found.items()}
        there = {row["issue"] for row in self.table.insert_many(list(rows.values())).existing} if rows else set()
        return {issue: self._add(row, now) if issue in there else row for issue, row in rows.items()}

    def _counter(self, brand: str, issue: str, about: Sequence[Heard], now: datetime) -> Item:
        until = now + self.policy.storms.window
        return key(f"ISSUE#{brand}#{issue}", "ISSUE") | {
            "type": "issue", "schema": 1, "issue": issue, "heard": {each.customer_id for each in about}, "signals": {each.signal_id for each in about},
            "until": isoformat(until), "expires": int((until + KEPT).timestamp()),
        }

    def _add(self, row: Item, now: datetime) -> Item:
        """To what was counted before; what is older than the window counts no more."""
        at = isoformat(now)
        for _ in range(8):
            try:
                return self.table.update(
                    row["PK"], row["SK"], "ADD heard :heard, signals :signals", "until > :now", heard=row["heard"], signals=row["signals"], now=at
                )
            except ConditionFailed:
                try:
                    self.table.put(row, "attribute_not_exists(PK) OR until <= :now", now=at)
                except ConditionFailed:
                    continue
                return row
        raise ConditionFailed()

    def _see(self, brand: str, issue: str, counted: Item, about: Sequence[Heard], now: datetime) -> list[Item]:
        """The incident of an issue on which many were heard; none where their texts have only common words together."""
        rows = list(load_signals(self.table, sorted(counted["signals"])[:100]).values())
        rows = [row for row in rows if row["state"] == LIVE and row.get("need") == "due"] or [each.row for each in about]
        sketches, by = [sketch_of(read_text(row)) for row in rows], issue.partition("-")[0]
        if by == "text" and not is_one_issue(sketches, self.policy.storms.similarity):
            self.table.update(counted["PK"], counted["SK"], "SET common = :yes", yes=True)
            return []
        core = sorted(core_of(sketches)) if by == "text" else []
        category = min(Counter(str(row["category"]) for row in rows).items(), key=lambda pair: (-pair[1], pair[0]))[0]
        storm = self._storm(brand, issue, core, about[0].scope, now) | {"by": by, "category": category, "copies": by == "text" and are_copies(sketches)}
        self._open(storm, counted, about)
        return [storm]

    def _storm(self, brand: str, issue: str, core: Sequence[str], scope: str, now: datetime) -> Item:
        name, until = name_issue(brand, " ".join(core) or issue), now + self.policy.storms.window
        return key(f"STORMS#{brand}", name) | {
            "type": "storm", "schema": 1, "storm": name, "brand": brand, "scope": scope, "issues": [issue], "core": core,
            "customer_id": customer_id_of(f"{INCIDENT}:{name}", scope), "since": isoformat(now), "until": isoformat(until),
            "expires": int((until + KEPT).timestamp()), "due_shard": "due", "due_at": isoformat(now + LOOK),
        }  # fmt: skip

    def _open(self, storm: Item, counted: Item, about: Sequence[Heard]) -> None:
        """The incident's own customer, the incident, a run for its case. Whoever dies in between leaves the rest to the watcher."""
        identity = f"{INCIDENT}:{storm['storm']}"
        self.table.insert_many([
            key(f"CUSTOMER#{storm['customer_id']}", "CUSTOMER") | {
                "type": "customer", "schema": 1, "customer_id": storm["customer_id"], "name": None, "identities": [identity], "contact": "",
                "first_seen": storm["since"], "version": 1, "provenance": identity, "trust": "verified", "identity": identity_key(identity, storm["scope"]),
                "scope": storm["scope"], "kind": INCIDENT, "by": storm["by"], "copies": storm["copies"],
            },
        ])  # fmt: skip
        early = sorted(counted["signals"])
        try:
            self.table.put(storm | {"early": early}, "attribute_not_exists(PK) OR until <= :now", now=storm["since"])
        except ConditionFailed:
            return  # another batch has seen the same
        ours = [each for each in about if not self._stands_alone(each, storm)] or about[:1]
        samples = [each.signal_id for each in ours if belongs(each.sketch, storm["issues"], storm)] or [ours[0].signal_id]
        self.runs.add(run_key(storm["customer_id"], storm["brand"], storm["category"]), samples[:SAMPLES])


def is_taken_by_incident(case: Mapping[str, object]) -> bool:
    return bool(case.get("kind") == INCIDENT or case.get("adopted_by"))


def belongs(sketch: Sketch, keys: Iterable[str], storm: Mapping[str, object]) -> bool:
    core, issues = storm["core"], storm["issues"]
    assert isinstance(core, list) and isinstance(issues, list)
    return is_about(sketch, core) if core else any(issue in issues for issue in keys)


def is_key(policy: Policy, customer: Mapping[str, object] | None) -> bool:
    account = (customer or {}).get("account")
    return isinstance(account, Mapping) and read_word(find_fact(Account.from_json(account), "tier")) in policy.tiers.key


def load_people(table: Table, customer: Mapping[str, Any]) -> Iterator[Item]:
    """The signals of an incident that still call for a case, of those that it took; `customer` is the incident's own."""
    for row in table.query(f"STORM#{str(customer['identities'][0]).partition(':')[2]}"):
        found = load_signals(table, sorted(row["people"]))
        yield from (signal for signal in found.values() if signal["state"] == LIVE and signal.get("need") == "due")


def load_storms(table: Table, brand: str, now: datetime) -> list[Item]:
    """The incidents of a brand that go on."""
    at = isoformat(now)
    return [row for row in table.query(f"STORMS#{brand}") if row["until"] > at]


def members_key(storm: str, people: Iterable[str]) -> Item:
    """The same batch is the same row; a signal in two batches counts once, because its id is what counts."""
    return key(f"STORM#{storm}", hashlib.sha256(" ".join(sorted(people)).encode()).hexdigest()[:24])


def members_row(people: Mapping[str, str], expires: int) -> Item:
    return {"type": "members", "schema": 1, "people": dict(people), "expires": expires}
