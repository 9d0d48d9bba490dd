"""Who an identity belongs to in SAP, and what the account is worth: contacts first, then the account with what hangs on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from caseline.crm import Account, Match
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm._optional import OptionalFields
from caseline.crm.sap._facts import read_facts
from caseline.crm.sap._product import Page, Product, Query
from caseline.crm.sap._rows import Row, text_of
from caseline.crm.sap._shape import Settings
from caseline.identity import normalise_identities

# More would be a scan, or longer than an address may be: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_CONTACTS, MAX_ACCOUNTS, MAX_LENGTH, MANY = 15, 50, 10, 128, 200
ALONE = "contact:"


class Accounts:
    def __init__(self, product: Product, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._product, self._settings, self._optional, self._clock = product, settings, optional, clock

    def find(self, identities: Sequence[str]) -> Match:
        """Two calls: the contacts, then the account with what hangs on it, which is a call more for each question where no batch takes several."""
        wanted = [identity for identity in normalise_identities(identities) if len(identity) <= MAX_LENGTH][:MAX_WANTED]
        contacts = {text_of(row, self._settings.contact_columns["id"]): self.contact(row) for row in self._search(wanted)}
        matched = contacts_by_account(wanted, contacts.values())
        ids = sorted(matched)[:MAX_ACCOUNTS]
        accounts, pages = self._read([each for each in ids if not each.startswith(ALONE)], with_value=len(ids) == 1)
        return to_match([self._account(each, matched[each], accounts.get(each), pages) for each in ids])

    def contact(self, row: Row) -> Contact:
        """A contact without account stands for itself."""
        columns = self._settings.contact_columns
        contact_id = text_of(row, columns["id"])
        account_id = text_of(row, columns["account"]) or f"{ALONE}{contact_id}"
        return Contact(contact_id, account_id, text_of(row, columns["name"]), self._identities(row))

    def _identities(self, row: Row) -> Sequence[str]:
        columns, handles = self._settings.contact_columns, text_of(row, self._settings.contact_fields["handles"])
        phones = [f"phone:{text_of(row, name)}" for name in (columns["phone"], columns["mobile"], *self._settings.searched_phones) if text_of(row, name)]
        emails = [f"email:{text_of(row, columns['email'])}"]
        return normalise_identities([*emails, *phones, *re.split(r"[;\n]", handles)], self._settings.phone_region)

    def _search(self, wanted: Sequence[str]) -> list[Row]:
        """Whatever may match; what does not when compared in normal form is dropped by the caller."""

        def search() -> list[Row]:
            queries = [
                Query(self._settings.paths["contact"], condition, top=MAX_CONTACTS, entity="contact", columns=(self._settings.contact_fields["handles"],))
                for condition in self._product.alternatives(self._conditions(wanted))
            ]
            return [row for page in self._product.read_many(queries) for row in page.rows]

        return self._optional.attempt(search)

    def _conditions(self, wanted: Sequence[str]) -> list[tuple[str, str]]:
        product, email = self._product, self._settings.contact_columns["email"]
        found = [(email, product.equals(email, address)) for address in _native(wanted, "email")]
        found += [(column, product.equals(column, number)) for column in self._settings.searched_phones for number in _native(wanted, "phone")]
        others = [identity for identity in wanted if not identity.startswith(("email:", "phone:"))]
        kept = self._optional.of("contact", [self._settings.contact_fields["handles"]])
        return found + [(column, product.contains(column, identity)) for column in kept for identity in others]

    def _read(self, ids: Sequence[str], with_value: bool) -> tuple[dict[str, Row], dict[str, Page]]:
        """Accounts by id, and of one alone what hangs on it."""
        if not ids:
            return {}, {}
        settings, equals, column = self._settings, self._product.equals, self._settings.account_columns["id"]
        queries = {"accounts": Query(settings.paths["account"], " or ".join(equals(column, each) for each in ids), top=MAX_ACCOUNTS)}
        if with_value:
            queries |= self._value_queries(ids[0])
        pages = dict(zip(queries, self._product.read_many(list(queries.values())), strict=True))
        return {text_of(row, column): row for row in pages.pop("accounts").rows}, pages

    def _value_queries(self, account_id: str) -> dict[str, Query]:
        settings, equals, columns = self._settings, self._product.equals, self._settings.case_columns
        is_open = " or ".join(equals(columns["status"], code) for code in dict.fromkeys(settings.statuses.values()) if settings.shown_status(code) == "open")
        condition = f"{equals(columns['account'], account_id)} and ({is_open})"
        queries = {"cases": Query(settings.paths["case"], condition, top=1, counted=True)} if settings.count_cases else {}
        for name, asked in (("deals", settings.deals), ("contracts", settings.contracts)):
            if asked["path"]:
                condition = f"{equals(asked['account'], account_id)}{' and ' if asked['condition'] else ''}{asked['condition']}"
                queries[name] = Query(asked["path"], condition, top=MANY)
        return queries

    def _account(self, account_id: str, contact: Contact | None, row: Row | None, pages: Mapping[str, Page]) -> Account:
        person = contact or Contact("", account_id)
        if account_id.startswith(ALONE):
            return Account("", person.name, person.contact_id, person.name, person.identities)
        facts = read_facts(row, pages, self._settings, self._clock()) if row else {}
        name = text_of(row, self._settings.account_columns["name"]) if row else ""
        return Account(account_id, name, person.contact_id, person.name, person.identities, facts)


def _native(wanted: Sequence[str], namespace: str) -> list[str]:
    return [identity.partition(":")[2] for identity in wanted if identity.startswith(f"{namespace}:")]
