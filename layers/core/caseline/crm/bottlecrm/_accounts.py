"""Who an identity belongs to in BottleCRM, and what the account is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from caseline.crm import Account, Fact, Match
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm.bottlecrm._api import Api, Row, is_id, object_in, rows_in, text_of
from caseline.crm.bottlecrm._contacts import ALONE, Finder, account_of, read_contact
from caseline.crm.bottlecrm._facts import read_facts
from caseline.crm.bottlecrm._settings import Settings
from caseline.identity import normalise_identities

# More than these is an office phone, which is nobody's.
MAX_ACCOUNTS, NAMED = 10, 20


class Accounts:
    def __init__(self, api: Api, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._clock = api, settings, clock
        self.finder = Finder(api, settings)

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)
        rows = self.finder.find(wanted)
        matched = contacts_by_account(wanted, [read_contact(row, self._settings) for row in rows])
        names = dict(account_of(row) for row in rows)
        return to_match([self._account(account_id, names.get(account_id, ""), contact) for account_id, contact in sorted(matched.items())[:MAX_ACCOUNTS]])

    def of_contact(self, row: Row) -> Account:
        """The account of one contact, without its value."""
        found, (account_id, name) = read_contact(row, self._settings), account_of(row)
        return Account(account_id, name or found.name, found.contact_id, found.name, found.identities, {}, self._link("contacts", found.contact_id))

    def _account(self, account_id: str, name: str, contact: Contact | None) -> Account:
        person = contact or Contact("", account_id)
        if account_id.startswith(ALONE):
            return Account("", person.name, person.contact_id, person.name, person.identities, {}, self._link("contacts", person.contact_id))
        return Account(account_id, name, person.contact_id, person.name, person.identities, self._facts(account_id, name), self._link("accounts", account_id))

    def _facts(self, account_id: str, name: str) -> Mapping[str, Fact]:
        row = self._by_name(account_id, name) or self._read(account_id)
        return read_facts(row, self._settings, self._clock()) if row else {}

    def _by_name(self, account_id: str, name: str) -> Row | None:
        """The list has an account's sums without all its tickets, contacts and deals, which come along with the account itself."""
        body = self._api.get("accounts", name=name, limit=NAMED) if name.isprintable() else {}
        halves = [("active_accounts", "open_accounts"), ("closed_accounts", "close_accounts")]
        rows = [row for half, listed in halves if body for row in rows_in(object_in(body, half), listed)]
        return next((row for row in rows if text_of(row, "id") == account_id), None)

    def _read(self, account_id: str) -> Row | None:
        body = self._api.find(f"accounts/{account_id}") if is_id(account_id) else None
        return object_in(body, "account_obj") if body else None

    def _link(self, kind: str, record_id: str) -> str:
        return f"{self._settings.app_url or self._api.base_url}/{kind}/{record_id}" if record_id else ""
