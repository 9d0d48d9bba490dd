"""Who an identity belongs to in Salesforce, and what the account is worth: two calls, a third where a phone number is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Fact, Match
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm.salesforce._api import Api, Record
from caseline.crm.salesforce._facts import read_facts
from caseline.crm.salesforce._fields import OptionalFields
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import phone_search, quote_like, quote_list
from caseline.identity import normalise_identities, normalise_identity
from caseline.signals import isoformat

# Of these each, more would be a scan of the org: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_CONTACTS, MAX_ACCOUNTS = 30, 200, 10
ACCOUNT_PREFIX = "001"
PHONES = ("Phone", "MobilePhone")
OPEN_CASES = "SELECT AccountId, COUNT(Id) n FROM Case WHERE AccountId IN {ids} AND IsClosed = false GROUP BY AccountId"
WON = "SELECT AccountId, SUM(Amount) total, COUNT(Id) n FROM Opportunity WHERE AccountId IN {ids} AND IsWon = true GROUP BY AccountId"
CONTRACTS = "SELECT Id, AccountId, Status, EndDate FROM Contract WHERE AccountId IN {ids} ORDER BY EndDate DESC LIMIT 500"


class Accounts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, base_url: str, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._base_url, self._clock = api, settings, optional, base_url, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)[:MAX_WANTED]
        records = self._optional.attempt(lambda: self._contacts(wanted))
        matched = contacts_by_account(wanted, [self._contact(record) for record in records])
        if not matched:
            return self._find_lead(wanted)
        values = self._values(sorted(matched)[:MAX_ACCOUNTS])
        return to_match([self._account(account_id, matched[account_id], values) for account_id in sorted(matched)])

    def _contacts(self, wanted: Sequence[str]) -> list[Record]:
        """Whatever may match; what does not when compared in normal form is dropped by the caller."""
        columns = self._optional.of("Contact", ["Id", "Name", "AccountId", "Email", *PHONES, self._settings.handles_field])
        select = f"SELECT {', '.join(columns)} FROM Contact WHERE "  # noqa: S608
        queries = {name: f"{select}{condition} LIMIT {MAX_CONTACTS}" for name, condition in self._conditions(wanted, columns).items()}
        found = [record for records in self._api.query_all(queries).values() for record in records]
        if numbers := _native(wanted, "phone"):
            found += self._api.search(phone_search(self._spellings(numbers), columns))
        return list({record["Id"]: record for record in found}.values())

    def _conditions(self, wanted: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
        emails = _native(wanted, "email")
        handles = [identity for identity in wanted if not identity.startswith(("email:", "phone:"))]
        conditions = {"emails": f"Email IN {quote_list(emails)}"} if emails else {}
        if handles and self._settings.handles_field in columns:
            conditions["handles"] = f"({' OR '.join(f'{self._settings.handles_field} LIKE {quote_like(handle)}' for handle in handles)})"
        return conditions

    def _spellings(self, numbers: Iterable[str]) -> list[str]:
        home = f"+{self._settings.phone_country_code}"
        national = [f"0{number.removeprefix(home)}" for number in numbers if len(home) > 1 and number.startswith(home)]
        return [*numbers, *national]

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

    def _values(self, ids: Sequence[str]) -> Mapping[str, list[Record]]:
        """Accounts, won opportunities, contracts and open cases of these accounts, in one call; contacts without account have no value."""
        accounts = [account_id for account_id in ids if account_id.startswith(ACCOUNT_PREFIX)]
        return self._optional.attempt(lambda: self._api.query_all(self._value_queries(quote_list(accounts)))) if accounts else {}

    def _value_queries(self, ids: str) -> dict[str, str]:
        columns = self._optional.of("Account", ["Id", "Name", "Type", *self._settings.account_fields.values()])
        queries = {
            "Account": f"SELECT {', '.join(columns)} FROM Account WHERE Id IN {ids}",  # noqa: S608
            "Opportunity": WON.format(ids=ids), "Contract": CONTRACTS.format(ids=ids), "Case": OPEN_CASES.format(ids=ids),
        }  # fmt: skip
        return {entity: soql for entity, soql in queries.items() if self._optional.has(entity)}

    def _account(self, account_id: str, contact: Contact | None, values: Mapping[str, list[Record]]) -> Account:
        record = next((record for record in values.get("Account", ()) if record["Id"] == account_id), None)
        person = contact or Contact("", account_id)
        if record is None:
            return Account("", person.name, person.contact_id, person.name, person.identities, {}, self._link("Contact", person.contact_id))
        own = {entity: [row for row in rows if row.get("AccountId") == account_id] for entity, rows in values.items() if entity != "Account"}
        facts = read_facts(record, own, self._settings, self._clock())
        return Account(account_id, record.get("Name") or "", person.contact_id, person.name, person.identities, facts, self._link("Account", account_id))

    def _find_lead(self, wanted: Sequence[str]) -> Match:
        """Leads have no account: the lead stands for itself, by e-mail only."""
        emails = _native(wanted, "email") if self._settings.leads else []
        if not emails:
            return Match("none")
        rows = self._api.query(f"SELECT Id, Name, Company, Email FROM Lead WHERE Email IN {quote_list(emails)} AND IsConverted = false LIMIT 10")  # noqa: S608
        return to_match([self._lead(row) for row in rows])

    def _lead(self, row: Record) -> Account:
        stage = {"lifecycle_stage": Fact("lead", "Salesforce Lead", isoformat(self._clock()))}
        identities = normalise_identities([f"email:{row.get('Email')}"])
        return Account("", row.get("Company") or row.get("Name") or "", row["Id"], row.get("Name") or "", identities, stage, self._link("Lead", row["Id"]))

    def _link(self, entity: str, record_id: str) -> str:
        return f"{self._base_url}/lightning/r/{entity}/{record_id}/view" if record_id else ""


def _native(wanted: Sequence[str], namespace: str) -> list[Any]:
    return [identity.partition(":")[2] for identity in wanted if identity.startswith(f"{namespace}:")]
