"""What Caseline writes to contacts and accounts: how a customer feels, and customers whom the CRM does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caseline.crm import Account, NewContact, Profile
from caseline.crm._erasing import HISTORY_STANDS, VALUES_STAND
from caseline.crm._mapped._accounts import Accounts
from caseline.crm._mapped._api import Api
from caseline.crm._mapped._expression import optional
from caseline.crm._mapped._mapping import Mapped
from caseline.crm._mapped._rows import Reader
from caseline.crm._mapped._template import BLANK
from caseline.crm._match import Contact, contacts_by_account
from caseline.crm._text import fit_text
from caseline.errors import CrmRejectedError, PayloadError
from caseline.identity import normalise_identities


class People:
    def __init__(self, api: Api, mapped: Mapped, reader: Reader, accounts: Accounts) -> None:
        self._api, self._mapped, self._reader, self._accounts = api, mapped, reader, accounts

    def write_profile(self, profile: Profile) -> None:
        """A request each for the contact and the account, where the mapping has them; `events` as a list, where the request has a place for it."""
        values = {name: fit_text(value, 255) if isinstance(value, str) else BLANK if value is None else value for name, value in profile.values.items()}
        ids = {"contact_id": profile.contact_id, "account_id": profile.account_id, "events": [vars(event) for event in profile.events]}
        for request, record_id in ((self._mapped.people.profile, profile.contact_id), (self._mapped.accounts.profile, profile.account_id)):
            if request and record_id and (values or profile.events):
                self._api.row(request, {**values, **ids})

    def erase_history(self, contact_id: str) -> Sequence[str]:
        """Whether a list of events is taken as all there are nobody knows; and what is no JSON has no way to say that nothing is to stand there."""
        request = self._mapped.people.profile
        if request is None or not contact_id:
            return []
        has_events, is_json = "events" in request.names, request.body is not None
        if has_events and is_json:
            self._api.row(request, {"contact_id": contact_id, "events": BLANK})
        return [line for line, stands in ((VALUES_STAND, not is_json), (HISTORY_STANDS, has_events)) if stands]

    def create(self, contact: NewContact) -> Account:
        """The one with the customer's key or an identity, if there is one."""
        try:
            return self._found(contact) or self._made(contact)
        except PayloadError:
            raise self._api.strange() from None

    def _found(self, contact: NewContact) -> Account | None:
        wanted, key = normalise_identities(contact.identities), fit_text(contact.customer_id, 64)
        rows, fields = self._accounts.people(wanted, key), self._mapped.people.fields
        keyed = [self._reader.person(row) for row in rows if key and optional(fields.customer_key, row) == key]
        matched: dict[str, Contact | None] = {keyed[0].account_id: keyed[0]} if keyed else {**contacts_by_account(wanted, map(self._reader.person, rows))}
        if len(matched) > 1:
            raise CrmRejectedError("several contacts of different accounts have these identities", "contact")
        found = [self._accounts.account(account_id, person, None) for account_id, person in matched.items()]
        return next(iter(found), None)

    def _made(self, contact: NewContact) -> Account:
        request = self._mapped.people.create
        row = self._api.row(request, _values(contact)) if request else None
        if request is None:
            raise CrmRejectedError("the mapping has no request that makes contacts; write crm.mapping.people.create", "contact")
        if row is None:
            raise self._api.strange()
        person = self._reader.person(row)
        return self._accounts.account(person.account_id, person, None)


def _values(contact: NewContact) -> dict[str, Any]:
    known, name = normalise_identities(contact.identities), fit_text(" ".join(contact.name.split()), 120) or "Unknown"
    spaces = {space: [each.partition(":")[2] for each in known if each.startswith(f"{space}:")] for space in ("email", "phone")}
    first, _, last = name.rpartition(" ")
    return {
        "customer_key": fit_text(contact.customer_id, 64), "kind": contact.kind, "name": name, "first_name": first, "last_name": last,
        "email": next(iter(spaces["email"]), ""), "phone": next(iter(spaces["phone"]), ""), "origin": fit_text(contact.origin, 80),
        "handles": [each for each in known if not each.startswith(("email:", "phone:"))],
    }  # fmt: skip
