"""Accounts and contacts of the built-in CRM: who an identity belongs to, and what the account is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from caseline.crm import Account, Fact, Match
from caseline.crm._builtin_rows import ACCOUNT_FIELDS, Row, account_key, contact_key, keyed
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.identity import normalise_identities
from caseline.signals import isoformat
from caseline.table import Table

# An identity that more contacts share than this (a switchboard) is nobody's.
FAN_IN = 50


class Accounts:
    """Reads the rows that the import writes."""

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table, self._clock = table, clock

    def find(self, identities: Sequence[str]) -> Match:
        """One query for each identity, then one read of the contacts and one of their accounts."""
        wanted = normalise_identities(identities)
        matched = contacts_by_account(wanted, self._contacts(wanted))
        rows = self._table.get_many([keyed(account_key(account_id)) for account_id in sorted(matched)])
        match = to_match([self._account(row, matched[row["account_id"]]) for row in sorted(rows, key=lambda row: str(row["PK"])) if "account_id" in row])
        return Match(match.kind, self._without_shared(match.account)) if match.account else match

    def contact_of(self, identities: Sequence[str]) -> Row | None:
        """The row of the contact that has one of the identities, the earlier the better."""
        for identity in identities:
            for contact_id in self._contact_ids(identity):
                row = self._table.get(*contact_key(contact_id))
                if row and identity in row.get("identities", ()):
                    return {"name": "", **row}
        return None

    def _without_shared(self, account: Account) -> Account:
        """Only identities that are the contact's alone say more of who it is: a mailbox that two contacts use joins nobody."""
        own = tuple(identity for identity in account.identities if self._contact_ids(identity) == [account.contact_id])
        return replace(account, identities=own)

    def _contacts(self, wanted: Sequence[str]) -> list[Contact]:
        ids = {contact_id for identity in wanted for contact_id in self._contact_ids(identity)}
        rows = self._table.get_many([keyed(contact_key(contact_id)) for contact_id in sorted(ids)])
        return [_contact(row) for row in sorted(rows, key=lambda row: str(row["PK"]))]

    def _contact_ids(self, identity: str) -> list[str]:
        """The contact's own row decides whether the identity is still its own; an index row may be left over."""
        found = [row["SK"] for row in self._table.query(f"CRM#IDENTITY#{identity}", limit=FAN_IN + 1)]
        return found if len(found) <= FAN_IN else []

    def _account(self, row: Row, contact: Contact | None) -> Account:
        facts = {name: self._fact(name, row[name]) for name in ACCOUNT_FIELDS if row.get(name)}
        facts["open_cases"] = self._fact("open_cases", row.get("open_cases", 0))
        person = contact or Contact("", row["account_id"])
        return Account(row["account_id"], row["name"], person.contact_id, person.name, person.identities, facts)

    def _fact(self, name: str, value: object) -> Fact:
        return Fact(value, f"builtin Account.{name}", isoformat(self._clock()))


def _contact(row: Row) -> Contact:
    return Contact(row["contact_id"], row["account_id"], row.get("name", ""), tuple(row.get("identities", ())))
