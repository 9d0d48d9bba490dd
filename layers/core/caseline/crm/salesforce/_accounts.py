"""Who an identity belongs to in Salesforce, and what the account is worth: one call, which joins everything to the contacts that match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Fact, Match
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm._optional import OptionalFields
from caseline.crm.salesforce._api import Api, Part, Record, query_part
from caseline.crm.salesforce._facts import read_facts
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import phone_search, quote_like, quote_list, quote_phone
from caseline.identity import normalise_identities, normalise_identity
from caseline.signals import isoformat

# Of these each, more would be a scan of the org: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_CONTACTS, MAX_ACCOUNTS = 30, 200, 10
PHONES = ("Phone", "MobilePhone")
# `{whose}` is a condition on contacts; SOQL knows no LIMIT and no second join in there.
JOINED = "AccountId IN (SELECT AccountId FROM Contact WHERE {whose})"
VALUES = {
    "Opportunity": "SELECT AccountId, SUM(Amount) total, COUNT(Id) n FROM Opportunity WHERE IsWon = true AND {joined} GROUP BY AccountId LIMIT 200",
    "Contract": "SELECT Id, AccountId, Status, EndDate FROM Contract WHERE {joined} ORDER BY EndDate DESC LIMIT 500",
    "Case": "SELECT AccountId, COUNT(Id) n FROM Case WHERE IsClosed = false AND {joined} GROUP BY AccountId LIMIT 200",
}
LEADS = "SELECT Id, Name, Company, Email FROM Lead WHERE Email IN {emails} AND IsConverted = false LIMIT 10"


class Accounts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, base_url: str, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._base_url, self._clock = api, settings, optional, base_url, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)[:MAX_WANTED]
        found = self._search_phones(wanted) if self._settings.phone_search else []
        answers = self._optional.attempt(lambda: self._read(wanted, found))
        contacts = {record["Id"]: record for record in answers.get("Contact", ())}
        matched = contacts_by_account(wanted, [self._contact(record) for record in contacts.values()])
        if not matched:
            return to_match([self._lead(row) for row in answers.get("Lead", ())])
        accounts = {record["AccountId"]: record.get("Account") or {} for record in contacts.values() if record.get("AccountId")}
        return to_match([self._account(key, matched[key], accounts.get(key), answers) for key in sorted(matched)[:MAX_ACCOUNTS]])

    def _read(self, wanted: Sequence[str], found: Sequence[str]) -> dict[str, list[Record]]:
        """Whatever may match, with its value; what does not when compared in normal form is dropped by the caller."""
        whose, parts = self._condition(wanted, found), list[Part]()
        if whose:
            parts.append(query_part("Contact", f"SELECT {', '.join(self._columns())} FROM Contact WHERE {whose} LIMIT {MAX_CONTACTS}"))
            joined = JOINED.format(whose=whose)
            parts += [query_part(entity, soql.format(joined=joined)) for entity, soql in VALUES.items() if self._optional.has(entity)]
        if self._settings.leads and (emails := _native(wanted, "email")):
            parts.append(query_part("Lead", LEADS.format(emails=quote_list(emails))))
        if not parts:
            return {}
        composed = self._api.compose(parts)
        return {part.name: composed.records(part.name) for part in parts}

    def _columns(self) -> list[str]:
        contact = self._optional.of("Contact", ["Id", "Name", "AccountId", "Email", *PHONES, self._settings.handles_field])
        account = self._optional.of("Account", ["Name", "Type", *self._settings.account_fields.values()])
        return [*contact, *(f"Account.{column}" for column in account)]

    def _condition(self, wanted: Sequence[str], found: Sequence[str]) -> str:
        emails = _native(wanted, "email")
        handles = [identity for identity in wanted if not identity.startswith(("email:", "phone:"))]
        conditions = [f"Email IN {quote_list(emails)}"] if emails else []
        conditions += [f"Id IN {quote_list(found)}"] if found else []
        if not self._settings.phone_search:
            conditions += [f"{name} LIKE {quote_phone(self._at_home(number))}" for number in _native(wanted, "phone") for name in PHONES]
        if self._optional.of("Contact", [self._settings.handles_field]):
            conditions += [f"{self._settings.handles_field} LIKE {quote_like(handle)}" for handle in handles]
        return " OR ".join(conditions)

    def _search_phones(self, wanted: Sequence[str]) -> list[str]:
        """Ids of contacts with one of these numbers, in either spelling."""
        numbers = _native(wanted, "phone")
        spellings = [spelling for number in numbers for spelling in (number, f"0{self._at_home(number)}")]
        return [record["Id"] for record in self._api.search(phone_search(spellings))] if numbers else []

    def _at_home(self, number: str) -> str:
        """Without the org's own country code: people there store it with, without, or with a 0 instead."""
        home = f"+{self._settings.phone_country_code}"
        return number.removeprefix(home) if len(home) > 1 else number

    def _contact(self, record: Record) -> Contact:
        emails = [f"email:{record['Email']}"] if record.get("Email") else []
        phones = [self._phone(record[name]) for name in PHONES if record.get(name)]
        handles = str(record.get(self._settings.handles_field) or "").split(";")
        identities = normalise_identities([*emails, *phones, *handles])
        # A contact without account stands for itself.
        return Contact(record["Id"], record.get("AccountId") or record["Id"], record.get("Name") or "", identities)

    def _phone(self, stored: str) -> str:
        """As an identity; a number without country code is read as the org's own country's."""
        plain = normalise_identity(f"phone:{stored}")
        code = self._settings.phone_country_code
        digits = "".join(filter(str.isdigit, stored)).lstrip("0")
        return plain or (f"phone:+{code}{digits}" if code else "")

    def _account(self, account_id: str, contact: Contact | None, record: Record | None, values: Mapping[str, list[Record]]) -> Account:
        person = contact or Contact("", account_id)
        if record is None:
            return Account("", person.name, person.contact_id, person.name, person.identities, {}, self._link("Contact", person.contact_id))
        own = {entity: [row for row in values[entity] if row.get("AccountId") == account_id] for entity in VALUES if entity in values}
        facts = read_facts(record, own, self._settings, self._clock())
        return Account(account_id, record.get("Name") or "", person.contact_id, person.name, person.identities, facts, self._link("Account", account_id))

    def _lead(self, row: Record) -> Account:
        """Leads have no account: the lead stands for itself, by e-mail only."""
        stage = {"lifecycle_stage": Fact("lead", "Salesforce Lead", isoformat(self._clock()))}
        identities = normalise_identities([f"email:{row.get('Email')}"])
        return Account("", row.get("Company") or row.get("Name") or "", row["Id"], row.get("Name") or "", identities, stage, self._link("Lead", row["Id"]))

    def _link(self, entity: str, record_id: str) -> str:
        return f"{self._base_url}/lightning/r/{entity}/{record_id}/view" if record_id else ""


def _native(wanted: Sequence[str], namespace: str) -> list[Any]:
    return [identity.partition(":")[2] for identity in wanted if identity.startswith(f"{namespace}:")]
