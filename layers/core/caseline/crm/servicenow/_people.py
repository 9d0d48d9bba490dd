"""What Caseline writes to contacts and accounts: how a customer feels, and customers whom ServiceNow does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._match import Contact, contacts_by_account
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.servicenow._accounts import Accounts
from caseline.crm.servicenow._api import Api, Part, checked, row_of, table_path
from caseline.crm.servicenow._errors import error_of, is_not_found
from caseline.crm.servicenow._query import is_id, is_value, show_time
from caseline.crm.servicenow._rows import contact_columns, read_contact, text_of
from caseline.crm.servicenow._settings import Settings
from caseline.errors import CrmNotFoundError, CrmRejectedError
from caseline.identity import normalise_identities
from caseline.signals import parse_time


class People:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, accounts: Accounts) -> None:
        self._api, self._settings, self._optional, self._accounts = api, settings, optional, accounts

    def write_profile(self, profile: Profile) -> None:
        """One call for both. ServiceNow drops fields that it lacks without a word; they are reported once."""
        wanted = (
            (self._settings.contact_table, profile.contact_id, self._settings.contact_profile),
            (self._settings.account_table, profile.account_id, self._settings.account_profile),
        )
        parts = [self._part(table, record_id, fields, profile.values) for table, record_id, fields in wanted if record_id and table]
        parts = [part for part in parts if part.body]
        for part, answer in zip(parts, self._api.batch(parts) if parts else (), strict=True):
            if is_not_found(answer):
                raise CrmNotFoundError(f"ServiceNow has no such record of {part.table}")
            row = row_of(checked(answer, part.table))
            for name in (part.body or {}).keys() - row.keys():
                self._optional.lacks(part.table, name)

    def _part(self, table: str, record_id: str, fields: Mapping[str, str], values: Mapping[str, Any]) -> Part:
        if not is_id(record_id):
            raise CrmNotFoundError(f"ServiceNow has no such record of {table}")
        body = {fields[name]: _text(name, value) for name, value in values.items() if fields.get(name)}
        return Part("PATCH", table_path(table, record_id, fields=",".join(["sys_id", *body])), table, body)

    def create(self, contact: NewContact) -> Account:
        """The one that is there by customer key or an identity; else a new one. ServiceNow has no leads: one is a contact without account."""
        key = fit_text(contact.customer_id, 64)
        wanted, rows = self._accounts.matching(contact.identities, key)
        known = [row for row in rows if key and text_of(row, self._settings.customer_key_field) == key]
        found = [read_contact(row, self._settings) for row in known or rows]
        matched = {each.account_id: each for each in found} if known else contacts_by_account(wanted, found)
        if len(matched) > 1:
            raise CrmRejectedError("several contacts of different accounts have these identities", "contact")
        if matched:
            return self._account(next(iter(matched.values())) or found[0], rows)
        return self._account(self._made(contact, key), [])

    def _account(self, person: Contact, rows: list[Any]) -> Account:
        row = next((row for row in rows if text_of(row, "sys_id") == person.contact_id), None)
        return self._accounts.account(person, row, {})

    def _made(self, contact: NewContact, key: str) -> Contact:
        known = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in known if each.startswith(space)] for space in ("email:", "phone:"))
        first, _, last = fit_text(" ".join(contact.name.split()), 80).rpartition(" ")
        values = {
            "first_name": first, "last_name": last or "Unknown", "email": next(iter(emails), ""),
            self._settings.phone_fields[0]: next(iter(phones), ""),
            self._settings.handles_field: fit_text(";".join(each for each in known if not each.startswith(("email:", "phone:"))), 4_000),
            self._settings.customer_key_field: key,
        }  # fmt: skip
        if not is_value(key) and not any(is_value(each) for each in emails):
            raise CrmRejectedError("ServiceNow: such a contact could not be found again", "customer_id")
        body = {name: value for name, value in values.items() if name and value}
        path = table_path(self._settings.contact_table, fields=",".join(contact_columns(self._settings)))
        answer = self._api.call("POST", path, self._settings.contact_table, body)
        if answer.status != 201:
            raise error_of(answer, self._settings.contact_table)
        return read_contact(row_of(answer), self._settings)


def _text(name: str, value: Any) -> str:
    """ServiceNow's values are texts, all of them; an empty one blanks."""
    if value is None:
        return ""
    if name == "last_contact":
        return show_time(parse_time(str(value)))
    if isinstance(value, float):
        return f"{value:.10g}"
    return fit_text(str(value), 255)
