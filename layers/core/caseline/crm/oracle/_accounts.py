"""Who an identity belongs to in Fusion, and what the account is worth: one call for contacts, one for their accounts and what hangs on these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Fact, Match
from caseline.crm._amounts import add_deals
from caseline.crm._fields import read_text
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm._optional import MissingFieldError, OptionalFields
from caseline.crm._value import read_renewal
from caseline.crm.oracle._api import Api, Part, Row, list_path, rows_of
from caseline.crm.oracle._query import any_of, contains, ends_with, equals, is_value, number_in, quote
from caseline.crm.oracle._rows import ACCOUNTS, CASES, CONTACTS, STATUS, account_columns, contact_columns, own_fields, read_contact, text_of
from caseline.crm.oracle._settings import Settings
from caseline.errors import CrmForbiddenError, CrmNotFoundError, CrmRejectedError
from caseline.identity import normalise_identities
from caseline.signals import isoformat

# More would be a scan of the pod: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_CONTACTS, MAX_ACCOUNTS, MAX_ROWS = 20, 200, 10, 500
ENDING = 4  # digits that nobody parts when writing a number


class Accounts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._clock, self._own = api, settings, optional, clock, own_fields(settings)

    def find(self, identities: Sequence[str]) -> Match:
        wanted, rows = self.matching(identities)
        matched = contacts_by_account(wanted, [read_contact(row, self._settings) for row in rows])
        ids = sorted(matched)[:MAX_ACCOUNTS]
        with_account = {text_of(row, "AccountPartyId") for row in rows}
        values = self._values([each for each in ids if each in with_account])
        return to_match([self._account(matched[each] or Contact("", each), each, values) for each in ids])

    def matching(self, identities: Sequence[str], key: str = "") -> tuple[Sequence[str], list[Row]]:
        """The identities in normal form, and the contacts that may have one of them (or the customer's key): to be compared in normal form."""
        wanted = normalise_identities(identities)[:MAX_WANTED]
        return wanted, self._optional.attempt(lambda: self._search(wanted, key))

    def of(self, person: Contact) -> Account:
        """The contact's account, without its value."""
        account_id = person.account_id if person.account_id != person.contact_id else ""
        return Account(account_id, person.name, person.contact_id, person.name, person.identities, {}, self._link(CONTACTS, person.contact_id))

    def _search(self, wanted: Sequence[str], key: str) -> list[Row]:
        columns = self._optional.of(CONTACTS, [*contact_columns(self._settings), self._settings.customer_key_field])
        conditions = [condition for identity in wanted for condition in self._conditions(*identity.split(":", 1))]
        if key and is_value(key) and self._settings.customer_key_field in columns:
            conditions.append(equals(self._settings.customer_key_field, key))
        return self._api.rows(list_path(CONTACTS, any_of(conditions), columns, MAX_CONTACTS), self._own) if conditions else []

    def _conditions(self, namespace: str, value: str) -> list[str]:
        if not is_value(value) or not any(map(str.isalnum, value)):
            return []
        if namespace == "email":
            return [f"UPPER(EmailAddress) = {quote(value.upper())}" if self._settings.fold_emails else equals("EmailAddress", value)]
        if namespace == "phone":
            return [ends_with(name, value[-ENDING:]) for name in self._settings.phone_fields]
        return [contains(name, f"{namespace}:{value}") for name in self._optional.of(CONTACTS, [self._settings.handles_field])]

    # What the account is worth.

    def _values(self, ids: Sequence[str]) -> dict[str, list[Row]]:
        return self._optional.attempt(lambda: self._read(ids)) if ids else {}

    def _read(self, ids: Sequence[str]) -> dict[str, list[Row]]:
        """In one call; where a resource is hidden or not there, once more without it."""
        paths = {resource: path for resource, path in self._paths(ids).items() if resource == ACCOUNTS or self._optional.has(resource)}
        try:
            answers = self._api.batch([Part("get", path) for path in paths.values()], self._own)
            return {resource: rows_of(answer) for resource, answer in zip(paths, answers, strict=True)}
        except MissingFieldError:
            raise
        except (CrmForbiddenError, CrmNotFoundError, CrmRejectedError):
            return {resource: self._one(resource, path) for resource, path in paths.items()}

    def _one(self, resource: str, path: str) -> list[Row]:
        try:
            return self._api.rows(path, self._own)
        except MissingFieldError:
            raise
        except (CrmForbiddenError, CrmNotFoundError, CrmRejectedError):
            if resource == ACCOUNTS:
                raise
            self._optional.lacks(resource)
            return []

    def _paths(self, ids: Sequence[str]) -> dict[str, str]:
        settings, deals, contracts = self._settings, self._settings.deal_fields, self._settings.contract_fields
        is_won = any_of(equals(deals["status"], code) for code in settings.won_statuses)
        is_open = " AND ".join(f"{STATUS} <> {quote(code)}" for code in dict.fromkeys([*settings.closed_statuses, settings.statuses["closed"]]))
        columns = self._optional.of(ACCOUNTS, account_columns(settings))
        paths = {
            ACCOUNTS: list_path(ACCOUNTS, number_in("PartyId", ids), columns, MAX_ACCOUNTS),
            CASES: list_path(CASES, f"({number_in('AccountPartyId', ids)}) AND {is_open}", ["AccountPartyId"], MAX_ROWS),
        }
        if settings.deal_resource:
            paths[settings.deal_resource] = list_path(
                settings.deal_resource, f"({number_in(deals['account'], ids)}) AND ({is_won})", deals.values(), MAX_ROWS
            )
        if settings.contract_resource:
            paths[settings.contract_resource] = list_path(
                settings.contract_resource, number_in(contracts["account"], ids), contracts.values(), MAX_ROWS
            )
        return paths

    def _account(self, person: Contact, account_id: str, values: Mapping[str, list[Row]]) -> Account:
        row = next((row for row in values.get(ACCOUNTS, ()) if text_of(row, "PartyId") == account_id), None)
        if row is None:
            return self.of(person)
        name = text_of(row, self._settings.fact_fields["name"])
        facts = self._facts(account_id, row, values)
        return Account(account_id, name, person.contact_id, person.name, person.identities, facts, self._link(ACCOUNTS, account_id))

    def _facts(self, account_id: str, row: Row, values: Mapping[str, list[Row]]) -> dict[str, Fact]:
        settings, as_of = self._settings, isoformat(self._clock())
        deals, contracts = settings.deal_fields, settings.contract_fields
        found: dict[str, tuple[Any, str]] = {
            name: (read_text(name, text_of(row, field), settings.tier), f"{ACCOUNTS}.{field}")
            for name, field in settings.fact_fields.items() if field and name != "name"
        }
        if CASES in values:
            found["open_cases"] = len(_belonging(values[CASES], "AccountPartyId", account_id)), f"{CASES}.{STATUS}"
        won = _belonging(values.get(settings.deal_resource, ()), deals["account"], account_id)
        value, currency = add_deals((text_of(each, deals["value"]), text_of(each, deals["currency"])) for each in won)
        found |= {"deal_value": (value, f"{settings.deal_resource}.{deals['value']}"), "currency": (currency, f"{settings.deal_resource}.{deals['currency']}")}
        theirs = _belonging(values.get(settings.contract_resource, ()), contracts["account"], account_id)
        if theirs:
            active = [text_of(each, contracts["ends"]) for each in theirs if text_of(each, contracts["status"]) in settings.active_contracts]
            renewal, status = read_renewal(active, self._clock().date())
            found["renewal_date"] = renewal, f"{settings.contract_resource}.{contracts['ends']}"
            found["contract_status"] = status, f"{settings.contract_resource}.{contracts['status']}"
        return {name: Fact(value, f"Oracle {source}", as_of) for name, (value, source) in found.items() if value not in (None, "")}

    def _link(self, resource: str, party_id: str) -> str:
        return f"{self._api.base_url}/fscmUI/redwood/{resource}/detail?id={party_id}" if party_id else ""


def _belonging(rows: Sequence[Row], field: str, account_id: str) -> list[Row]:
    return [row for row in rows if text_of(row, field) == account_id]
