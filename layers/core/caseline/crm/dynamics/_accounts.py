"""Who an identity belongs to in Dynamics, and what the account is worth: one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Fact, Match
from caseline.crm._batch import Part
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm._optional import OptionalFields
from caseline.crm.dynamics._api import LABELS, Api, Row, rows_of
from caseline.crm.dynamics._facts import read_facts
from caseline.crm.dynamics._identities import identities_of
from caseline.crm.dynamics._odata import any_of, digits_pattern, literal, quote, url
from caseline.crm.dynamics._settings import Settings
from caseline.identity import normalise_identities
from caseline.signals import isoformat

# Of these each, more would be a scan: nobody has so many addresses, and an office phone is nobody's. No column that is looked in holds a longer value.
MAX_WANTED, MAX_CONTACTS, MAX_ACCOUNTS, MAX_LENGTH = 200, 50, 10, 128
MAX_CONDITIONS = 90  # of one query: Dataverse takes no more than 500, in an address of 64 KB
LAST_DIGITS, SEPARATORS = 8, (";", "; ")
ACCOUNT = "parentcustomerid_account"
CONTACT_COLUMNS = ("contactid", "fullname", "_parentcustomerid_value")
RELATED = {
    "opportunities": ("opportunity", ("actualvalue", "actualvalue_base", "_transactioncurrencyid_value"), "statecode eq 1"),
    "contracts": ("entitlement", ("enddate", "statecode"), ""),
    "cases": ("incident", ("incidentid",), "statecode eq 0"),
}


class Accounts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._clock = api, settings, optional, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted = [identity for identity in normalise_identities(identities) if len(identity) <= MAX_LENGTH][:MAX_WANTED]
        rows, leads = self._optional.attempt(lambda: self._read(wanted))
        contacts = {row["contactid"]: row for row in rows}
        matched = contacts_by_account(wanted, [self.contact(row) for row in contacts.values()])
        if not matched:
            return to_match([account for lead in leads if (account := self._lead(lead, wanted))])
        accounts = {row[ACCOUNT]["accountid"]: row[ACCOUNT] for row in contacts.values() if row.get(ACCOUNT)}
        return to_match([self._account(matched[found], accounts.get(found), found) for found in sorted(matched)[:MAX_ACCOUNTS]])

    def contact(self, row: Row) -> Contact:
        """A contact without account stands for itself."""
        account_id = row.get("_parentcustomerid_value") or row["contactid"]
        return Contact(row["contactid"], account_id, row.get("fullname") or "", identities_of(row, self._settings))

    def columns(self) -> list[str]:
        settings = self._settings
        return self._optional.of("contact", [*CONTACT_COLUMNS, *settings.email_fields, *settings.phone_fields, settings.contact_fields["handles"]])

    def link(self, table: str, record_id: str) -> str:
        return f"{self._api.base_url}/main.aspx?pagetype=entityrecord&etn={table}&id={record_id}" if record_id else ""

    def _read(self, wanted: Sequence[str]) -> tuple[list[Row], list[Row]]:
        """Whatever may match; what does not when compared in normal form is dropped by the caller."""
        conditions = self._conditions(wanted)
        if not conditions:
            return [], []
        contacts = [Part("GET", self._contacts(some), headers=LABELS) for some in _split(conditions)]
        answers = self._api.batch([*contacts, *(self._leads(_native(wanted, "email")) if self._settings.leads else [])])
        found = [rows_of(answer[0]) for answer in answers]
        return [row for rows in found[: len(contacts)] for row in rows], [row for rows in found[len(contacts) :] for row in rows]

    def _leads(self, emails: Sequence[str]) -> list[Part]:
        columns = "leadid,fullname,companyname,emailaddress1"
        conditions = [f"statecode eq 0 and ({any_of(some)})" for some in _split([f"emailaddress1 eq {quote(email)}" for email in emails])]
        return [Part("GET", url("/leads", select=columns, filter=condition, top="10")) for condition in conditions]

    def _contacts(self, conditions: Sequence[str]) -> str:
        condition = f"statecode eq 0 and ({any_of(conditions)})"
        return url("/contacts", select=",".join(self.columns()), filter=condition, expand=f"{ACCOUNT}({self._expansion()})", top=str(MAX_CONTACTS))

    def _expansion(self) -> str:
        columns = self._optional.of("account", ["accountid", "name", *self._settings.fact_fields.values()])
        relations = {self._settings.relations.get(name, ""): related for name, related in RELATED.items()}
        known = [(relation, *relations[relation]) for relation in self._optional.of("account", relations)]
        inner = [_expand(relation, self._optional.of(table, names), condition) for relation, table, names, condition in known]
        return f"$select={','.join(columns)}" + (f";$expand={','.join(inner)}" if inner else "")

    def _conditions(self, wanted: Sequence[str]) -> list[str]:
        emails = [f"{name} eq {quote(email)}" for email in _native(wanted, "email") for name in self._optional.of("contact", self._settings.email_fields)]
        columns = self._optional.of("contact", self._settings.phone_fields)
        phones = [condition for number in _native(wanted, "phone") for name in columns for condition in _phone_conditions(name, number)]
        handles = [identity for identity in wanted if not identity.startswith(("email:", "phone:"))]
        kept = self._optional.of("contact", [self._settings.contact_fields["handles"]])
        return [*emails, *phones, *(condition for handle in handles for column in kept for condition in _handle_conditions(column, handle))]

    def _account(self, contact: Contact | None, row: Row | None, account_id: str) -> Account:
        person = contact or Contact("", account_id)
        if row is None:
            return Account("", person.name, person.contact_id, person.name, person.identities, {}, self.link("contact", person.contact_id))
        facts = read_facts(row, self._settings, self._clock())
        return Account(account_id, row.get("name") or "", person.contact_id, person.name, person.identities, facts, self.link("account", account_id))

    def _lead(self, row: Row, wanted: Sequence[str]) -> Account | None:
        """Leads have no account: the lead stands for itself, by e-mail only."""
        identities = normalise_identities([f"email:{row.get('emailaddress1')}"])
        if not set(identities) & set(wanted):
            return None
        stage, name = {"lifecycle_stage": Fact("lead", "Dynamics lead", isoformat(self._clock()))}, row.get("fullname") or ""
        return Account("", row.get("companyname") or name, row["leadid"], name, identities, stage, self.link("lead", row["leadid"]))


def _expand(relation: str, columns: Sequence[str], condition: str) -> str:
    return f"{relation}($select={','.join(columns)}{f';$filter={condition}' if condition else ''})"


def _phone_conditions(column: str, number: str) -> list[str]:
    """As it is, or in whatever form that ends in the same digits."""
    return [f"{column} eq {quote(number)}", f"endswith({column},{digits_pattern(number[-LAST_DIGITS:])})"]


def _handle_conditions(column: str, handle: str) -> list[str]:
    """Whole between its separators: a short id stands in many longer ones, and these would fill the page."""
    inside = [f"contains({column},{literal(f'{before}{handle};')})" for before in SEPARATORS]
    last = [f"endswith({column},{literal(f'{before}{handle}')})" for before in SEPARATORS]
    return [f"{column} eq {quote(handle)}", f"startswith({column},{literal(f'{handle};')})", *inside, *last]


def _split(conditions: Sequence[str]) -> list[Sequence[str]]:
    return [conditions[at : at + MAX_CONDITIONS] for at in range(0, len(conditions), MAX_CONDITIONS)]


def _native(wanted: Sequence[str], namespace: str) -> list[Any]:
    return [identity.partition(":")[2] for identity in wanted if identity.startswith(f"{namespace}:")]
