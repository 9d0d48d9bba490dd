"""Who an identity belongs to in ServiceNow, and what the account is worth: one call for contacts with their accounts, one for what hangs on these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Account, Fact, Match
from caseline.crm._amounts import add_amounts
from caseline.crm._fields import read_text
from caseline.crm._http import Answer
from caseline.crm._match import Contact, contacts_by_account, to_match
from caseline.crm._optional import OptionalFields
from caseline.crm._value import read_renewal
from caseline.crm.servicenow._api import Api, Part, Row, checked, count_part, list_part, rows_of
from caseline.crm.servicenow._errors import NoTableError, error_of
from caseline.crm.servicenow._query import any_group, id_in, is_value
from caseline.crm.servicenow._rows import contact_columns, read_contact, text_of
from caseline.crm.servicenow._settings import Settings
from caseline.errors import CrmForbiddenError
from caseline.identity import normalise_identities
from caseline.signals import isoformat

# More would be a scan of the instance: nobody has so many addresses, and an office phone is nobody's.
MAX_WANTED, MAX_CONTACTS, MAX_ACCOUNTS, MAX_CONTRACTS = 20, 500, 10, 500
ENDING = 4  # digits that nobody parts when writing a number


class Accounts:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._clock = api, settings, optional, clock

    def find(self, identities: Sequence[str]) -> Match:
        wanted, rows = self.matching(identities)
        matched = contacts_by_account(wanted, [read_contact(row, self._settings) for row in rows])
        ids = sorted(matched)[:MAX_ACCOUNTS]
        accounts = {text_of(row, "account"): row for row in rows}
        values = self._values([each for each in ids if each in accounts])
        return to_match([self.account(matched[each] or Contact("", each), accounts.get(each), values) for each in ids])

    def matching(self, identities: Sequence[str], key: str = "") -> tuple[Sequence[str], list[Row]]:
        """The identities in normal form, and the contacts that may have one of them (or the customer's key): to be compared in normal form."""
        wanted = normalise_identities(identities)[:MAX_WANTED]
        groups = [group for identity in wanted for group in self._groups(*identity.split(":", 1))]
        if key and is_value(key) and self._settings.customer_key_field:
            groups.append(f"{self._settings.customer_key_field}={key}")
        if not groups:
            return wanted, []
        facts = [f"account.{name}" for name in self._settings.fact_fields.values() if name]
        columns = [*contact_columns(self._settings), self._settings.customer_key_field, *facts]
        part = list_part(self._settings.contact_table, any_group(groups), columns, MAX_CONTACTS)
        return wanted, rows_of(self._api.call(part.method, part.path, part.table))

    def _groups(self, namespace: str, value: str) -> list[str]:
        if not is_value(value):
            return []
        if namespace == "email":
            return [f"email={value}"]
        if namespace == "phone":
            return [f"{name}ENDSWITH{value[-ENDING:]}" for name in self._settings.phone_fields]
        handles = self._settings.handles_field
        return [f"{handles}LIKE{namespace}:{value}"] if handles else []

    def account(self, person: Contact, row: Row | None, values: Mapping[str, list[Row]]) -> Account:
        contact = (person.contact_id, person.name, person.identities)
        if row is None or not text_of(row, "account"):
            return Account("", person.name, *contact, {}, self._link(self._settings.contact_table, person.contact_id))
        account_id, name = text_of(row, "account"), text_of(row, f"account.{self._settings.fact_fields['name']}")
        return Account(account_id, name, *contact, self._facts(account_id, row, values), self._link(self._settings.account_table, account_id))

    # What hangs on accounts.

    def _values(self, ids: Sequence[str]) -> dict[str, list[Row]]:
        parts = {name: part for name, part in self._parts(ids).items() if self._optional.has(part.table)} if ids else {}
        answers = self._api.batch(list(parts.values())) if parts else []
        return {name: self._rows(part, answer) for (name, part), answer in zip(parts.items(), answers, strict=True)}

    def _parts(self, ids: Sequence[str]) -> dict[str, Part]:
        settings, fields = self._settings, self._settings.contract_fields
        parts = {"open_cases": count_part(settings.case_table, f"{id_in('account', ids)}^active=true")}
        if settings.contract_table:
            parts["contracts"] = list_part(settings.contract_table, id_in(fields["account"], ids), fields.values(), MAX_CONTRACTS)
        if settings.purchase_table:
            parts["purchases"] = count_part(settings.purchase_table, id_in("account", ids))
        return parts

    def _rows(self, part: Part, answer: Answer) -> list[Row]:
        """None of a table that the instance lacks, or that our user may not read; said once."""
        error = error_of(answer, part.table) if answer.status != 200 else None
        if isinstance(error, CrmForbiddenError | NoTableError):
            self._optional.lacks(part.table)
            return []
        return rows_of(checked(answer, part.table))

    def _facts(self, account_id: str, row: Row, values: Mapping[str, list[Row]]) -> dict[str, Fact]:
        settings, as_of = self._settings, isoformat(self._clock())
        found = {
            **{name: (self._value(name, row), f"{settings.account_table}.{field}") for name, field in settings.fact_fields.items() if field and name != "name"},
            **self._contract_facts([each for each in values.get("contracts", ()) if text_of(each, settings.contract_fields["account"]) == account_id]),
            "open_cases": (_count(values["open_cases"], account_id), f"{settings.case_table}.active") if "open_cases" in values else (None, ""),
            "purchases": (_count(values["purchases"], account_id) or None, settings.purchase_table) if "purchases" in values else (None, ""),
        }
        return {name: Fact(value, f"ServiceNow {source}", as_of) for name, (value, source) in found.items() if value not in (None, "")}

    def _value(self, name: str, row: Row) -> Any:
        return read_text(name, text_of(row, f"account.{self._settings.fact_fields[name]}"), self._settings.tier)

    def _contract_facts(self, contracts: Sequence[Row]) -> dict[str, tuple[Any, str]]:
        """No contract at all says nothing: they may not be used here."""
        if not contracts:
            return {}
        settings, fields, table = self._settings, self._settings.contract_fields, self._settings.contract_table
        active = [each for each in contracts if text_of(each, fields["state"]) in settings.active_contracts]
        value = add_amounts(text_of(each, fields["value"]) for each in active)
        renewal, status = read_renewal([text_of(each, fields["ends"]) for each in active], self._clock().date())
        return {
            "deal_value": (value, f"{table}.{fields['value']}"), "currency": (settings.currency if value else None, "settings crm.currency"),
            "renewal_date": (renewal, f"{table}.{fields['ends']}"), "contract_status": (status, f"{table}.{fields['state']}"),
        }  # fmt: skip

    def _link(self, table: str, sys_id: str) -> str:
        return record_link(self._api.base_url, table, sys_id) if sys_id else ""


def record_link(base_url: str, table: str, sys_id: str) -> str:
    return f"{base_url}/nav_to.do?uri={table}.do?sys_id={sys_id}"


def _count(groups: Sequence[Row], account_id: str) -> int:
    """Of statistics that are grouped by account."""
    for group in groups:
        if any(isinstance(each, Mapping) and each.get("value") == account_id for each in group.get("groupby_fields") or ()):
            return int((group.get("stats") or {}).get("count") or 0)
    return 0
