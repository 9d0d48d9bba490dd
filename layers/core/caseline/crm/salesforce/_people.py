"""Contacts, leads and accounts as far as we write them: how a customer feels, and who is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Account, NewContact, Profile, ProfileEvent
from caseline.crm._erasing import HISTORY_STANDS
from caseline.crm._optional import MissingFieldError, OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.salesforce._api import Api, Part, Record, read_object
from caseline.crm.salesforce._errors import ADVICE
from caseline.crm.salesforce._metadata import EVENT, field_name
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote, quote_list, unreferenced
from caseline.errors import CrmConflictError, CrmNotFoundError
from caseline.identity import normalise_identities

EVENTS_AT_ONCE, EVENT_KEY = 200, field_name("event_key")
PARTS, MAX_PAGES = 25, 400
BIN = "Salesforce keeps what was deleted of the contact's history in its recycle bin for 15 days"
TEXT_LIMIT, NAME_LIMIT, HANDLES_LIMIT = 255, 80, 255
PREFIXES = {"Contact": "003", "Account": "001", "Lead": "00Q"}


class People:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, base_url: str) -> None:
        self._api, self._settings, self._optional, self._base_url = api, settings, optional, base_url

    def write_profile(self, profile: Profile) -> None:
        self._optional.attempt(lambda: self._write_profile(profile))

    def erase_history(self, contact_id: str) -> Sequence[str]:
        """Two calls for each 25 records. A role that our package of before gave may not."""
        if not is_id(contact_id, PREFIXES["Contact"]) or not self._optional.has(EVENT):
            return []
        for _ in range(MAX_PAGES):
            rows = self._api.query(f"SELECT Id FROM {EVENT} WHERE CX_Contact__c = {quote(contact_id)} LIMIT {PARTS}")
            if not rows:
                return [BIN]
            self._api.compose([Part(f"gone{place}", "DELETE", f"/sobjects/{EVENT}/{row['Id']}") for place, row in enumerate(rows)]).check()
        return [HISTORY_STANDS]

    def create(self, contact: NewContact) -> Account:
        """Found, or made; who loses a race to make it finds it then."""
        entity = "Lead" if contact.kind == "lead" else "Contact"
        return self._optional.attempt(lambda: self._find(entity, contact) or self._make(entity, contact))

    def _write_profile(self, profile: Profile) -> None:
        parts = [
            *self._profile_part("Contact", profile.contact_id, self._settings.contact_profile, profile.values),
            *self._profile_part("Account", profile.account_id, self._settings.account_profile, profile.values),
        ]
        parts += self._history_part(profile)
        if not parts:
            return
        composed = self._api.compose(parts)
        if isinstance(composed.error("history") if parts[-1].name == "history" else None, CrmNotFoundError):
            raise MissingFieldError(EVENT, "", ADVICE)
        composed.check()

    def _history_part(self, profile: Profile) -> list[Part]:
        """Upserted by key, 200 at once: the newest."""
        if not profile.events or not self._optional.has(EVENT):
            return []
        whose = {"CX_Contact__c": (profile.contact_id, "003"), "CX_Account__c": (profile.account_id, "001")}
        linked = {name: key for name, (key, prefix) in whose.items() if is_id(key, prefix)}
        records = [{"attributes": {"type": EVENT}, **_event_values(event), **linked} for event in profile.events[-EVENTS_AT_ONCE:]]
        return [Part("history", "PATCH", f"/composite/sobjects/{EVENT}/{EVENT_KEY}", {"allOrNone": False, "records": records})]

    def _profile_part(self, entity: str, record_id: str, names: Mapping[str, str], values: Mapping[str, Any]) -> list[Part]:
        if not record_id or is_id(record_id, PREFIXES["Lead"]):
            return []
        if not is_id(record_id, PREFIXES[entity]):
            raise CrmNotFoundError(f"Salesforce has no such {entity.lower()}")
        sent = {names[key]: _plain(value) for key, value in values.items() if names.get(key)}
        body = {name: sent[name] for name in self._optional.of(entity, sent)}
        return [Part(entity, "PATCH", f"/sobjects/{entity}/{record_id}", body)] if body else []

    def _find(self, entity: str, contact: NewContact) -> Account | None:
        """By customer key before e-mail: two customers may share an address."""
        key, handles = self._settings.customer_key_field, self._settings.handles_field
        names = {"Contact": ["AccountId", "Account.Name", handles], "Lead": ["Company", handles]}[entity]
        columns = ", ".join(self._optional.of(entity, ["Id", "Name", "Email", "Phone", key, *names]))
        emails = _native(contact, "email")
        conditions = [f"{key} = {quote(contact.customer_id)}"] if self._optional.of(entity, [key]) else []
        conditions += [f"Email IN {quote_list(emails)}"] if emails else []
        if not conditions:
            return None
        rows = self._api.query(f"SELECT {columns} FROM {entity} WHERE {' OR '.join(conditions)} ORDER BY CreatedDate LIMIT 50")
        ours = [row for row in rows if row.get(key) == contact.customer_id]
        return self._account(entity, (ours or rows)[0]) if rows else None

    def _make(self, entity: str, contact: NewContact) -> Account:
        values = self._values(entity, contact)
        body = {name: values[name] for name in self._optional.of(entity, values)}
        try:
            made = read_object(self._api.call("POST", f"/sobjects/{entity}", body=body, headers=self._headers()))
        except CrmConflictError:
            if found := self._find(entity, contact):
                return found
            raise
        return self._account(entity, {**body, "Id": str(made.get("id")), "Name": f"{body.get('FirstName', '')} {body['LastName']}".strip()})

    def _headers(self) -> dict[str, str]:
        return {"Sforce-Duplicate-Rule-Header": f"allowSave={str(self._settings.allow_duplicates).lower()}"}

    def _values(self, entity: str, contact: NewContact) -> dict[str, Any]:
        words = contact.name.split() or [contact.customer_id]
        emails, phones = _native(contact, "email"), _native(contact, "phone")
        others = [identity for identity in normalise_identities(contact.identities) if not identity.startswith(("email:", "phone:"))]
        values = {
            "FirstName": fit_text(" ".join(words[:-1]), 40), "LastName": fit_text(words[-1], NAME_LIMIT), "LeadSource": fit_text(contact.origin, 40),
            "Email": next((email for email in emails if len(email) <= 80), ""), "Phone": next(iter(phones), ""),
            self._settings.handles_field: _whole(others), self._settings.customer_key_field: contact.customer_id,
            "Company": fit_text(contact.name, TEXT_LIMIT) or contact.customer_id if entity == "Lead" else "",
        }  # fmt: skip
        return {name: value for name, value in values.items() if name and value}

    def _account(self, entity: str, row: Record) -> Account:
        company = row.get("Account") or {}
        handles = str(row.get(self._settings.handles_field) or "").split(";")
        identities = normalise_identities([f"email:{row.get('Email')}", f"phone:{row.get('Phone')}", *handles])
        name = str(row.get("Name") or "")
        url = f"{self._base_url}/lightning/r/{entity}/{row['Id']}/view"
        return Account(str(row.get("AccountId") or ""), str(company.get("Name") or row.get("Company") or name), row["Id"], name, identities, {}, url)


def _event_values(event: ProfileEvent) -> dict[str, Any]:
    texts = {"channel": (event.channel, 80), "kind": (event.kind, 80), "summary": (event.summary, TEXT_LIMIT), "rating": (event.rating, 80)}
    values = {field_name(name): fit_text(unreferenced(text), limit) for name, (text, limit) in texts.items()}
    return {EVENT_KEY: unreferenced(event.event_id)[:64], "CX_At__c": event.at, "CX_Sentiment__c": event.sentiment, **values}


def _whole(handles: list[str]) -> str:
    """As many as the field holds, none cut in half."""
    while handles and len(";".join(handles)) > HANDLES_LIMIT:
        handles = handles[:-1]
    return ";".join(handles)


def _plain(value: Any) -> Any:
    return fit_text(unreferenced(value), TEXT_LIMIT) if isinstance(value, str) else value


def _native(contact: NewContact, namespace: str) -> list[str]:
    return [identity.partition(":")[2] for identity in normalise_identities(contact.identities) if identity.startswith(f"{namespace}:")]
