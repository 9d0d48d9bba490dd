"""Who an identity belongs to in Freshdesk, and what the company is worth.

One search for all identities (a few for very many), as alternatives: e-mail, phone, mobile, and the contact's tags, where handles stand (`x:12345`).
Where it finds nobody the address is looked up in the list, which does not lag. Then the company, and where a setting wants
it its newest tickets, of which the open ones are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from caseline.crm import CLOSED, Account, Fact, Match
from caseline.crm._fields import read_fields
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm.freshdesk._api import PAGE, Api, Row, custom, is_id, text
from caseline.crm.freshdesk._settings import NATIVE, Settings
from caseline.identity import normalise_identities, normalise_identity
from caseline.signals import isoformat

MAX_WANTED, MAX_ACCOUNTS, MAX_QUERY, MAX_SEARCHES = 20, 5, 505, 4
ALONE = "contact:"
TAG_LENGTH = 32


class Accounts:
    def __init__(self, api: Api, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._clock = api, settings, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)[:MAX_WANTED]
        found = {text(row, "id"): row for query in search_queries(wanted) for row in self._api.search("/search/contacts", query)}
        matched = contacts_by_account(wanted, self._contacts(list(found.values())))
        if not matched:
            matched = contacts_by_account(wanted, self._contacts(self.listed(wanted)))
        ids = sorted(matched)[:MAX_ACCOUNTS]
        accounts = [self._account(account_id, matched[account_id]) for account_id in ids]
        return to_match([self._counted(accounts[0])] if len(accounts) == 1 and self._settings.count_cases else accounts)

    def listed(self, wanted: Sequence[str]) -> list[Row]:
        """By the first address."""
        email = next((identity.partition(":")[2] for identity in wanted if identity.startswith("email:")), "")
        return self._api.rows("/contacts", email=email) if email else []

    def contact(self, row: Row) -> Account:
        """The account of one contact, without its value."""
        found, account_id = self.read_contact(row), text(row, "company_id")
        name, link = "" if account_id else found.name, self._link("contacts", found.contact_id)
        return Account(account_id, name, found.contact_id, found.name, found.identities, {}, link)

    def read_contact(self, row: Row) -> Contact:
        """A contact without company stands for itself."""
        contact_id, code = text(row, "id"), self._settings.phone_country_code
        emails = [text(row, "email"), *(str(each) for each in row.get("other_emails") or ())]
        phones = [_phone(text(row, name), code) for name in ("phone", "mobile") if row.get(name)]
        known = normalise_identities([*(f"email:{email}" for email in emails), *phones, *(str(tag) for tag in row.get("tags") or ())])
        return Contact(contact_id, text(row, "company_id") or f"{ALONE}{contact_id}", text(row, "name"), known)

    def _contacts(self, rows: Sequence[Row]) -> list[Contact]:
        return [self.read_contact(row) for row in rows]

    def _account(self, account_id: str, contact: Contact | None) -> Account:
        person = contact or Contact("", account_id)
        who = (person.contact_id, person.name, person.identities)
        if account_id.startswith(ALONE):
            return Account("", person.name, *who, {}, self._link("contacts", person.contact_id))
        company = self._api.find(f"/companies/{account_id}") or {}
        names = self._settings.account_fields
        values = {name: company.get(name) if name in NATIVE else custom(company, name) for name in names.values() if name}
        facts = read_fields(values, names, "Freshdesk Company", self._clock(), self._settings.tier, self._settings.currency)
        return Account(account_id, text(company, "name"), *who, facts, self._link("companies", account_id))

    def _counted(self, account: Account) -> Account:
        """With the open ones of its hundred newest tickets of a month."""
        if not is_id(account.account_id):
            return account
        rows = self._api.rows("/tickets", company_id=account.account_id, per_page=PAGE)
        count = sum(self._settings.status(row.get("status")) != CLOSED for row in rows)
        return Account(**{**vars(account), "facts": {**account.facts, "open_cases": Fact(count, "Freshdesk Ticket.status", isoformat(self._clock()))}})

    def _link(self, kind: str, record_id: str) -> str:
        return f"{self._api.url}/a/{kind}/{record_id}" if record_id else ""


def search_queries(wanted: Sequence[str]) -> list[str]:
    """One for all identities, or as many as they need: a query has at most 512 characters. A value with a quote is left out: Freshdesk has no rule for it."""
    terms: list[str] = []
    for identity in wanted:
        namespace, _, native = identity.partition(":")
        if set(identity) & set("'\"\\"):
            continue
        if namespace == "email":
            terms.append(f"email:'{native}'")
        elif namespace == "phone":
            terms += [f"{name}:'{native}'" for name in ("phone", "mobile")]
        if len(identity) <= TAG_LENGTH:
            terms.append(f"tag:'{identity}'")
    queries: list[str] = []
    for term in terms:
        if queries and len(queries[-1]) + len(term) + 4 <= MAX_QUERY:
            queries[-1] += f" OR {term}"
        else:
            queries.append(term)
    return [query for query in queries if len(query) <= MAX_QUERY][:MAX_SEARCHES]


def _phone(stored: str, code: str) -> str:
    """As an identity; a number without country code is read as the account's own country's."""
    digits = "".join(filter(str.isdigit, stored)).lstrip("0")
    return normalise_identity(f"phone:{stored}") or (f"phone:+{code}{digits}" if code and digits else "")
