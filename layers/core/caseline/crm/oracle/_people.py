"""What Caseline writes to contacts and accounts: how a customer feels, and customers whom Fusion does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._match import Contact, contacts_by_account
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.oracle._accounts import Accounts
from caseline.crm.oracle._api import Api, Part, item_path, list_path, row_of, rows_of
from caseline.crm.oracle._query import is_number, is_value, show_time
from caseline.crm.oracle._rows import ACCOUNTS, CONTACTS, own_fields, read_contact, text_of
from caseline.crm.oracle._settings import Settings
from caseline.errors import CrmNotFoundError, CrmRejectedError
from caseline.identity import normalise_identities
from caseline.signals import parse_time


class People:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, accounts: Accounts) -> None:
        self._api, self._settings, self._optional, self._accounts, self._own = api, settings, optional, accounts, own_fields(settings)

    def write_profile(self, profile: Profile) -> None:
        """Two calls for both: records are written by their number, which is asked for by their id."""
        fields = {CONTACTS: self._settings.contact_profile, ACCOUNTS: self._settings.account_profile}
        ids = {resource: party for resource, party in ((CONTACTS, profile.contact_id), (ACCOUNTS, profile.account_id)) if party}
        numbers = self._numbers(ids)
        self._optional.attempt(lambda: self._write({numbers[each]: (each, fields[each]) for each in numbers}, profile.values))

    def _numbers(self, ids: Mapping[str, str]) -> dict[str, str]:
        for resource, party in ids.items():
            if not is_number(party):
                raise CrmNotFoundError(f"Oracle has no such record of {resource}")
        parts = [Part("get", list_path(resource, f"PartyId = {party}", ["PartyNumber"], 1)) for resource, party in ids.items()]
        found = dict(zip(ids, map(rows_of, self._api.batch(parts)), strict=True)) if parts else {}
        for resource, rows in found.items():
            if not rows:
                raise CrmNotFoundError(f"Oracle has no such record of {resource}")
        return {resource: text_of(rows[0], "PartyNumber") for resource, rows in found.items()}

    def _write(self, places: Mapping[str, tuple[str, Mapping[str, str]]], values: Mapping[str, Any]) -> None:
        bodies = {item_path(resource, number): self._body(resource, fields, values) for number, (resource, fields) in places.items()}
        parts = [Part("update", path, body) for path, body in bodies.items() if body]
        if parts:
            self._api.batch(parts, self._own)

    def _body(self, resource: str, fields: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
        known = {fields[name]: _value(name, value) for name, value in values.items() if fields.get(name)}
        return {name: known[name] for name in self._optional.of(resource, known)}

    def create(self, contact: NewContact) -> Account:
        """The one that is there by customer key or an identity; else a new one. A lead, too, is a contact without account."""
        key = fit_text(contact.customer_id, 64)
        wanted, rows = self._accounts.matching(contact.identities, key)
        known = [row for row in rows if key and text_of(row, self._settings.customer_key_field) == key]
        found = [read_contact(row, self._settings) for row in known or rows]
        matched = {each.account_id: each for each in found[:1]} if known else contacts_by_account(wanted, found)
        if len(matched) > 1:
            raise CrmRejectedError("several contacts of different accounts have these identities", "contact")
        if matched:
            return self._accounts.of(next(iter(matched.values())) or found[0])
        return self._accounts.of(self._optional.attempt(lambda: self._made(contact, key)))

    def _made(self, contact: NewContact, key: str) -> Contact:
        known = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in known if each.startswith(space)] for space in ("email:", "phone:"))
        if not is_value(key) and not emails:
            raise CrmRejectedError("Oracle: such a contact could not be found again", "customer_id")
        first, _, last = fit_text(" ".join(contact.name.split()), 140).rpartition(" ")
        values = {
            "FirstName": first, "LastName": last or "Unknown", "EmailAddress": next(iter(emails), ""), self._settings.phone_field: next(iter(phones), ""),
            self._settings.handles_field: fit_text(";".join(each for each in known if not each.startswith(("email:", "phone:"))), 1_500),
            self._settings.customer_key_field: key,
        }  # fmt: skip
        body = {name: values[name] for name in self._optional.of(CONTACTS, values) if values[name]}
        return read_contact(row_of(self._api.call("POST", f"/{CONTACTS}", body, self._own).json()), self._settings)


def _value(name: str, value: Any) -> Any:
    if name == "last_contact" and value is not None:
        return show_time(parse_time(str(value)))
    return fit_text(value, 255) if isinstance(value, str) else value
