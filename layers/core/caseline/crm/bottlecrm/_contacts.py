"""Contacts as BottleCRM keeps them: what identities one has, and how one is found.

E-mail is found by what it contains and compared here; a phone number by BottleCRM's own check for duplicates, which knows its ways of being written;
custom fields by their whole value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caseline.crm._match import Contact
from caseline.crm.bottlecrm._api import Api, Row, custom_of, is_id, object_in, rows_in, text_of
from caseline.crm.bottlecrm._settings import Settings
from caseline.identity import normalise_identities

ALONE = "contact:"
FOUND, PHONE_LENGTH = 50, 25


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


class Finder:
    def __init__(self, api: Api, settings: Settings) -> None:
        self._api, self._settings = api, settings

    def find(self, wanted: Sequence[str], most: int) -> list[Row]:
        """The contacts who have any of these. An identity that is at hand already with one of them is not asked for again."""
        found: dict[str, Row] = {}
        for identity in wanted[:most]:
            if not any(identity in read_contact(row, self._settings).identities for row in found.values()):
                found |= {text_of(row, "id"): row for row in self._search(identity)}
        return list(found.values())

    def read(self, contact_id: str) -> Row | None:
        body = self._api.find(f"contacts/{contact_id}") if is_id(contact_id) else None
        return object_in(body, "contact_obj") if body else None

    def by_key(self, key: str, value: str) -> list[Row]:
        return self._list(**{f"cf_{key}": value}) if key and value else []

    def _search(self, identity: str) -> Iterable[Row]:
        namespace, _, native = identity.partition(":")
        key, value = self._settings.handle_field(identity)
        if namespace == "email":
            return [*self._list(email=native), *self.by_key(key, value)]
        if namespace == "phone":
            return self._by_phone(native)
        return self.by_key(key or self._settings.contact_fields["handles"], value or identity)

    def _by_phone(self, number: str) -> Iterable[Row]:
        if len(number) > PHONE_LENGTH:
            return []
        hits = rows_in(self._api.send("POST", "contacts/duplicates", {"phone": number}), "duplicates")
        return filter(None, [self.read(text_of(hit, "id")) for hit in hits])

    def _list(self, **filters: str) -> list[Row]:
        return rows_in(self._api.get("contacts", limit=FOUND, **filters), "results")
