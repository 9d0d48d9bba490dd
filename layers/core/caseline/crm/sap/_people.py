"""Contacts and accounts that Caseline writes to: how a customer feels, and a customer whom SAP does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.sap._accounts import Accounts
from caseline.crm.sap._product import Edit, Product, Query
from caseline.crm.sap._rows import text_of
from caseline.crm.sap._shape import Settings
from caseline.errors import CrmRejectedError
from caseline.identity import normalise_identities
from caseline.signals import parse_time

NAME, EMAIL, HANDLES, CHANNELS = 40, 241, 4_096, 255


class People:
    def __init__(self, product: Product, settings: Settings, optional: OptionalFields, accounts: Accounts) -> None:
        self._product, self._settings, self._optional, self._accounts = product, settings, optional, accounts

    def write_profile(self, profile: Profile) -> None:
        """Two calls. SAP has child records only as custom objects of its own: `events` are not written."""

        def send() -> None:
            edits = [
                self._edit("contact", profile.contact_id, self._settings.contact_fields, profile.values),
                self._edit("account", profile.account_id, self._settings.account_fields, profile.values),
            ]
            self._product.update_records([edit for edit in edits if edit.record_id and edit.values])

        self._optional.attempt(send)

    def _edit(self, entity: str, record_id: str, fields: Mapping[str, str], values: Mapping[str, Any]) -> Edit:
        known = {fields[name]: self._product.encode(_plain(name, value)) for name, value in values.items() if fields.get(name)}
        return Edit(entity, record_id, {column: known[column] for column in self._optional.of(entity, known)})

    def create(self, contact: NewContact) -> Account:
        """The one that is there by an identity or by the customer's key; else a new one. Three calls."""
        match = self._accounts.find(contact.identities)
        if match.kind == "ambiguous":
            raise CrmRejectedError("several contacts of different accounts have these identities", "contact")
        return match.account or self._optional.attempt(lambda: self._standing(contact) or self._create(contact))

    def _standing(self, contact: NewContact) -> Account | None:
        entity = _entity(contact)
        for column in self._optional.of(entity, [self._fields(entity)["customer_key"]]):
            query = Query(self._settings.paths[entity], self._product.equals(column, contact.customer_id), top=1, entity=entity, columns=(column,))
            [page] = self._product.read_many([query])
            if page.rows:
                return self._account(contact, text_of(page.rows[0], self._columns(entity)["id"]))
        return None

    def _create(self, contact: NewContact) -> Account:
        entity = _entity(contact)
        values = self._values(entity, contact)
        made = self._product.create(entity, {column: values[column] for column in self._optional.of(entity, values)})
        return self._account(contact, text_of(made, self._columns(entity)["id"]))

    def _values(self, entity: str, contact: NewContact) -> dict[str, Any]:
        columns, fields = self._columns(entity), self._fields(entity)
        first, _, last = fit_text(" ".join(contact.name.split()), 2 * NAME).rpartition(" ")
        identities = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in identities if each.startswith(space)] for space in ("email:", "phone:"))
        handles = [each for each in identities if not each.startswith(("email:", "phone:"))]
        named = {columns["first"]: fit_text(first, NAME) or "-", columns["last"]: fit_text(last, NAME) or "(unknown)"}
        reached = {columns["email"]: next((email for email in emails if len(email) <= EMAIL), ""), columns["phone"]: phones[0] if phones else ""}
        kept = {fields["customer_key"]: contact.customer_id, fields.get("handles", ""): fit_text(";".join(handles), HANDLES)}
        subject = {columns.get("subject", ""): fit_text(f"{contact.name or 'Customer'} ({contact.origin})", 200)}
        return {column: value for column, value in {**named, **reached, **kept, **subject}.items() if column and value}

    def _account(self, contact: NewContact, record_id: str) -> Account:
        return Account("", contact.name, record_id, contact.name, normalise_identities(contact.identities))

    def _columns(self, entity: str) -> Mapping[str, str]:
        return self._settings.lead_columns if entity == "lead" else self._settings.contact_columns

    def _fields(self, entity: str) -> Mapping[str, str]:
        return self._settings.lead_fields if entity == "lead" else self._settings.contact_fields


def _entity(contact: NewContact) -> str:
    return "lead" if contact.kind == "lead" else "contact"


def _plain(name: str, value: Any) -> Any:
    if name == "last_contact" and value is not None:
        return parse_time(value)
    return fit_text(value, CHANNELS) if isinstance(value, str) else value
