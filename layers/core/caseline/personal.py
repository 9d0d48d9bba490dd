"""Everything that is kept of one person, given out and erased. Each step may die and is safe to repeat; the customer's own rows go last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from caseline.cases.inbound import account_key
from caseline.cases.ledger import load_case, owes_erasure, take_back
from caseline.crm._pace import BUILTIN
from caseline.erasing import drop_payload, erase_case, erase_signal, leave_incident
from caseline.naming import payload_mark
from caseline.outside import Outside
from caseline.person import Finder, Person, profiles_of
from caseline.policy import Policy
from caseline.quarantine import read_raw
from caseline.recalls import OWED, owe
from caseline.replies import private_thread
from caseline.signals import isoformat
from caseline.table import Item, Table
from caseline.timeline import expiry, read_text
from caseline.tombstones import BEYOND, announce, bury

PASSES = 5  # over the timeline, whose index follows the table a moment later
SETTLING = 2.0  # seconds: until no process takes in by what it read before the erasure
_HIDDEN = frozenset({"PK", "SK", "text_z", "list_name", "list_rank", "due_shard", "due_at", "raw_z"})
_DELETED = ("link", "buyer", "crm_note", "crm_contact", "crm_change")


@dataclass(frozen=True)
class Personal:
    """`crm` is the configured CRM's name; `outside` the stores besides the table; `push(case_key)` brings a case to the CRM now, if it can;
    `recall(row)` blanks there what an erased profile owes, and says what remains, or None where the CRM does not answer."""

    table: Table
    crm: str
    policy: Policy
    clock: Callable[[], datetime]
    outside: Outside | None = None
    sleep: Callable[[float], None] = lambda _: None
    push: Callable[[str], Any] = lambda _: None
    recall: Callable[[Item], Sequence[str] | None] = lambda _: None

    @property
    def retention(self) -> timedelta:
        """The longest that anything is kept."""
        return max(timedelta(days=self.policy.retention.days), self.policy.retention.of_cases, self.policy.retention.of_quarantine)

    def _find(self, customer_id: str) -> Person:
        return Finder(self.table, self.crm).find(customer_id)

    # ---- giving it out

    def export(self, customer_id: str) -> dict[str, Any]:
        """`{"customer_id", "exported_at", "stores": {kind: [rows]}, "elsewhere": [...]}`: all of it, as it is kept."""
        person = self._find(customer_id)
        mine = [_of_one(row, person.signal_ids) for row in person.rows["incident"]]
        stores = {"customer": person.nodes, **person.rows, "incident": mine}
        plain = {kind: [_plain(row) for row in rows] for kind, rows in stores.items() if rows}
        outside = self.outside.find(person.traces) if self.outside else {}
        return {
            "customer_id": person.root["customer_id"], "exported_at": isoformat(self.clock()),
            "stores": plain | {kind: rows for kind, rows in outside.items() if rows}, "elsewhere": list(self._stands_elsewhere(person)),
        }  # fmt: skip

    # ---- erasing it

    def erase(self, customer_id: str) -> dict[str, Any]:
        """`{"customer_id", "erased": {kind: count}, "elsewhere": [...]}`; what must be erased in a CRM by its own people is told plainly."""
        now, found = self.clock(), self._find(customer_id)
        counts = {kind: len(rows) for kind, rows in found.rows.items()}
        bury(self.table, self._marks(found), isoformat(now), expiry(now, self.retention + BEYOND))
        self.sleep(SETTLING)
        counts |= self.outside.erase(found.traces) if self.outside else {}
        person = found
        for _ in range(PASSES):
            self._erase(person, isoformat(now))
            person = self._find(customer_id)
            if not person.rows["signal"]:
                break
        elsewhere = [*self._tell_crm(found), *self._recall_profiles(found, isoformat(now)), *self._stands_elsewhere(found)]
        self._erase_customer(found)
        announce(self.table, isoformat(now))  # who has seen the customer a moment ago looks again
        return {"customer_id": found.root["customer_id"], "erased": counts | {"customer": len(found.nodes)}, "elsewhere": elsewhere}

    def _marks(self, person: Person) -> Iterable[str]:
        payloads = (payload_mark(row) for row in person.rows["quarantine"] if read_raw(row))
        return [*person.partitions, *filter(None, map(private_thread, person.rows["signal"])), *payloads]

    def _erase(self, person: Person, now: str) -> None:
        """What is found by a signal or a case goes before it; a case loses what it is found by last."""
        for row in chain.from_iterable(person.rows[kind] for kind in _DELETED):
            self.table.delete(row["PK"], row["SK"])
        for row in person.rows["quarantine"]:
            drop_payload(self.table, row)
        for row in person.rows["incident"]:
            leave_incident(self.table, row, person.signal_ids)
        self._ask_back(person, now)
        for row in person.rows["signal"]:
            erase_signal(self.table, row)
        for case in person.rows["case"]:
            erase_case(self.table, case["case_key"], now, self.crm == BUILTIN)

    def _ask_back(self, person: Person, now: str) -> None:
        """What a remote CRM was told of their signals, in whose cases ever, is taken back by the outbox: a CRM that is down erases it later."""
        if self.crm == BUILTIN or not self.policy.crm.take_back_notes:
            return
        told = {row["case_key"]: {*map(str, row.get("signal_ids", ()))} or {row["case_key"]} for row in person.rows["case"]}
        for row in person.rows["signal"]:
            if row.get("case_key"):
                told.setdefault(row["case_key"], set()).add(row["signal_id"])
        for case_key, signal_ids in sorted(told.items()):
            take_back(self.table, case_key, signal_ids, now)

    def _tell_crm(self, person: Person) -> Iterator[str]:
        """Cases that a remote CRM has: what could be taken back by now, what will be, what stands."""
        for case in person.rows["case"] if self.crm != BUILTIN else ():
            crm_id = str((case.get("crm") or {}).get("id") or "")
            if not crm_id:
                continue
            self.push(case["case_key"])
            after = load_case(self.table, case["case_key"]) or case
            if not self.policy.crm.take_back_notes:
                yield f"{self.crm}: the notes of case {crm_id} quote the person; erase them there"
            elif owes_erasure(after):
                yield f"{self.crm}: the notes of case {crm_id} are taken back as soon as it can be reached"
            yield from (f"{self.crm}: case {crm_id}: {line}" for line in after.get("remains", ()))

    def _recall_profiles(self, person: Person, now: str) -> Iterator[str]:
        """How they felt, on their contact in a remote CRM: what was blanked by now says nothing, what stands or will be blanked is told."""
        for row in profiles_of(self.table, person):
            owed = row if row.get(OWED) else self._owed(person, row, now)
            if owed is None:
                continue
            contact, remains = owed[OWED]["contact_id"], self.recall(owed)
            if remains is None:
                yield f"{self.crm}: what Caseline wrote on contact {contact} is blanked as soon as it can be reached"
            yield from (f"{self.crm}: contact {contact}: {line}" for line in remains or ())

    def _owed(self, person: Person, row: Item, now: str) -> Item | None:
        """Of the account only what is of nobody else."""
        account = person.root.get("account") or {}
        contact, of = str(row.get("contact") or account.get("contact_id") or ""), str(account.get("account_id") or "")
        if self.crm == BUILTIN or not self.policy.crm.take_back_notes or not (row.get("wrote") and contact):
            return None
        own = {node["customer_id"] for node in person.nodes}
        others = {each["SK"] for each in self.table.query(str(account_key(self.crm, of, "")["PK"]))} - own if of else {""}
        return owe(self.table, row, contact, "" if others else of, now)

    def _stands_elsewhere(self, person: Person) -> Iterator[str]:
        """What Caseline cannot take back by itself."""
        contact = (person.root.get("account") or {}).get("contact_id") or person.root.get("contact")
        if self.crm != BUILTIN and contact and person.root.get("newcomer_of"):
            yield f"{self.crm}: contact {contact} was made by Caseline, unless it was there; delete it there if nobody works with it"
        elif self.crm != BUILTIN and contact:
            yield f"{self.crm}: contact {contact} stands there; erase it there"
        yield "messages under way are dropped when they come; backups of the table forget within 35 days"

    def _erase_customer(self, person: Person) -> None:
        """Aliases first, the root last: whoever is killed before finds the person again and goes on."""
        account = person.root.get("account") or {}
        for row in [row for row in profiles_of(self.table, person) if not row.get(OWED)]:
            self._delete(row)
        nodes = sorted(person.nodes, key=lambda row: row["customer_id"] == person.root["customer_id"])
        for node in nodes:
            for name in ("account_id", "contact_id"):
                if account.get(name):
                    self._delete(account_key(self.crm, account[name], str(node["customer_id"])))
            claims, history = self.table.query(f"CLAIMS#{node['customer_id']}"), self.table.query(node["PK"], prefix="HISTORY#")
            for row in [*claims, *history, node]:
                self._delete(row)

    def _delete(self, row: Item) -> None:
        self.table.delete(str(row["PK"]), str(row["SK"]))


def _of_one(row: Item, signal_ids: set[str]) -> Item:
    return row | {"people": {signal_id: who for signal_id, who in row["people"].items() if signal_id in signal_ids}}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can hold it; a compressed text is written out."""
    text = {"text": read_text(row)} if "text_z" in row else {}
    raw = {"raw": read_raw(row)} if "raw_z" in row else {}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in row.items() if name not in _HIDDEN} | text | raw
