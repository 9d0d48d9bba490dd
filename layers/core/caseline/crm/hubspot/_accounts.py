"""Who an identity belongs to in HubSpot, and what the account is worth.

One search where the contact carries copies of its company's properties, as HubSpot's property sync or a workflow keeps them; one batch read of the
companies more where it does not. More than five filter groups (say two addresses, a number and a handle) are a second search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from caseline.crm import Account, Fact, Match
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm._optional import OptionalFields
from caseline.crm.hubspot._api import Api, Record, text_of
from caseline.crm.hubspot._facts import read_facts
from caseline.crm.hubspot._people import ALONE, COMPANY, contact_properties, filters_for, read_contact
from caseline.crm.hubspot._settings import Settings
from caseline.identity import normalise_identities

# More would be a scan of the portal: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_ACCOUNTS = 30, 10


class Accounts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, link: Callable[[str, str], str], clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._link, self._clock = api, settings, optional, link, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)[:MAX_WANTED]
        records = {record["id"]: record for record in self._optional.attempt(lambda: self._search(wanted))}
        matched = contacts_by_account(wanted, [read_contact(record, self._settings) for record in records.values()])
        ids = sorted(matched)[:MAX_ACCOUNTS]
        values = self._values(ids, list(records.values()))
        return to_match([self._account(account_id, matched[account_id], *values[account_id]) for account_id in ids])

    def contact(self, record: Record) -> Account:
        """The account of one contact, without its value."""
        found, company = read_contact(record, self._settings), text_of(record, COMPANY)
        name = text_of(record, self._settings.copies.get("name", "")) or text_of(record, "company") or found.name
        return Account(company, name, found.contact_id, found.name, found.identities, {}, self._link("contacts", found.contact_id))

    def _search(self, wanted: Sequence[str]) -> list[Record]:
        [handles] = self._optional.of("contacts", [self._settings.contact_fields["handles"]]) or [""]
        groups, size = filters_for(wanted, handles), self._settings.max_filter_groups
        properties = [*contact_properties(self._settings), *filter(None, self._settings.copies.values())]
        return [record for at in range(0, len(groups), size) for record in self._api.search("contacts", groups[at : at + size], properties)]

    def _values(self, ids: Sequence[str], records: Sequence[Record]) -> dict[str, tuple[str, dict[str, Fact]]]:
        """Name and facts by account: from the copies, else from the companies, else only that the contact is there."""
        copied = {text_of(record, COMPANY): record for record in records if text_of(record, self._settings.copies.get("name", ""))}
        missing = [account_id for account_id in ids if account_id not in copied and not account_id.startswith(ALONE)]
        names = [name for name in self._settings.account_fields.values() if name]
        companies = {record["id"]: record for record in self._api.read_many("companies", missing, names)} if missing else {}
        return {account_id: self._value(copied.get(account_id), companies.get(account_id)) for account_id in ids}

    def _value(self, contact: Record | None, company: Record | None) -> tuple[str, dict[str, Fact]]:
        record, entity, names = (contact, "Contact", self._settings.copies) if contact else (company, "Company", self._settings.account_fields)
        if record is None:
            return "", {}
        return text_of(record, names["name"]), read_facts(record, entity, names, self._settings, self._clock())

    def _account(self, account_id: str, contact: Contact | None, name: str, facts: Mapping[str, Fact]) -> Account:
        person = contact or Contact("", account_id)
        if account_id.startswith(ALONE):
            return Account("", person.name, person.contact_id, person.name, person.identities, facts, self._link("contacts", person.contact_id))
        return Account(account_id, name, person.contact_id, person.name, person.identities, facts, self._link("companies", account_id))
