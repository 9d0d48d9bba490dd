"""Record signals: from queue messages to rows of the timeline, each once, whatever is delivered twice or out of order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from caseline.abandonment import CartNotes
from caseline.assessment import Analyser, Assessment
from caseline.assessment.combine import assess_signals
from caseline.assessment.rules import Rules
from caseline.cases.answering import is_reply
from caseline.cases.ledger import load_claims
from caseline.cases.merging import settle_merges
from caseline.cases.rescoring import look_soon
from caseline.customers import FAN_IN_CAP, Claimed, customer_id_of, identity_key, link, load_customer, new_nodes
from caseline.envelopes import Entry, Message, delivery_of, read_entries
from caseline.errors import UnavailableError
from caseline.intake import completion_job
from caseline.naming import identities_in, payload_mark, text_of
from caseline.need import decide_need
from caseline.policy import Policy
from caseline.quarantine import dropped_row, quarantine_row
from caseline.replies import Replies, claim_thread, private_thread
from caseline.reposts import is_repost, spread
from caseline.revisions import revise
from caseline.signals import DELETED, OUTBOUND, POINTER, isoformat
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import load_signals, signal_row
from caseline.tombstones import FORGOTTEN, Sieve, find_buried, last_erasure, stub_of

CACHED_CUSTOMERS = 20_000
SOON = timedelta(minutes=1)


@dataclass
class Recorder:
    """`requeue(envelope)` queues an envelope again; `scope_of(brand)` is the identity scope; `known` remembers whom this process has linked.

    `ask(job)` has a pointer completed, `carts` keeps the deadlines of carts.
    `erasure()` names the last erasure, "" for none ever: without any, no tombstone is read, and after a new one nobody counts as known.
    `rules` are those of the policy's categories, the shipped ones by default.
    `fallback` judges where the analyser, after retries of its own, does not answer: an angry customer must not wait for a service to come back.
    """

    table: Table
    analyser: Analyser
    policy: Policy
    scope_of: Callable[[str], str]
    requeue: Callable[[Mapping[str, Any]], None]
    clock: Callable[[], datetime]
    fallback: Analyser | None = None
    ask: Callable[[Mapping[str, Any]], None] | None = None
    carts: CartNotes | None = None
    known: dict[tuple[str, ...], None] = field(default_factory=dict)
    rules: Rules | None = None
    erasure: Callable[[], str] | None = None
    seen_erasure: str = ""
    sieve: Sieve = field(default_factory=Sieve)
    clean: set[str] = field(default_factory=set)

    @property
    def _most(self) -> int:
        """The identifier, and one more for each customer that may be on it."""
        return min(FAN_IN_CAP, self.policy.identities.fan_in + 1)

    @property
    def retention(self) -> timedelta:
        return timedelta(days=self.policy.retention.days)

    def record(self, messages: Sequence[Message]) -> list[str]:
        """Record all signals of the messages; returns the ids of messages that must come again."""
        entries, failed = read_entries(messages)
        self._assess(entries)
        self._ask_completion(entries)
        self._note_carts(entries)
        self._note_replies(entries)
        refused = self._insert(entries, messages)
        done = self._redelivered(entries)
        for entry in entries:
            if entry.delivery in done:
                continue
            try:
                self._finish(entry, refused)
            except (UnavailableError, ConditionFailed):
                self._try_again(entry, failed)
        return sorted(failed)

    def _assess(self, entries: Sequence[Entry]) -> None:
        assessments = self._assessments(entries)
        replies = Replies.load(self.table, [entry.signal for entry in entries])
        for entry, assessment in zip(entries, assessments, strict=True):
            entry.assessment = assessment
            entry.forgotten = replies.answers_forgotten(entry.signal)
            entry.signal = replies.addressed(entry.signal)
            entry.row = self._row(entry)
        self._forget(entries)

    def _forget(self, entries: Sequence[Entry]) -> None:
        """Of an erased person nothing is kept but that there was something; what they say after the erasure is new."""
        marks = [self._marks(entry) for entry in entries]
        erased = self._find_erased([mark for each in marks for mark in each])
        said = [[erased[mark] for mark in each if mark in erased] for each in marks]
        for entry in self._stubs([entry for entry, when in zip(entries, said, strict=True) if when]):
            entry.forgotten = True
        for entry, when in zip(entries, said, strict=True):
            if entry.forgotten or any(not entry.signal.identities or entry.row["occurred_at"] <= erased_at for erased_at in when):
                entry.row = stub_of(entry.row)
                entry.signal = entry.signal.with_(
                    action=DELETED, text=None, author_name=None, identities=(), attributes={}, thread_id=None, parent_id=None, rating=None, url=None
                )

    def _stubs(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that were erased themselves. A platform that sends no time makes an old word look new each time it repeats it."""
        rows = load_signals(self.table, [entry.signal.signal_id for entry in entries]) if entries else {}
        return [entry for entry in entries if rows.get(entry.signal.signal_id, {}).get(FORGOTTEN)]

    def _find_erased(self, marks: Sequence[str]) -> Mapping[str, str]:
        """By mark, when it was erased. Those that this process found free of tombstones are read again only after another erasure."""
        erasure = self.erasure() if self.erasure else last_erasure(self.table)
        if erasure != self.seen_erasure or len(self.clean) > CACHED_CUSTOMERS:
            self.known.clear()
            self.clean.clear()
            self.seen_erasure, self.sieve = erasure, Sieve.load(self.table) if erasure else Sieve()
        unsure = [mark for mark in marks if mark not in self.clean and self.sieve.holds(mark)] if erasure else []
        erased = find_buried(self.table, unsure)
        self.clean |= set(unsure) - erased.keys()
        return erased

    def _marks(self, entry: Entry) -> list[str]:
        """Where a tombstone of it would stand."""
        scope, thread = self.scope_of(entry.row["brand"]), private_thread(entry.row)
        return [*(identity_key(identity, scope) for identity in entry.signal.identities), *([thread] if thread else [])]

    def _ask_completion(self, entries: Sequence[Entry]) -> None:
        """Before the rows are written, so that none stays a pointer after a crash; to be asked twice changes nothing."""
        for entry in entries:
            if self.ask and not entry.completes and entry.signal.kind == POINTER and entry.signal.action != DELETED:
                self.ask(completion_job(entry.message.envelope, entry.signal, entry.delivery))

    def _note_carts(self, entries: Sequence[Entry]) -> None:
        """Before the rows are written, too: noting a cart twice changes nothing."""
        for entry in entries:
            if self.carts and entry.signal.kind == "cart_event":
                self.carts.note(entry.signal, entry.row["brand"], self.retention)

    def _note_replies(self, entries: Sequence[Entry]) -> None:
        """What the brand answers waits no more, and its cases say so soon. Before the rows are written, too: to look twice changes nothing."""
        rows = [entry.row for entry in entries if entry.signal.identities and not entry.signal.attributes.get("backfill") and is_reply(entry.row)]
        for identity, brand in dict.fromkeys((str(row["identities"][0]), str(row["brand"])) for row in rows):
            self._look_soon(identity, brand)

    def _assessments(self, entries: Sequence[Entry]) -> list[Assessment]:
        signals = [entry.signal for entry in entries]
        try:
            return assess_signals(self.analyser, signals, self.rules)
        except UnavailableError:
            if self.fallback is None:
                raise
            return assess_signals(self.fallback, signals, self.rules)

    def _row(self, entry: Entry) -> Item:
        brand = entry.message.envelope["brand"]
        need = decide_need(self.policy, entry.signal, entry.assessment)
        return signal_row(entry.signal, brand, self.scope_of(brand), entry.assessment, need, entry.delivery, self.retention)

    def _insert(self, entries: Sequence[Entry], messages: Sequence[Message]) -> set[str]:
        """Customers, threads, quarantine and signals in one go; marks the rows that were there before."""
        rows: dict[tuple[str, str], Item] = {}
        for row in (*self._customers(entries), *_threads(entries), *self._quarantined(messages), *(entry.row for entry in entries)):
            rows.setdefault((row["PK"], row["SK"]), row)
        inserted = self.table.insert_many(list(rows.values()))
        existing = {id(row) for row in inserted.existing}
        self._link({row["PK"] for row in inserted.existing if row["type"] == "customer"} | self._shared(entries), entries)
        self._claim_threads([row for row in inserted.existing if row["type"] == "thread"], entries)
        for entry in entries:
            first = rows[(entry.row["PK"], entry.row["SK"])]
            entry.row["was_there"] = first is not entry.row or id(first) in existing
        return {row["PK"] for row in inserted.refused}

    def _redelivered(self, entries: Sequence[Entry]) -> set[str]:
        """Deliveries that stand on their rows already, with nothing owed to anybody: one read for all of them, and no more to do."""
        rows = load_signals(self.table, [entry.signal.signal_id for entry in entries if entry.row["was_there"]])
        known = [(entry.delivery, rows.get(entry.signal.signal_id, {})) for entry in entries if entry.row["was_there"] and not entry.completes]
        return {delivery for delivery, row in known if delivery in row.get("deliveries", ()) and not _owes(row)}

    def _finish(self, entry: Entry, refused: set[str]) -> None:
        self._settle(entry, refused)
        if is_repost(entry.signal):
            spread(self.table, entry.row)

    def _settle(self, entry: Entry, refused: set[str]) -> None:
        if entry.row["PK"] in refused:
            raise UnavailableError("the table refuses the row")
        was_there = entry.row.pop("was_there")
        if was_there:
            self._unanswer(entry)
            answered = revise(self.table, entry.row, self.scope_of(entry.row["brand"]), entry.completes)
            if answered and entry.signal.identities:
                self._look_soon(str(entry.signal.identities[0]), str(entry.row["brand"]))
            if entry.signal.direction == OUTBOUND:
                Replies.find_customer(self.table, entry.row, self.scope_of(entry.row["brand"]))
        elif entry.signal.direction == OUTBOUND and not entry.signal.identities:
            Replies.wait_for_parent(self.table, entry.row, self.scope_of(entry.row["brand"]))

    def _unanswer(self, entry: Entry) -> None:
        """What a reply answered that is taken back waits again. Before the row changes, for who dies in between comes again."""
        row = self.table.get(entry.row["PK"], entry.row["SK"]) if entry.signal.action == DELETED else None
        if row and row.get("type") == "signal" and row.get("identities") and is_reply(row):
            self._look_soon(str(row["identities"][0]), str(row["brand"]))

    def _look_soon(self, identity: str, brand: str) -> None:
        """The customer's open cases are judged again in a minute."""
        customer = load_customer(self.table, customer_id_of(identity, self.scope_of(brand)))
        if customer:
            look_soon(self.table, load_claims(self.table, str(customer["customer_id"])), self.clock() + SOON)

    def _customers(self, entries: Sequence[Entry]) -> list[Item]:
        return [node for claimed in self._claims(entries) for node in new_nodes(claimed)]

    def _shared(self, entries: Sequence[Entry]) -> set[str]:
        """Customers that several claims of this batch name: only the first claim's row is inserted, so the others are yet to be joined to it."""
        named = Counter(node["PK"] for node in self._customers(entries))
        return {pk for pk, claims in named.items() if claims > 1}

    def _claims(self, entries: Sequence[Entry]) -> list[Claimed]:
        """What the batch says of people, once where several signals say the same."""
        claims: dict[tuple[str, ...], Claimed] = {}
        for claimed in filter(None, map(self._claim, entries)):
            claims.setdefault(_known_key(claimed), claimed)
        return [claimed for known, claimed in claims.items() if known not in self.known]

    def _claim(self, entry: Entry) -> Claimed | None:
        if not entry.signal.identities:
            return None
        scope, trust = self.scope_of(entry.row["brand"]), entry.message.envelope.get("trust") or "asserted"
        name = entry.signal.author_name if entry.signal.direction != OUTBOUND else None
        said_by, at = f"signal:{entry.signal.signal_id}", isoformat(entry.signal.received_at)
        return Claimed(entry.signal.identities, said_by, at, trust, name, scope=scope, most=self._most)

    def _link(self, existing: set[str], entries: Sequence[Entry]) -> None:
        """Join identities to customers that were there before, and remember whom this process has seen."""
        for claimed in self._claims(entries):
            if existing & {node["PK"] for node in new_nodes(claimed)}:
                customer_id, merged = link(self.table, claimed)
                if merged:
                    settle_merges(self.table, customer_id, isoformat(self.clock()))
            if len(self.known) > CACHED_CUSTOMERS:
                self.known.clear()
            self.known[_known_key(claimed)] = None

    def _claim_threads(self, existing: Sequence[Item], entries: Sequence[Entry]) -> None:
        brands = {row["PK"]: str(entry.row["brand"]) for entry in entries if (row := Replies.thread_row(entry.row))}
        for row in existing:
            if answered := claim_thread(self.table, row, self.scope_of(brands[row["PK"]])):
                self._look_soon(answered, brands[row["PK"]])

    def _quarantined(self, messages: Sequence[Message]) -> list[Item]:
        rows = [
            quarantine_row(message.envelope, unreadable, delivery_of(message.envelope, f"u{i}"), self.policy.retention.of_quarantine)
            for message in messages for i, unreadable in enumerate(message.envelope.get("unreadable", []))
        ]
        marks = [self._payload_marks(row) for row in rows]
        erased = self._find_erased([mark for each in marks for mark in each]) if rows else {}
        return [
            dropped_row(row) if each[0] in erased or any(row["received_at"] <= erased.get(mark, "") for mark in each) else row
            for row, each in zip(rows, marks, strict=True)
        ]

    def _payload_marks(self, row: Item) -> list[str]:
        """Where a tombstone of what could not be read would stand: of the very payload, then of whomever it names."""
        scope = self.scope_of(row["brand"])
        return [payload_mark(row), *(identity_key(identity, scope) for identity in identities_in(text_of(row)))]

    def _try_again(self, entry: Entry, failed: set[str]) -> None:
        """A failing signal is queued again alone, so that it delays none of its neighbours; the last of an envelope comes again by itself."""
        envelope = entry.message.envelope
        if len(envelope["signals"]) == 1 and not envelope.get("unreadable"):
            failed.add(entry.message.message_id)
            return
        try:
            self.requeue({**envelope, "signals": [envelope["signals"][entry.index]], "unreadable": [], "part": entry.delivery})
        except UnavailableError:
            failed.add(entry.message.message_id)


def _owes(row: Mapping[str, Any]) -> bool:
    """Whether something else may still have to be done for a row that was written: a post is awaited, a repost adds its reach, a reply is nobody's."""
    return bool(row.get("awaited_by") or row.get("kind") == "repost" or (row.get("direction") == OUTBOUND and "identity" not in row))


def _threads(entries: Sequence[Entry]) -> list[Item]:
    return [thread for entry in entries if (thread := Replies.thread_row(entry.row))]


def _known_key(claimed: Claimed) -> tuple[str, ...]:
    return (claimed.scope, claimed.name or "", *claimed.identities)
