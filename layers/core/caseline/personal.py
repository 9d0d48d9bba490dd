"""Everything that is kept of one person: found, given out, and erased. Each step may die and is safe to repeat; the customer's own rows go last."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from caseline.cases.changes import work_case
from caseline.cases.inbound import account_key
from caseline.cases.ledger import CLOSED, change_case, due, load_case, load_claims
from caseline.crm._builtin_rows import CHANGES, case_key_of, contact_key
from caseline.crm._builtin_rows import identity_key as crm_identity_key
from caseline.customers import identity_key, load_customer
from caseline.errors import ConflictError, NotFoundError
from caseline.quarantine import DROPPED, list_quarantine, read_raw
from caseline.replies import private_thread
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import expiry, read_text
from caseline.tombstones import BEYOND, bury, stub_of
from caseline.unions import load_nodes

ERASED_TEXT = "(erased)"
PASSES = 5  # over the timeline, whose index follows the table a moment later
QUARANTINE = 10_000
_HIDDEN = frozenset({"PK", "SK", "text_z", "list_name", "list_rank", "due_shard", "due_at", "raw_z"})


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
    def words(self) -> list[str]:
        """By which a payload that was not understood is known as theirs: addresses, numbers and handles, in lower case."""
        values = (str(identity).partition(":")[2].lower() for identity in self.root["identities"])
        return [value for value in values if len(value) > 3]


@dataclass(frozen=True)
class Personal:
    """`crm` is the configured CRM's name, `retention` how long rows are kept."""

    table: Table
    crm: str
    retention: timedelta
    clock: Callable[[], datetime]

    def find(self, customer_id: str) -> Person:
        root = load_customer(self.table, customer_id)
        if root is None:
            raise NotFoundError(f"no customer {customer_id}")
        person = Person(root, list(load_nodes(self.table, root).values()))
        seen = [row for partition in person.partitions for row in self.table.query(partition, index="timeline")]
        for kind in ("signal", "case", "note", "link"):
            person.rows[kind] = [row for row in seen if row["type"] == kind]
        keys = {row["case_key"] for row in person.rows["case"]} | {claim["case_key"] for claim in load_claims(self.table, str(root["customer_id"]))}
        person.rows["case"] = [case for case_key in sorted(keys) if (case := load_case(self.table, case_key))]
        person.rows["of_cases"] = [row for case in person.rows["case"] for row in self.table.query(case["PK"]) if row["SK"] != "CASE"]
        person.rows["crm_contact"] = list(self._contacts(person))
        person.rows["crm_note"] = [row for case in person.rows["case"] for row in self.table.query(case_key_of(case["case_key"])[0], prefix="NOTE#")]
        person.rows["profile"] = [row for node in person.nodes if (row := self.table.get(f"PROFILE#{node['customer_id']}", "PROFILE"))]
        person.rows["quarantine"] = [row for row in list_quarantine(self.table, QUARANTINE) if names(row, person.words)]
        person.rows["buyer"] = list(self._buyers(person))
        return person

    def export(self, customer_id: str) -> dict[str, Any]:
        """`{"customer_id", "exported_at", "stores": {kind: [rows]}, "elsewhere": [...]}`: all of it, as it is kept."""
        person = self.find(customer_id)
        stores = {"customer": person.nodes, **person.rows}
        return {
            "customer_id": person.root["customer_id"], "exported_at": isoformat(self.clock()),
            "stores": {kind: [_plain(row) for row in rows] for kind, rows in stores.items() if rows}, "elsewhere": self._elsewhere(person),
        }  # fmt: skip

    def erase(self, customer_id: str) -> dict[str, Any]:
        """`{"customer_id", "erased": {kind: count}, "elsewhere": [...]}`; what must be erased in a CRM by its own people is told plainly."""
        now, found = self.clock(), self.find(customer_id)
        counts = {kind: len(rows) for kind, rows in found.rows.items()}
        expires = expiry(now, self.retention + BEYOND)
        bury(self.table, [*found.partitions, *filter(None, map(private_thread, found.rows["signal"]))], isoformat(now), expires)
        person = found
        for _ in range(PASSES):
            self._erase(person, now)
            person = self.find(customer_id)
            if not person.rows["signal"]:
                break
        self._erase_customer(found)
        return {"customer_id": found.root["customer_id"], "erased": counts | {"customer": len(found.nodes)}, "elsewhere": self._elsewhere(found)}

    def _erase(self, person: Person, now: datetime) -> None:
        """What is found by a signal or a case goes before it; a case loses what it is found by last."""
        for row in (*person.rows["link"], *person.rows["buyer"], *person.rows["profile"], *person.rows["crm_note"], *person.rows["crm_contact"]):
            self.table.delete(row["PK"], row["SK"])
        for row in person.rows["quarantine"]:
            expression = "SET state = :dropped REMOVE list_name, list_rank, raw, raw_z, headers, url"
            self.table.update(row["PK"], row["SK"], expression, "attribute_exists(PK)", dropped=DROPPED)
        for row in person.rows["signal"]:
            self._erase_signal(row)
        for case in person.rows["case"]:
            self._erase_case(case["case_key"], now)

    def _erase_signal(self, found: Item) -> None:
        row = self.table.get(found["PK"], found["SK"])
        if row is None:
            return
        if thread := private_thread(row):
            self.table.delete(thread, "THREAD")
        elif row.get("thread_id"):
            self._forget_thread(row)
        self.table.put(stub_of(row), "attribute_exists(PK)")

    def _forget_thread(self, row: Item) -> None:
        """A public thread that this person opened, or their cart."""
        where = f"{row['channel']}/{row['source']}/{row['thread_id']}"
        for kind in ("THREAD", "CART"):
            held = self.table.get(f"{kind}#{where}", kind)
            if held and set(held.get("identities", ())) & set(row.get("identities", ())):
                self.table.delete(f"{kind}#{where}", kind)

    def _erase_case(self, case_key: str, now: datetime) -> None:
        """Closed if it was open; what is left are its figures. The CRM gets the subject that names nobody."""
        with suppress(ConflictError):
            if (load_case(self.table, case_key) or {}).get("status") != CLOSED:
                work_case(self.table, case_key, {"status": CLOSED}, "caseline", now)
        for row in list(self.table.query(f"CASE#{case_key}", prefix="NOTE#")):
            self.table.delete(row["PK"], row["SK"])
        for row in list(self.table.query(f"CASE#{case_key}", prefix="HISTORY#")):
            if row.get("text") != ERASED_TEXT:
                self.table.update(row["PK"], row["SK"], "SET #text = :text", names={"#text": "text"}, text=ERASED_TEXT)
        for row in list(self.table.query(CHANGES)) if self.crm == "builtin" else ():
            if row.get("crm_id") == case_key or row.get("case_key") == case_key:
                self.table.delete(row["PK"], row["SK"])
        if self.crm == "builtin":
            expression = "SET subject = :erased, headline = :erased, reasons = :none, contact_id = :nobody"
            with suppress(ConditionFailed):
                self.table.update(*case_key_of(case_key), expression, "attribute_exists(PK)", erased=ERASED_TEXT, none=[], nobody="")
        self._erase_words(case_key, isoformat(now))

    def _erase_words(self, case_key: str, now: str) -> None:
        for _ in range(8):
            case = load_case(self.table, case_key)
            if case is None or ("identity" not in case and case.get("subject", "").endswith(ERASED_TEXT)):
                return
            words = {"subject": f"{case['category']}: {ERASED_TEXT}", "headline": ERASED_TEXT, "author_name": "", "contact_id": ""}
            priority = _without_words(case["priority"])
            bare = {name: value for name, value in case.items() if name not in ("identity", "at", "look_at")} | words
            if change_case(self.table, case, {**bare, "priority": priority, "version": case["version"] + 1, "push": "wanted", **due(now)}):
                return
        raise ConflictError("a case keeps changing; erase once more")

    def _erase_customer(self, person: Person) -> None:
        """Aliases first, the root last: whoever is killed before finds the person again and goes on."""
        account = person.root.get("account") or {}
        nodes = sorted(person.nodes, key=lambda row: row["customer_id"] == person.root["customer_id"])
        for node in nodes:
            for name in ("account_id", "contact_id"):
                if account.get(name):
                    self.table.delete(**_spelled(account_key(self.crm, account[name], str(node["customer_id"]))))
            for row in chain(list(self.table.query(f"CLAIMS#{node['customer_id']}")), list(self.table.query(node["PK"], prefix="HISTORY#")), [node]):
                self.table.delete(row["PK"], row["SK"])

    def _contacts(self, person: Person) -> Iterator[Item]:
        """Of the built-in CRM: the contact, what was told of it, and the rows by which it is found."""
        if self.crm != "builtin":
            return
        ids = {str(row["SK"]) for identity in person.root["identities"] for row in self.table.query(crm_identity_key(identity, "")[0])}
        for contact_id in sorted(ids):
            rows = list(self.table.query(contact_key(contact_id)[0]))
            identities = [identity for row in rows for identity in row.get("identities", ())]
            finders = [row for i in identities for row in self.table.query(crm_identity_key(i, "")[0]) if row["SK"] == contact_id]
            by_these = {crm_identity_key(i, "")[0] for i in person.root["identities"]}
            yield from sorted([*finders, *rows], key=lambda row: row["PK"] in by_these)  # those it was found by go last

    def _buyers(self, person: Person) -> Iterator[Item]:
        sources = {f"{row['channel']}/{row['source']}" for row in person.rows["signal"] if row["kind"] == "cart_event"}
        for source in sorted(sources):
            for identity in person.root["identities"]:
                yield from self.table.query(f"BUYER#{source}/{identity}")

    def _elsewhere(self, person: Person) -> list[str]:
        """What Caseline cannot take back by itself."""
        told = []
        if self.crm != "builtin":
            cases = [str(case["crm"]["id"]) for case in person.rows["case"] if (case.get("crm") or {}).get("id")]
            contact = (person.root.get("account") or {}).get("contact_id") or person.root.get("contact")
            told += [f"{self.crm}: the notes of case {crm_id} quote the person; erase them there" for crm_id in cases]
            told += [f"{self.crm}: contact {contact} stands there; erase it there"] if contact else []
        return [*told, "messages under way expire by themselves within 14 days, intake objects within 30; what they say of the person is dropped when it comes"]


def names(row: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether a quarantined payload holds one of the words."""
    raw = read_raw(row) or ""
    text = base64.b64decode(raw).decode("utf-8", "ignore") if row.get("whole") else raw
    text = f"{text} {row.get('headers')} {row.get('url')}".lower().replace("%40", "@")
    return any(word in text for word in words)


def _without_words(priority: Mapping[str, Any]) -> dict[str, Any]:
    """The figures stay; what explained them may have named somebody."""
    bare = {**priority, "lines": [{**line, "text": ERASED_TEXT} for line in priority["lines"]]}
    return bare | ({"override": {**priority["override"], "reason": ERASED_TEXT}} if priority.get("override") else {})


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can hold it; a compressed text is written out."""
    text = {"text": read_text(row)} if "text_z" in row else {}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in row.items() if name not in _HIDDEN} | text


def _spelled(item: Item) -> dict[str, str]:
    return {"pk": str(item["PK"]), "sk": str(item["SK"])}
