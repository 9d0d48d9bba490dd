"""Contacts as BottleCRM keeps them: what identities one has, and how one is found.

An e-mail is found by what it contains and compared here; a phone number by BottleCRM's own check for duplicates, which knows its ways of being written;
custom fields by their whole value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from caseline.crm._match import Contact
from caseline.crm.bottlecrm._api import Api, Row, custom_of, is_id, object_in, rows_in, text_of
from caseline.crm.bottlecrm._settings import Settings
from caseline.identity import normalise_identities

ALONE = "contact:"
FOUND, PHONE_LENGTH = 100, 25
ENOUGH, MOST = 7, 16  # searches: nobody has so many addresses


def read_contact(row: Row, settings: Settings) -> Contact:
    """A contact without account stands for itself."""
    custom = custom_of(row)
    slots = (f"{space.removesuffix(':@')}:{text_of(custom, key)}" for space, key in settings.handle_fields.items() if text_of(custom, key))
    handles = text_of(custom, settings.contact_fields["handles"]).split(";")
    own = [f"email:{text_of(row, 'email')}", f"phone:{text_of(row, 'phone_e164') or text_of(row, 'phone')}"]
    account_id, _ = account_of(row)
    return Contact(text_of(row, "id"), account_id or f"{ALONE}{text_of(row, 'id')}", full_name(row), normalise_identities([*own, *handles, *slots]))


def account_of(row: Row) -> tuple[str, str]:
    """Id and name of the account that a contact belongs to first."""
    linked = row.get("linked_accounts")
    first = next((each for each in linked if isinstance(each, dict)), {}) if isinstance(linked, list) else {}
    chosen = object_in(row, "account_detail") or first
    return text_of(chosen, "id"), text_of(chosen, "name")


def full_name(row: Row) -> str:
    return " ".join(name for name in (text_of(row, "first_name"), text_of(row, "last_name")) if name.strip(" -"))


@dataclass(frozen=True)
class Search:
    """One call, or two, for whoever has any of these identities."""

    identities: Sequence[str]
    run: Callable[[], Iterable[Row]]
    is_second: bool = False


class Finder:
    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._settings = api, settings

    def find(self, wanted: Sequence[str]) -> list[Row]:
        """The contacts who have any of these. What those at hand have is not asked for again; once there is somebody, the search is short."""
        found: dict[str, Row] = {}
        searches = self._searches(wanted[:MOST])
        for number, search in enumerate(searches):
            if number >= (ENOUGH if found else MOST):
                break
            known = {identity for row in found.values() for identity in read_contact(row, self._settings).identities}
            if search.is_second or not known.issuperset(search.identities):
                found |= {text_of(row, "id"): row for row in search.run()}
        return list(found.values())

    def read(self, contact_id: str) -> Row | None:
        body = self._api.find(f"contacts/{contact_id}") if is_id(contact_id) else None
        return object_in(body, "contact_obj") if body else None

    def by_key(self, key: str, value: str) -> list[Row]:
        return self._list(**{f"cf_{key}": value}) if key and value else []

    def _searches(self, wanted: Sequence[str]) -> list[Search]:
        emails = [identity for identity in wanted if identity.startswith("email:")]
        phones = [identity for identity in wanted if identity.startswith("phone:")]
        others = [identity for identity in wanted if not identity.startswith(("email:", "phone:"))]
        second = self._settings.handle_fields.get("email", "")
        return [
            *self._email_searches(emails),
            *(Search([phone], partial(self._by_phone, phone.partition(":")[2])) for phone in phones if len(phone) <= len("phone:") + PHONE_LENGTH),
            *(Search([other], partial(self._by_handle, other)) for other in others),
            *(Search([email], partial(self.by_key, second, email.partition(":")[2]), is_second=True) for email in emails if second),
        ]  # fmt: skip

    def _email_searches(self, emails: Sequence[str]) -> list[Search]:
        """Addresses of one domain in one call."""
        domains: dict[str, list[str]] = {}
        for email in emails:
            domains.setdefault(email.rpartition("@")[2], []).append(email)
        return [Search(group, partial(self._by_email, [email.partition(":")[2] for email in group])) for group in domains.values()]

    def _by_email(self, addresses: Sequence[str]) -> list[Row]:
        """Where a domain has more people than fit, each address is asked for by itself."""
        asked = addresses[0] if len(addresses) == 1 else f"@{addresses[0].rpartition('@')[2]}"
        rows = self._list(email=asked)
        if len(rows) < FOUND or len(addresses) == 1:
            return rows
        return [row for address in addresses for row in self._list(email=address)]

    def _by_phone(self, number: str) -> Iterable[Row]:
        hits = rows_in(self._api.send("POST", "contacts/duplicates", {"phone": number}), "duplicates")
        return filter(None, [self.read(text_of(hit, "id")) for hit in hits])

    def _by_handle(self, identity: str) -> list[Row]:
        key, value = self._settings.handle_field(identity)
        return self.by_key(key or self._settings.contact_fields["handles"], value or identity)

    def _list(self, **filters: str) -> list[Row]:
        return rows_in(self._api.get("contacts", limit=FOUND, **filters), "results")
