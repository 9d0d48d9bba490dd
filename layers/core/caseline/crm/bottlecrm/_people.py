"""What Caseline writes to contacts and accounts: how a customer feels, and customers whom BottleCRM does not know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._text import fit_text
from caseline.crm.bottlecrm._accounts import Accounts
from caseline.crm.bottlecrm._api import Api, Row, is_id, text_of
from caseline.crm.bottlecrm._errors import refused_fields
from caseline.crm.bottlecrm._settings import Settings
from caseline.errors import CrmNotFoundError, CrmUnavailableError
from caseline.identity import normalise_identities

NAME, NAMELESS, TRIES, LOOKED_FOR = 100, "-", 3, 4  # both names together have to fit into 255, or BottleCRM breaks
_PHONE = re.compile(r"\+[0-9]{7,15}\Z")


class People:
    def __init__(self, api: Api, settings: Settings, accounts: Accounts) -> None:
        self._api, self._settings, self._accounts = api, settings, accounts

    def write_profile(self, profile: Profile) -> None:
        """One call each for contact and account. BottleCRM has no child records of ours: `events` are not written."""
        values = {**profile.values}
        gone = dict.fromkeys(self._settings.handle_fields.values()) if values.get("handles", "") is None else {}
        slots = gone or self._slots(str(values.get("handles", "")).split(";"))
        self._write("contacts", profile.contact_id, {**_custom(self._settings.contact_fields, values), **slots})
        self._write("accounts", profile.account_id, _custom(self._settings.account_profile, values))

    def create(self, contact: NewContact) -> Account:
        """A contact of either kind: a ticket of BottleCRM's has contacts and no leads. Looked for by our key, then by what is known of it."""
        key = self._settings.contact_fields["customer_key"]
        standing = self._accounts.finder.by_key(key, fit_text(contact.customer_id, 64))
        standing = standing or self._accounts.finder.find(normalise_identities(contact.identities)[:LOOKED_FOR])
        return self._accounts.of_contact(standing[0] if standing else self._made(contact))

    def _write(self, kind: str, record_id: str, custom: Mapping[str, Any]) -> None:
        if not record_id or not custom:
            return
        if not is_id(record_id) or self._api.change("PATCH", f"{kind}/{record_id}", {"custom_fields": custom}) is None:
            raise CrmNotFoundError(f"BottleCRM has no such record of {kind}")

    def _made(self, contact: NewContact) -> Row:
        """What BottleCRM refuses of an address or a number stands among the handles alone."""
        body = self._body(contact)
        for _ in range(TRIES):
            answer = self._api.call("POST", "contacts", fine=(200, 400), body=body)
            if answer.status == 200:
                made = self._accounts.finder.read(text_of(answer.json(), "id"))
                if made:
                    return made
                raise CrmUnavailableError("BottleCRM does not show the contact that it made")
            refused = {"email", "phone"} & set(refused_fields(answer)) & set(body)
            if not refused:
                break
            body = {name: value for name, value in body.items() if name not in refused}
        raise answer.error("", next(iter(refused_fields(answer)), ""))

    def _body(self, contact: NewContact) -> dict[str, Any]:
        known = normalise_identities(contact.identities)
        emails, phones = ([each.partition(":")[2] for each in known if each.startswith(space)] for space in ("email:", "phone:"))
        first, _, last = " ".join(fit_text(contact.name, NAME).split()).partition(" ")
        handles = [each for each in known if each != f"email:{next(iter(emails), '')}" and each != f"phone:{next(iter(phones), '')}"]
        fields = self._settings.contact_fields
        custom = {fields["customer_key"]: fit_text(contact.customer_id, 64), fields["handles"]: fit_text(";".join(handles), 4_000), **self._slots(handles)}
        body = {
            "first_name": first or fit_text(next(iter(known), "").partition(":")[2].strip(), NAME) or NAMELESS, "last_name": last or NAMELESS,
            "email": next(iter(emails), ""), "phone": next(filter(_PHONE.match, phones), ""),
            "custom_fields": {name: value for name, value in custom.items() if name and value},
        }  # fmt: skip
        return {name: value for name, value in body.items() if value}

    def _slots(self, identities: Iterable[str]) -> dict[str, str]:
        """The first of each kind: a field holds one."""
        found: dict[str, str] = {}
        for key, native in map(self._settings.handle_field, normalise_identities(identities)):
            if key:
                found.setdefault(key, native)
        return found


def _custom(fields: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {fields[name]: value for name, value in values.items() if fields.get(name)}
    return {key: fit_text(value, 4_000) if isinstance(value, str) else value for key, value in found.items()}
