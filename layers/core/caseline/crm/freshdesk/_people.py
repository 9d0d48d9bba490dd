"""What Caseline writes to contacts and companies: how a customer feels, and customers whom Freshdesk does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.freshdesk._accounts import TAG_LENGTH, Accounts
from caseline.crm.freshdesk._api import Api, Row, is_id, text
from caseline.crm.freshdesk._errors import DuplicateError
from caseline.crm.freshdesk._settings import Settings
from caseline.errors import CrmNotFoundError
from caseline.identity import normalise_identities
from caseline.signals import isoformat


class People:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._accounts, self._clock = api, settings, optional, accounts, clock

    def write_profile(self, profile: Profile) -> None:
        """One call each for contact and company. Freshdesk's custom objects are not used: `events` are not written."""
        self._write("contact", "contacts", profile.contact_id, self._settings.contact_fields, profile.values)
        self._write("company", "companies", profile.account_id, self._settings.account_profile, profile.values)

    def create(self, contact: NewContact) -> Account:
        """Freshdesk has no leads. External ids and addresses are unique, so who is there already is found by the refusal."""
        try:
            return self._accounts.contact(self._api.post("/contacts", "contact", self._values(contact)))
        except DuplicateError as error:
            standing = self._standing(contact, error)
            if standing is None:
                raise error from None
            return self._accounts.contact(standing)

    def _write(self, kind: str, path: str, record_id: str, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        if not record_id:
            return
        known = {**values, "saved_at": isoformat(self._clock())}
        sent = {names[word]: _plain(value) for word, value in known.items() if names.get(word)}

        def put() -> Row | None:
            return self._api.put(f"/{path}/{record_id}", kind, {"custom_fields": {name: sent[name] for name in self._optional.of(kind, sent)}})

        if not is_id(record_id) or self._optional.attempt(put) is None:
            raise CrmNotFoundError(f"Freshdesk has no such {kind}")

    def _values(self, contact: NewContact) -> dict[str, Any]:
        known = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in known if each.startswith(space)] for space in ("email:", "phone:"))
        tags = [each for each in known if not each.startswith(("email:", "phone:")) and len(each) <= TAG_LENGTH and "," not in each]
        name = fit_text(contact.name, 200).strip() or next((each.partition(":")[2] for each in known), "") or contact.customer_id
        values: dict[str, Any] = {"name": name, "unique_external_id": fit_text(contact.customer_id, 200)}
        values |= {"email": emails[0]} if emails else {}
        values |= {"phone": phones[0]} if phones else {}
        return values | ({"tags": tags} if tags else {})

    def _standing(self, contact: NewContact, error: DuplicateError) -> Row | None:
        found = self._api.find(f"/contacts/{error.existing}") if is_id(error.existing) else None
        if found:
            return found
        key = fit_text(contact.customer_id, 200)
        rows = self._api.rows("/contacts", unique_external_id=key) or self._accounts.listed(normalise_identities(contact.identities))
        return next((row for row in rows if text(row, "unique_external_id") == key), rows[0] if len(rows) == 1 else None)


def _plain(value: Any) -> Any:
    return fit_text(value, 255) if isinstance(value, str) else value
