"""What is kept of one person, in whatever store of the table, found by their identities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from caseline.cases.ledger import crm_case_key, load_case, load_cases, load_claims, marked_case
from caseline.crm._builtin_rows import CHANGES, case_key_of, contact_key
from caseline.crm._builtin_rows import identity_key as crm_identity_key
from caseline.crm._pace import BUILTIN
from caseline.customers import identity_key, load_customer
from caseline.errors import NotFoundError
from caseline.naming import names, word_of
from caseline.outside import Traces
from caseline.quarantine import list_quarantine
from caseline.table import Item, Table
from caseline.unions import load_nodes

QUARANTINE = 10_000
INCIDENT = "incident"


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
class Finder:
    """`crm` is the configured CRM's name."""

    table: Table
    crm: str

    def find(self, customer_id: str) -> Person:
        root = load_customer(self.table, customer_id)
        if root is None:
            raise NotFoundError(f"no customer {customer_id}")
        person = Person(root, list(load_nodes(self.table, root).values()))
        seen = [row for partition in person.partitions for row in self.table.query(partition, index="timeline")]
        for kind in ("signal", "note", "link"):
            person.rows[kind] = [row for row in seen if row["type"] == kind]
        self._find_cases(person, {case_key for row in seen if (case_key := marked_case(row))})
        person.rows["profile"] = list(profiles_of(self.table, person))
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


def profiles_of(table: Table, person: Person) -> Iterator[Item]:
    return (row for node in person.nodes if (row := table.get(f"PROFILE#{node['customer_id']}", "PROFILE")))
