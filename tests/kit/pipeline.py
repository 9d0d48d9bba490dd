"""The whole way through in the test's own process, on a clock of its own: queue, table, stream, state machine, CRM.

Deliveries are at least once: a step that dies is delivered again, as AWS would. `Pipeline.kill_at(n, after)` makes the n-th AWS or CRM call
from now die before or after it happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from caseline.abandonment import PATIENCE, CartNotes, CartWatch
from caseline.assessment import Analyser, Assessment, Text
from caseline.cases.lookup import AccountLookUp
from caseline.cases.outbox import Outbox
from caseline.cases.prioritise import Prioritiser
from caseline.cases.save import CaseSaver
from caseline.crm import CaseRecord, Match, SavedCase, open_crm
from caseline.envelopes import Message
from caseline.errors import CaselineError
from caseline.finds import Finder
from caseline.policy import load_policy
from caseline.publishing import fold_counts, put_events, read_records
from caseline.recording import Recorder
from caseline.runs import Runs
from caseline.signals import Signal, isoformat
from caseline.storms.counting import Storms
from caseline.storms.incidents import Incidents
from caseline.table import ConditionFailed, Table
from caseline.triage import triage
from caseline.watching import Watcher

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PRAISE = "Great update, everything is faster now. Thank you!"
ROUNDS = 400


class Killed(BaseException):
    """The process died between two lines. Not an Exception, so that nothing catches it by accident."""


@dataclass
class Grim:
    """Decides which call dies. `calls` counts all calls made through it."""

    calls: int = 0
    at: int | None = None
    after: bool = False
    log: list[str] = field(default_factory=list)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls += 1
        self.log.append(name)
        dies = self.at == self.calls
        if dies and not self.after:
            self.at = None
            raise Killed(name)
        answer = call()
        if dies:
            self.at = None
            raise Killed(name)
        return answer


@dataclass
class Mortal:
    """A client or CRM whose calls may be the last of the process."""

    inner: Any
    grim: Grim

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self.grim.around(name, lambda: value(*args, **kwargs))


class WordAnalyser:
    """Sentiment by a word or two, so that the simulation depends on no model."""

    def assess(self, texts: Sequence[Text]) -> list[Assessment]:
        return [self._assess(text.text.lower()) for text in texts]

    def _assess(self, text: str) -> Assessment:
        negative, positive = (0.9, 0.03) if "angry" in text else (0.03, 0.9) if "thank" in text else (0.1, 0.1)
        sentiment = max((negative, "negative"), (positive, "positive"), (0.5, "neutral"))[1]
        category = "service" if sentiment == "negative" else "unknown"
        return Assessment(sentiment, positive, negative, 1 - positive - negative, 0.0, 0.9, category=category, language="en", model="words")


class Pipeline:
    def __init__(self, cloud: Any, crm: Any = None, analyser: Analyser | None = None, policy: str | None = None, scope: str = "") -> None:
        self.cloud, self.now, self.grim = cloud, START, Grim()
        self.raw_table = Table(cloud.client("dynamodb"), cloud.table, sleep=lambda _: None)
        self.table = Table(Mortal(cloud.client("dynamodb"), self.grim), cloud.table, sleep=lambda _: None)
        self.crm = crm or open_crm("builtin").create(table=self.raw_table, clock=self.clock)
        self.analyser, self.policy, self.scope = analyser or WordAnalyser(), load_policy(policy), scope
        self.queue: list[Message] = []
        self.executions: dict[str, dict[str, Any]] = {}
        self.waiting: list[str] = []
        self.failed: list[str] = []
        self.alerts: list[dict[str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.ask: Callable[[Mapping[str, Any]], None] | None = None
        self.accepted = 0
        self._sent = 0

    def clock(self) -> datetime:
        return self.now

    # ---- what comes in

    def send(
        self, *signals: Signal, brand: str = "acme", trust: str = "verified", unreadable: list[Any] | None = None, envelope_id: str | None = None
    ) -> Message:
        """Queue one envelope, as the door would."""
        self._sent += 1
        first = signals[0] if signals else None
        envelope = {
            "v": 1,
            "id": envelope_id or f"env{self._sent:05d}",
            "channel": first.channel if first else "x",
            "source": first.source if first else "acme",
            "brand": brand,
            "trust": trust,
            "received_at": isoformat(self.now),
            "signals": [signal.to_json() for signal in signals],
            "unreadable": unreadable or [],
        }
        message = Message(f"m{self._sent}", json.loads(json.dumps(envelope)))
        self.accepted += len(signals) + len(unreadable or [])
        self.queue.append(message)
        return message

    def requeue(self, envelope: Mapping[str, Any]) -> None:
        self._sent += 1
        self.queue.append(Message(f"m{self._sent}", json.loads(json.dumps(envelope))))

    def queue_cart(self, signal: Signal, brand: str) -> None:
        self.grim.around("queue_cart", lambda: self.send(signal, brand=brand))

    # ---- the parts, made anew for each delivery as a new process would

    def recorder(self) -> Recorder:
        carts = CartNotes(self.table, lambda channel, source: PATIENCE)
        scope_of = lambda brand: self.scope and brand  # noqa: E731
        return Recorder(self.table, self.analyser, self.policy, scope_of, self.requeue, self.clock, WordAnalyser(), self.ask, carts)

    def runs(self) -> Runs:
        return Runs(self.table, self.start, self.clock)

    def storms(self) -> Storms:
        return Storms(self.table, self.policy, self.runs(), self.clock)

    def look_up(self, state: dict[str, Any]) -> dict[str, Any]:
        return AccountLookUp(self.table, Mortal(self.crm, self.grim), self.runs(), self.clock).look_up(state)

    def prioritise(self, state: dict[str, Any]) -> dict[str, Any]:
        return Prioritiser(self.table, self.crm.name, self.policy, self.runs(), self.clock, _case_url).prioritise(state)

    def save(self, state: dict[str, Any]) -> dict[str, Any]:
        return CaseSaver(self.outbox(), self.runs()).save(state)

    def outbox(self) -> Outbox:
        return Outbox(self.table, Mortal(self.crm, self.grim), self.clock, _case_url)

    def watch(self) -> int:
        look_up = AccountLookUp(self.table, Mortal(self.crm, self.grim), self.runs(), self.clock)
        incidents = Incidents(self.table, self.policy, self.runs(), self.clock, look_up)
        carts, finder = CartWatch(self.table, self.queue_cart, self.clock), Finder(self.table, self.policy, self.queue_cart, self.clock, look_up)
        return Watcher(self.table, self.runs(), self.outbox(), self.clock, carts, incidents=incidents, finder=finder).watch()

    def start(self, name: str, data: str) -> None:
        def begin() -> None:
            if name not in self.executions:
                self.executions[name] = json.loads(data)
                self.waiting.append(name)

        self.grim.around("start_execution", begin)

    # ---- the engine

    def kill_at(self, call: int, after: bool) -> None:
        """The call with this number, counted from now, dies before or after it happened."""
        self.grim = Grim(at=call, after=after)
        self.table.client.grim = self.grim

    def settle(self) -> None:
        """Deliver until nothing is left to deliver."""
        for _ in range(ROUNDS):
            if not (self._deliver_queue() | self._deliver_stream() | self._execute()):
                return
        raise AssertionError("the pipeline does not come to rest")

    def drain(self) -> None:
        """Settle as often as it takes to empty the queue: a storm or a replay is more rounds than a test has."""
        while self.queue:
            with suppress(AssertionError):
                self.settle()
        self.settle()

    def _deliver_queue(self) -> bool:
        batch, self.queue = self.queue[:25], self.queue[25:]
        if not batch:
            return False
        try:
            failed = set(self.recorder().record(batch))
        except (Killed, CaselineError, ConditionFailed):
            failed = {message.message_id for message in batch}
        self.queue += [message for message in batch if message.message_id in failed]
        return True

    def _deliver_stream(self) -> bool:
        records = self.cloud.stream_records()
        if not records:
            return False
        for consumer in (self._triage, self._publish):
            self._until_done(lambda consumer=consumer: consumer(records))
        return True

    def _triage(self, records: list[dict[str, Any]]) -> None:
        triage([r for r in records if _is_due(r)], self.table, self.runs(), lambda brand: self.scope and brand, self.storms())

    def _publish(self, records: list[dict[str, Any]]) -> None:
        happenings = read_records(records)
        put_events(happenings, "bus", self.events.extend)
        fold_counts(self.table, happenings)

    def _until_done(self, step: Callable[[], Any]) -> Any:
        for _ in range(20):
            try:
                return step()
            except (Killed, CaselineError, ConditionFailed):
                self.now += timedelta(seconds=10)  # retries wait, and leases of the dead run out
        raise AssertionError("a step never succeeds")

    def _execute(self) -> bool:
        names, self.waiting = self.waiting, []
        for name in names:
            self._run(name, self.executions[name])
        return bool(names)

    def _run(self, name: str, state: dict[str, Any]) -> None:
        """The state machine of infra/statemachines, step by step; a step that dies is retried, a look-up that fails is caught."""
        try:
            state = self._until_done(lambda: self.look_up(state))
        except AssertionError:
            state = state | {"lookup_error": {}}
        try:
            state = self._until_done(lambda: self.prioritise(state))
            if state["alert"]:
                self.alerts.append(state["alert"])
            self._until_done(lambda: self.save(state))
        except AssertionError:
            self.failed.append(name)
            self.raw_table.update(state["run"]["key"], "RUN", "SET failure = :f", f="failed")

    # ---- what is to be seen

    def rows(self, kind: str) -> list[dict[str, Any]]:
        from caseline.cases.ledger import told_rows
        from caseline.images import deserialise

        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=self.cloud.table)
        found = [row for page in pages for row in map(deserialise, page["Items"])]
        found += [line for row in found if row.get("type") == "case" for line in told_rows(row)]  # the newest lines of a case stand in its row
        return list({(row["PK"], row["SK"]): row for row in found if row.get("type") == kind}.values())

    def cases(self, status: str | None = None) -> list[dict[str, Any]]:
        return sorted((row for row in self.rows("case") if status in (None, row["status"])), key=lambda row: row["case_key"])

    def counts(self) -> dict[str, int]:
        total = {"recorded": 0, "revised": 0, "duplicates": 0, "quarantined": 0}
        for row in self.rows("counts"):
            for source in row["sources"].values():
                total = {name: total[name] + source.get(name, 0) for name in total}
        return total


def _case_url(case_key: str) -> str:
    return f"http://console/cases/{case_key}"


def _is_due(record: Mapping[str, Any]) -> bool:
    images = record["dynamodb"]
    if images.get("NewImage", {}).get("push", {}).get("S") == "wanted":
        return True
    return any(images.get(image, {}).get("need", {}).get("S") == "due" for image in ("NewImage", "OldImage"))


@dataclass
class FakeCrm:
    """A CRM that counts and misbehaves on demand: `fail` errors are raised before the call, `lose` answers are lost after it."""

    accounts: dict[str, Any] = field(default_factory=dict)
    name: str = "fake"
    native_upsert: bool = True
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    created: int = 0
    saves: int = 0
    fail: list[Exception] = field(default_factory=list)
    lose: list[Exception] = field(default_factory=list)

    def find_account(self, identities: Any) -> Match:
        self._maybe(self.fail)
        found = [self.accounts[identity] for identity in identities if identity in self.accounts]
        if len({account.account_id for account in found}) > 1:
            return Match("ambiguous", None, found)
        return Match("exact", found[0]) if found else Match("none")

    def save_case(self, record: CaseRecord) -> SavedCase:
        self._maybe(self.fail)
        self.saves += 1
        old = self.cases.get(record.case_key)
        self.created += old is None
        if old is None or record.version >= old.version:
            self.cases[record.case_key] = record
        self._maybe(self.lose)
        return SavedCase(f"id-{record.case_key}", f"N{len(self.cases)}", "", old is None)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        return None

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        return ()

    @staticmethod
    def _maybe(errors: list[Exception]) -> None:
        if errors:
            raise errors.pop(0)


def a_signal(native_id: str = "p-1", text: str | None = "The service is down again and nobody answers. Really angry.", **more: Any) -> Signal:
    values: dict[str, Any] = {
        "channel": "x",
        "source": "acme",
        "native_id": native_id,
        "kind": "post",
        "public": True,
        "occurred_at": START - timedelta(minutes=2),
        "received_at": START,
        "identities": ("x:100",),
        "author_name": "Ann",
        "text": text,
        "language": "en",
        "reach": 250,
    }
    return Signal(**(values | more))
