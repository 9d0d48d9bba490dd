"""Contacts that Caseline adds to the built-in CRM, and how customers feel, beside what the files say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from caseline.crm import Account, NewContact, Profile, ProfileEvent
from caseline.crm._builtin_accounts import Accounts
from caseline.crm._builtin_rows import Row, account_key, contact_key, identity_key, is_id, keyed
from caseline.crm._schema import OF_ACCOUNTS, OF_CONTACTS
from caseline.crm._text import fit_text
from caseline.errors import CrmNotFoundError, CrmRejectedError
from caseline.identity import normalise_identities
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Table

PROFILE = "profile_"  # before the names of such values in a row: a file's own columns never meet them
NAME_LIMIT = 255


class Contacts:
    def __init__(self, table: Table, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._table, self._accounts, self._clock = table, accounts, clock

    def write_profile(self, profile: Profile) -> None:
        if profile.contact_id:
            self._set(contact_key, profile.contact_id, OF_CONTACTS, profile.values)
            self._table.insert_many([_event_row(profile.contact_id, event) for event in profile.events if is_id(event.event_id)])
        if profile.account_id:
            self._set(account_key, profile.account_id, OF_ACCOUNTS, profile.values)

    def erase_history(self, contact_id: str) -> Sequence[str]:
        for row in list(self._table.query(contact_key(contact_id)[0], prefix="EVENT#")):
            self._table.delete(row["PK"], row["SK"])
        return []

    def create(self, contact: NewContact) -> Account:
        """The index rows come first: killed in between, the same is done again."""
        identities = normalise_identities(contact.identities)
        found = self._accounts.contact_of(identities)
        if found is None:
            found = self._make(contact, identities)
        return Account(found["account_id"], "", found["contact_id"], found["name"], tuple(found["identities"]))

    def _make(self, contact: NewContact, identities: Sequence[str]) -> Row:
        if not is_id(contact.customer_id):
            raise CrmRejectedError("is no id", "customer_id")
        contact_id = f"cx-{contact.customer_id}"
        values = {"contact_id": contact_id, "account_id": "", "name": fit_text(contact.name, NAME_LIMIT), "identities": list(identities)}
        self._table.insert_many([keyed(identity_key(identity, contact_id), type="crm_identity") for identity in identities])
        more = {"kind": contact.kind, "origin": fit_text(contact.origin, NAME_LIMIT), "updated_at": isoformat(self._clock())}
        try:
            self._table.put(keyed(contact_key(contact_id), type="crm_contact", **values, **more), "attribute_not_exists(PK)")
        except ConditionFailed as lost:
            return lost.item or values
        return values

    def _set(self, key: Callable[[str], tuple[str, str]], record_id: str, names: Sequence[str], values: Mapping[str, Any]) -> None:
        known = {f"{PROFILE}{name}": _fit(values[name]) for name in names if values.get(name) is not None}
        gone = [f"{PROFILE}{name}" for name in names if name in values and values[name] is None]
        if not is_id(record_id):
            raise CrmNotFoundError("no such contact or account")
        try:
            said = "SET " + ", ".join(f"{name} = :{name}" for name in (*known, "profile_at")) + (f" REMOVE {', '.join(gone)}" if gone else "")
            self._table.update(*key(record_id), said, "attribute_exists(PK)", **known, profile_at=isoformat(self._clock()))
        except ConditionFailed:
            raise CrmNotFoundError("no such contact or account") from None


def _fit(value: Any) -> Any:
    return fit_text(value, NAME_LIMIT) if isinstance(value, str) else value


def _event_row(contact_id: str, event: ProfileEvent) -> Row:
    values = {name: _fit(value) for name, value in asdict(event).items() if value is not None}
    return keyed((contact_key(contact_id)[0], f"EVENT#{_fit(event.at)}#{event.event_id}"), type="crm_event", **values)
