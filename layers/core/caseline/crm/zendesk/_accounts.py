"""Who an identity belongs to in Zendesk, and what the organization is worth.

Users are searched by e-mail address and, unless one of those has all of several identities, by handle in a field of ours; by phone number only where
neither finds anybody. The organizations come along, or are read one by one where they do not; the open tickets of a sole one are counted. A search shows
what was written a minute or so ago.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Fact, Match
from caseline.crm._fields import read_fields
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm.zendesk._api import Api, Row, is_id, rows, text
from caseline.crm.zendesk._settings import Settings
from caseline.identity import normalise_identities, normalise_identity
from caseline.signals import isoformat

# More would be a scan of the account: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_ACCOUNTS = 15, 10
ALONE = "user:"
IDENTITY_TYPES = {"email": "email", "phone_number": "phone"}


class Accounts:
    def __init__(self, api: Api, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._clock = api, settings, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)[:MAX_WANTED]
        users, organizations = self._search([email_query(wanted), self._handle_query(wanted)], wanted)
        matched = contacts_by_account(wanted, users)
        if not matched and (query := phone_query(wanted)):
            users, organizations = self._search([query], wanted)
            matched = contacts_by_account(wanted, users)
        ids = sorted(matched)[:MAX_ACCOUNTS]
        accounts = [self._account(account_id, matched[account_id], organizations.get(account_id)) for account_id in ids]
        return to_match([self._counted(accounts[0])] if len(accounts) == 1 else accounts)

    def contact(self, user: Row) -> Account:
        """The account of one user, without its value."""
        found = self.read_user(user, [])
        account_id = text(user, "organization_id")
        return Account(account_id, "" if account_id else found.name, found.contact_id, found.name, found.identities, {}, self._link("users", found.contact_id))

    def search(self, query: str) -> list[Row]:
        return rows(self._api.get("/users/search.json", query=query), "users") if query else []

    def read_user(self, user: Row, identities: Sequence[Mapping[str, Any]]) -> Contact:
        """A user without organization stands for itself."""
        user_id = text(user, "id")
        listed = [f"{IDENTITY_TYPES[text(dict(each), 'type')]}:{each.get('value')}" for each in identities if each.get("type") in IDENTITY_TYPES]
        phone = text(user, "phone")
        digits = "".join(filter(str.isdigit, phone)).lstrip("0")
        code = self._settings.phone_country_code
        phones = [normalise_identity(f"phone:{phone}") or (f"phone:+{code}{digits}" if code and digits else "")] if phone else []
        handles = str((user.get("user_fields") or {}).get(self._settings.contact_fields["handles"]) or "").split(";")
        known = normalise_identities([f"email:{text(user, 'email')}", *listed, *phones, *handles])
        return Contact(user_id, text(user, "organization_id") or f"{ALONE}{user_id}", text(user, "name"), known)

    def _search(self, queries: Sequence[str], wanted: Sequence[str]) -> tuple[list[Contact], dict[str, Row]]:
        users, organizations = dict[str, Contact](), dict[str, Row]()
        for query in filter(None, queries):
            if len(wanted) > 1 and any(set(wanted) <= set(user.identities) for user in users.values()):
                break  # one name may be shared by several, all names are nobody else's
            found = self._api.get("/users/search.json", query=query, include=self._settings.sideloads)
            listed = [each for each in found.get("identities") or () if isinstance(each, Mapping)]
            organizations |= {text(row, "id"): row for row in found.get("organizations") or () if isinstance(row, dict)}
            for user in rows(found, "users"):
                mine = [each for each in listed if str(each.get("user_id")) == text(user, "id")]
                users[text(user, "id")] = self.read_user(user, mine)
        return list(users.values()), organizations

    def _handle_query(self, wanted: Sequence[str]) -> str:
        """An address may stand there too."""
        key, words = self._settings.contact_fields["handles"], [identity.partition(":")[2] for identity in wanted if not identity.startswith("phone:")]
        return _any_of(key, words) if key else ""

    def _account(self, account_id: str, contact: Contact | None, organization: Row | None) -> Account:
        person = contact or Contact("", account_id)
        who = (person.contact_id, person.name, person.identities)
        if account_id.startswith(ALONE):
            return Account("", person.name, *who, {}, self._link("users", person.contact_id))
        organization = organization or self._api.find(f"/organizations/{account_id}.json", "organization")
        values = (organization or {}).get("organization_fields") or {}
        facts = read_fields(values, self._settings.account_fields, "Zendesk Organization", self._clock(), self._settings.tier, self._settings.currency)
        return Account(account_id, text(organization or {}, "name"), *who, facts, self._link("organizations", account_id))

    def _counted(self, account: Account) -> Account:
        """With its open tickets; those of a person without organization are not asked for."""
        if not is_id(account.account_id):
            return account
        count = self._api.get("/search/count.json", query=f"type:ticket organization:{account.account_id} status<solved").get("count")
        fact = Fact(count, "Zendesk search.count", isoformat(self._clock()))
        return Account(**{**vars(account), "facts": {**account.facts, **({"open_cases": fact} if isinstance(count, int) else {})}})

    def _link(self, kind: str, record_id: str) -> str:
        return f"{self._api.url}/agent/{kind}/{record_id}" if record_id else ""


def email_query(wanted: Sequence[str]) -> str:
    """Terms of one property are alternatives in Zendesk's search; those of several all have to be true."""
    return _any_of("email", [identity.partition(":")[2] for identity in wanted if identity.startswith("email:")])


def phone_query(wanted: Sequence[str]) -> str:
    """However it is written there, its digits end it."""
    return " ".join(f"phone:*{identity.partition(':')[2].lstrip('+')}" for identity in wanted if identity.startswith("phone:"))


def _any_of(name: str, values: Sequence[str]) -> str:
    """Quoted as phrases, in which only a quote and a backslash mean anything; one without any letter would match everything."""
    words = [value.replace('"', " ").replace("\\", " ").strip(" @*") for value in values]
    return " ".join(f'{name}:"{word}"' for word in dict.fromkeys(words) if any(map(str.isalnum, word)))
