"""What Caseline writes to users and organizations: how a customer feels, and customers whom Zendesk does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.zendesk._accounts import Accounts, email_query
from caseline.crm.zendesk._api import Api, Row, is_id, rows, text
from caseline.crm.zendesk._errors import DuplicateError
from caseline.crm.zendesk._settings import Settings, option_of
from caseline.errors import CrmNotFoundError
from caseline.identity import normalise_identities

CHOICES = ("sentiment_trend",)


class People:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, accounts: Accounts) -> None:
        self._api, self._settings, self._optional, self._accounts = api, settings, optional, accounts

    def write_profile(self, profile: Profile) -> None:
        """One call each for user and organization. Zendesk's custom objects are not used: `events` are not written."""
        self._write("user", "users", profile.contact_id, self._settings.contact_fields, profile.values)
        self._write("organization", "organizations", profile.account_id, self._settings.account_profile, profile.values)

    def create(self, contact: NewContact) -> Account:
        """Zendesk has no leads: an end user of either kind.

        external_id and addresses are unique among users, so who is there already is found by the refusal.
        """
        try:
            return self._accounts.contact(self._api.post("/users.json", "user", self._values(contact)))
        except DuplicateError as error:
            standing = self._standing(contact)
            if standing is None:  # the index is not as far yet
                raise error from None
            return self._accounts.contact(standing)

    def _write(self, name: str, path: str, record_id: str, keys: Mapping[str, str], values: Mapping[str, Any]) -> None:
        """Zendesk passes over a field that it lacks, and shows those that it has."""
        if not record_id:
            return
        sent = {keys[word]: _plain(word, value) for word, value in values.items() if keys.get(word) and word != "handles"}
        row = self._api.put(f"/{path}/{record_id}.json", name, {f"{name}_fields": sent}) if is_id(record_id) else None
        if row is None:
            raise CrmNotFoundError(f"Zendesk has no such {name}")
        for key in sorted(set(sent) - set(row.get(f"{name}_fields") or sent)):
            self._optional.lacks(name, key)

    def _values(self, contact: NewContact) -> dict[str, Any]:
        known = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in known if each.startswith(space)] for space in ("email:", "phone:"))
        handles = ";".join(each for each in known if not each.startswith(("email:", "phone:")))
        name = fit_text(contact.name, 200).strip() or next((each.partition(":")[2] for each in known), "") or contact.customer_id
        values: dict[str, Any] = {"name": name, "external_id": fit_text(contact.customer_id, 200), "role": "end-user", "skip_verify_email": True}
        values |= {"email": emails[0]} if emails else {}
        values |= {"phone": phones[0]} if phones else {}
        return values | ({"user_fields": {self._settings.contact_fields["handles"]: fit_text(handles, 4_000)}} if handles else {})

    def _standing(self, contact: NewContact) -> Row | None:
        wanted, key = normalise_identities(contact.identities), fit_text(contact.customer_id, 200)
        by_key = rows(self._api.get("/users/search.json", external_id=key), "users")
        found = [user for user in by_key if text(user, "external_id").casefold() == key.casefold()]
        users = found or self._accounts.search(email_query(wanted))
        emails = {identity for identity in wanted if identity.startswith("email:")}
        return next((user for user in users if found or emails & set(self._accounts.read_user(user, []).identities)), None)


def _plain(word: str, value: Any) -> Any:
    if word in CHOICES and value is not None:
        return option_of(word, str(value))
    return fit_text(value, 255) if isinstance(value, str) else value
