"""What Caseline writes to contacts and companies: how a customer feels, and customers whom HubSpot does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.hubspot._accounts import Accounts
from caseline.crm.hubspot._api import Api, Record
from caseline.crm.hubspot._errors import DuplicateError
from caseline.crm.hubspot._people import contact_properties, split_name
from caseline.crm.hubspot._settings import Settings
from caseline.errors import CrmNotFoundError, CrmRejectedError
from caseline.identity import normalise_identities


class Contacts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, accounts: Accounts) -> None:
        self._api, self._settings, self._optional, self._accounts = api, settings, optional, accounts

    def write_profile(self, profile: Profile) -> None:
        """One call each for contact and company. HubSpot has child records only as custom objects of its largest edition: `events` are not written."""
        self._write("contacts", profile.contact_id, self._settings.contact_fields, profile.values)
        self._write("companies", profile.account_id, self._settings.company_fields, profile.values)

    def create(self, contact: NewContact) -> Account:
        """The customer's key is unique in HubSpot, and so is an address: who is there already is found by the refusal.

        A lead is a contact of the lifecycle stage lead, as is any that Caseline makes.
        """
        try:
            return self._accounts.contact(self._optional.attempt(lambda: self._post(contact)))
        except DuplicateError as error:
            return self._accounts.contact(self._standing(contact, error))
        except CrmRejectedError as error:
            # HubSpot is stricter about addresses than we are: then the contact is made without one.
            others = [each for each in contact.identities if not each.startswith("email:")]
            if error.field != "email" or len(others) == len(contact.identities):
                raise
            return self.create(replace(contact, identities=others))

    def _write(self, kind: str, record_id: str, fields: Mapping[str, str], values: Mapping[str, Any]) -> None:
        if not record_id:
            return
        texts = {fields[name]: _text(name, value) for name, value in values.items() if fields.get(name) and name != "handles"}
        if not record_id.isdecimal() or (texts and not self._optional.attempt(lambda: self._update(kind, record_id, texts))):
            raise CrmNotFoundError(f"HubSpot has no such record of {kind}")

    def _update(self, kind: str, record_id: str, texts: Mapping[str, str]) -> bool:
        kept = {name: texts[name] for name in self._optional.of(kind, texts)}
        return not kept or self._api.update(kind, record_id, kept) is not None

    def _post(self, contact: NewContact) -> Record:
        """Without the property for customer keys and without an address nothing would be refused: then whoever has one of the handles is looked for."""
        values = self._values(contact)
        kept = {name: values[name] for name in self._optional.of("contacts", values)}
        if "email" not in kept and self._settings.contact_fields["customer_key"] not in kept:
            found = self._accounts.find(contact.identities)
            if found.account and (standing := self._read(found.account.contact_id)):
                return standing
        made = self._api.create("contacts", kept)
        return {**made, "properties": {**kept, **made["properties"]}}

    def _values(self, contact: NewContact) -> dict[str, str]:
        known = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in known if each.startswith(space)] for space in ("email:", "phone:"))
        first, last = split_name(fit_text(contact.name, 200))
        handles = ";".join(each for each in known if not each.startswith(("email:", "phone:")))
        fields, values = self._settings.contact_fields, {"firstname": first, "lastname": last, "lifecyclestage": "lead"}
        values |= {"email": next(iter(emails), ""), "phone": next(iter(phones), ""), fields["handles"]: fit_text(handles, 4_000)}
        values[fields["customer_key"]] = fit_text(contact.customer_id, 64)
        return {name: value for name, value in values.items() if name and value}

    def _standing(self, contact: NewContact, error: DuplicateError) -> Record:
        found = self._read(error.existing) if error.existing else None
        found = found or self._read(fit_text(contact.customer_id, 64), self._settings.contact_fields["customer_key"])
        email = self._values(contact).get("email", "")
        found = found or (self._read(email, "email") if email else None)
        if found is None:
            raise error
        return found

    def _read(self, record_id: str, by: str = "") -> Record | None:
        properties = [*contact_properties(self._settings), *filter(None, [self._settings.copies.get("name", "")])]
        return self._api.read("contacts", record_id, properties, by=by) if record_id else None


def _text(name: str, value: Any) -> str:
    """HubSpot's values are texts, all of them; a time is one in epoch milliseconds, and an empty one blanks."""
    if value is None:
        return ""
    if name == "last_contact":
        return str(int(datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp() * 1_000))
    if isinstance(value, float):
        return f"{value:.10g}"
    return fit_text(str(value), 255)
