"""Everything that is kept of one person: found, given out, and erased. Each step may die and is safe to repeat; the customer's own rows go last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from caseline.cases.inbound import account_key
from caseline.cases.ledger import crm_case_key, load_case, load_cases, load_claims, marked_case, owes_erasure, take_back
from caseline.crm._builtin_rows import CHANGES, case_key_of, contact_key
from caseline.crm._builtin_rows import identity_key as crm_identity_key
from caseline.crm._pace import BUILTIN
from caseline.customers import identity_key, load_customer
from caseline.erasing import drop_payload, erase_case, erase_signal, leave_incident
from caseline.errors import NotFoundError
from caseline.naming import names, payload_mark, word_of
from caseline.outside import Outside, Traces
from caseline.policy import Policy
from caseline.quarantine import list_quarantine, read_raw
from caseline.recalls import OWED, owe
from caseline.replies import private_thread
from caseline.signals import isoformat
from caseline.table import Item, Table
from caseline.timeline import expiry, read_text
from caseline.tombstones import BEYOND, announce, bury
from caseline.unions import load_nodes

PASSES = 5  # over the timeline, whose index follows the table a moment later
QUARANTINE = 10_000
SETTLING = 2.0  # seconds: until no process takes in by what it read before the erasure
INCIDENT = "incident"
_HIDDEN = frozenset({"PK", "SK", "text_z", "list_name", "list_rank", "due_shard", "due_at", "raw_z"})
_DELETED = ("link", "buyer", "crm_note", "crm_contact", "crm_change")


@dataclass
class Person:
    """What the table holds of a customer, read once. Lists of rows by what they are."""

    root: Item
    nodes: list[Item]
    rows: dict[str, list[Item]] = field(default_factory=dict)

    @property
    def partitions(self) -> list[str]:
        """Of every identity on the timeline."""
        return [identity_key(identity, self.root.get("scope", "")) for identity in self.root["identities"]]

    @property
    def traces(self) -> Traces:
        """By which a payload is known as theirs: addresses, numbers and handles, in lower case; and their cases, there and here."""
        values = {word_of(str(identity)) for identity in self.root["identities"]}
        ids = [str(each) for case in self.rows["case"] for each in (case["case_key"], (case.get("crm") or {}).get("id")) if each]
        return Traces(frozenset(map(str, self.root["identities"])), sorted(value for value in values if len(value) > 3), ids)

    @property
    def signal_ids(self) -> set[str]:
        return {str(row["signal_id"]) for row in self.rows["signal"]}


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

    # ---- what there is

    def find(self, customer_id: str) -> Person:
        root = load_customer(self.table, customer_id)
        if root is None:
            raise NotFoundError(f"no customer {customer_id}")
        person = Person(root, list(load_nodes(self.table, root).values()))
        seen = [row for partition in person.partitions for row in self.table.query(partition, index="timeline")]
        for kind in ("signal", "note", "link"):
            person.rows[kind] = [row for row in seen if row["type"] == kind]
        self._find_cases(person, {case_key for row in seen if (case_key := marked_case(row))})
        person.rows["profile"] = list(self._profiles(person))
        words = person.traces.words
        person.rows["quarantine"] = [row for row in list_quarantine(self.table, QUARANTINE) if names(row, words)]
        person.rows["buyer"] = list(self._buyers(person))
        person.rows["incident"] = list(self._memberships(person))
        return person

    def _find_cases(self, person: Person, marked: set[str]) -> None:
        keys = marked | {claim["case_key"] for claim in load_claims(self.table, str(person.root["customer_id"]))}
        cases = person.rows["case"] = [case for case_key in sorted(keys) if (case := load_case(self.table, case_key))]
        person.rows["of_cases"] = [row for case in cases for row in self.table.query(case["PK"]) if row["SK"] != "CASE"]
        person.rows["crm_note"] = [row for case in cases for row in self.table.query(case_key_of(case["case_key"])[0], prefix="NOTE#")]
        person.rows["crm_case"] = [row for case in cases if (row := self._crm_case(case))]
        person.rows["crm_contact"] = list(self._contacts(person))
        person.rows["crm_change"] = list(self._changes(person))

    def _crm_case(self, case: Item) -> Item | None:
        place = crm_case_key(self.crm, str((case.get("crm") or {}).get("id") or ""))
        return self.table.get(place["PK"], place["SK"])

    def _contacts(self, person: Person) -> Iterator[Item]:
        """Of the built-in CRM: the contact, what was told of it, and the rows by which it is found."""
        if self.crm != BUILTIN:
            return
        ids = {str(row["SK"]) for identity in person.root["identities"] for row in self.table.query(crm_identity_key(identity, "")[0])}
        for contact_id in sorted(ids):
            rows = list(self.table.query(contact_key(contact_id)[0]))
            identities = [identity for row in rows for identity in row.get("identities", ())]
            finders = [row for i in identities for row in self.table.query(crm_identity_key(i, "")[0]) if row["SK"] == contact_id]
            by_these = {crm_identity_key(i, "")[0] for i in person.root["identities"]}
            yield from sorted([*finders, *rows], key=lambda row: row["PK"] in by_these)  # those it was found by go last

    def _changes(self, person: Person) -> Iterator[Item]:
        """What the built-in CRM still tells of their cases and contacts."""
        ids = {case["case_key"] for case in person.rows["case"]} | {row["contact_id"] for row in person.rows["crm_contact"] if "contact_id" in row}
        for row in self.table.query(CHANGES) if self.crm == BUILTIN else ():
            told = row.get("fields") or {}
            if ids & {row.get("crm_id"), row.get("case_key")} or set(told.get("identities") or ()) & set(person.root["identities"]):
                yield row

    def _buyers(self, person: Person) -> Iterator[Item]:
        sources = {f"{row['channel']}/{row['source']}" for row in person.rows["signal"] if row["kind"] == "cart_event"}
        for source in sorted(sources):
            for identity in person.root["identities"]:
                yield from self.table.query(f"BUYER#{source}/{identity}")

    def _memberships(self, person: Person) -> Iterator[Item]:
        """The rows that count them among the people of an incident."""
        others = {row["case_key"] for row in person.rows["signal"] if row.get("case_key")} - {case["case_key"] for case in person.rows["case"]}
        for case in load_cases(self.table, sorted(others)).values():
            if case.get("kind") == INCIDENT and (customer := load_customer(self.table, case["customer_id"])):
                storm = str(customer["identities"][0]).partition(":")[2]
                yield from (row for row in self.table.query(f"STORM#{storm}") if person.signal_ids & set(row["people"]))

    # ---- giving it out

    def export(self, customer_id: str) -> dict[str, Any]:
        """`{"customer_id", "exported_at", "stores": {kind: [rows]}, "elsewhere": [...]}`: all of it, as it is kept."""
        person = self.find(customer_id)
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
        now, found = self.clock(), self.find(customer_id)
        counts = {kind: len(rows) for kind, rows in found.rows.items()}
        bury(self.table, self._marks(found), isoformat(now), expiry(now, self.retention + BEYOND))
        self.sleep(SETTLING)
        counts |= self.outside.erase(found.traces) if self.outside else {}
        person = found
        for _ in range(PASSES):
            self._erase(person, isoformat(now))
            person = self.find(customer_id)
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
        for row in self._profiles(person):
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

    def _profiles(self, person: Person) -> Iterator[Item]:
        return (row for node in person.nodes if (row := self.table.get(f"PROFILE#{node['customer_id']}", "PROFILE")))

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
        for row in [row for row in self._profiles(person) if not row.get(OWED)]:
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
