"""Who an identity belongs to, and what the account is worth: the mapping's requests `people.find`, and `accounts.read` where people come without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Match
from caseline.crm._fields import read_fields
from caseline.crm._mapped._api import Api, Row
from caseline.crm._mapped._expression import optional
from caseline.crm._mapped._mapping import Mapped
from caseline.crm._mapped._rows import ALONE, Reader
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.errors import CrmNotFoundError, PayloadError
from caseline.identity import normalise_identities

# More would be a scan: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_ACCOUNTS, MAX_CALLS = 20, 10, 2


class Accounts:
    def __init__(self, api: Api, mapped: Mapped, currency: str, reader: Reader, crm: str, clock: Callable[[], datetime]) -> None:
        self._api, self._mapped, self._currency, self._reader, self._clock = api, mapped, currency, reader, clock
        self._place = f"{crm} account"

    def find(self, identities: Sequence[str]) -> Match:
        wanted = normalise_identities(identities)[:MAX_WANTED]
        try:
            rows = self.people(wanted)
            matched = contacts_by_account(wanted, [self._reader.person(row) for row in rows])
            ids = sorted(matched)[:MAX_ACCOUNTS]
            known = self._records([each for each in ids if not each.startswith(ALONE)], rows)
            return to_match([self.account(each, matched[each], known.get(each)) for each in ids])
        except PayloadError:
            raise self._api.strange() from None

    def people(self, wanted: Sequence[str], customer_key: str = "") -> list[Row]:
        """Those who may have one of the identities, or the customer's key: to be compared in normal form."""
        values = {**_spread(wanted), "customer_key": customer_key}
        asked = [request for request in self._mapped.people.find if any(values.get(name) for name in request.names)]
        found = [row for request in asked for row in self._api.rows(request, values)]
        return list({self._mapped.people.fields.id.text_of(row): row for row in found}.values())

    def account(self, account_id: str, contact: Contact | None, row: Row | None) -> Account:
        """`row` is the account's; a person without one stands for itself."""
        person, fields = contact or Contact("", account_id), self._mapped.accounts.fields
        who = (person.contact_id, person.name, person.identities)
        if account_id.startswith(ALONE):
            return Account("", person.name, *who)
        return Account(account_id, optional(fields.name, row or {}), *who, self._facts(row or {}), optional(fields.url, row or {}))

    def _facts(self, row: Row) -> Mapping[str, Any]:
        facts = self._mapped.accounts.fields.facts
        values = {expression.text: expression.value(row) for expression in facts.values()}
        plain = {name: value for name, value in values.items() if isinstance(value, str | int | float)}
        names = {fact: expression.text for fact, expression in facts.items()}
        return read_fields(plain, names, self._place, self._clock(), self._reader.tier, self._currency)

    def _records(self, ids: Sequence[str], people: Sequence[Row]) -> dict[str, Row]:
        """As they come along with the people, or by requests: one for all of them, or a few for the first."""
        read, fields = self._mapped.accounts.read, self._mapped.accounts.fields
        if not ids:
            return {}
        if read is None:
            rows = [self._mapped.people.fields.account.value(row) if self._mapped.people.fields.account else row for row in people]
        elif "account_ids" in read.names:
            rows = self._api.rows(read, {"account_ids": list(ids), "account_id": ids[0]})
        else:
            rows = [self._one(each) for each in ids[:MAX_CALLS]]
        return {fields.id.text_of(row): row for row in rows if isinstance(row, dict)}

    def _one(self, account_id: str) -> Row | None:
        request = self._mapped.accounts.read
        try:
            return self._api.row(request, {"account_id": account_id}) if request else None
        except CrmNotFoundError:
            return None


def _spread(wanted: Sequence[str]) -> dict[str, list[str]]:
    """Identities by the placeholders that they go into."""
    spaces = [identity.partition(":") for identity in wanted]
    phones, others = [value for space, _, value in spaces if space == "phone"], [each for each in spaces if each[0] not in ("email", "phone")]
    return {
        "emails": [value for space, _, value in spaces if space == "email"], "phones": phones, "phone_digits": [phone.lstrip("+") for phone in phones],
        "handles": ["".join(each) for each in others], "handle_names": [value for _, _, value in others],
    }  # fmt: skip
