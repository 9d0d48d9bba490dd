"""Contacts and accounts that Caseline writes to: how a customer feels, and a customer whom Dynamics does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Account, NewContact, Profile, ProfileEvent
from caseline.crm._batch import Part
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.dynamics._accounts import Accounts
from caseline.crm.dynamics._api import Api, checked, rows_of
from caseline.crm.dynamics._notes import check_notes, erase_annotations, note_part
from caseline.crm.dynamics._odata import any_of, is_guid, quote, url
from caseline.crm.dynamics._records import made_id
from caseline.crm.dynamics._settings import TRENDS, Settings
from caseline.errors import CrmRejectedError
from caseline.identity import normalise_identities

NAME, EMAIL, HANDLES, CHANNELS = 50, 100, 4_096, 255


class People:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, accounts: Accounts) -> None:
        self._api, self._settings, self._optional, self._accounts = api, settings, optional, accounts

    # ---- how a customer feels

    def write_profile(self, profile: Profile) -> None:
        """One call for the contact, the account and the history."""
        self._optional.attempt(lambda: self._write(profile))

    def _write(self, profile: Profile) -> None:
        latest = [
            *self._latest("contact", profile.contact_id, self._settings.contact_fields, profile.values),
            *self._latest("account", profile.account_id, self._settings.account_fields, profile.values),
        ]
        history = [self._event(profile.contact_id, event) for event in profile.events] if self._settings.history and is_guid(profile.contact_id) else []
        if not latest and not history:
            return
        answers = self._api.batch([*latest, *history])
        for answer in answers[: len(latest)]:
            checked(answer[0])
        check_notes(answers[len(latest) :])

    def _latest(self, table: str, record_id: str, columns: Mapping[str, str], values: Mapping[str, Any]) -> list[Part]:
        known = {columns[name]: self._value(name, value) for name, value in values.items() if columns.get(name)}
        body = {column: known[column] for column in self._optional.of(table, known)}
        return [Part("PATCH", f"/{table}s({record_id})", body, {"If-Match": "*"})] if body and is_guid(record_id) else []

    def _value(self, name: str, value: Any) -> Any:
        if name == "sentiment_trend":
            return self._settings.option(TRENDS, value)
        return fit_text(value, CHANNELS) if isinstance(value, str) and name == "channels" else value

    def _event(self, contact_id: str, event: ProfileEvent) -> Part:
        felt = f", sentiment {event.sentiment:+.2f}" if event.sentiment is not None else ""
        text = f"{event.at[:16].replace('T', ' ')} UTC, {event.channel} {event.kind}{felt}{', ' + event.rating if event.rating else ''}\n{event.summary}"
        return note_part(made_id(contact_id, "event", event.event_id), "contact", f"/contacts({contact_id})", text)

    def erase_history(self, contact_id: str) -> Sequence[str]:
        if is_guid(contact_id):
            erase_annotations(self._api, contact_id)
        return []

    # ---- a customer whom Dynamics does not know

    def create(self, contact: NewContact) -> Account:
        """The one that is there by an identity; else one whose id is made of the customer's, so that a repeat finds it there."""
        found = self._found(contact)
        return found or self._optional.attempt(lambda: self._create(contact))

    def _found(self, contact: NewContact) -> Account | None:
        match = self._accounts.find(contact.identities)
        if match.kind == "ambiguous":
            raise CrmRejectedError("several contacts of different accounts have these identities", "contact")
        return match.account or (self._lead(contact) if contact.kind == "lead" else None)

    def _lead(self, contact: NewContact) -> Account | None:
        emails = [identity.partition(":")[2] for identity in normalise_identities(contact.identities) if identity.startswith("email:")]
        if not emails:
            return None
        condition = f"statecode eq 0 and ({any_of(f'emailaddress1 eq {quote(email)}' for email in emails)})"
        rows = rows_of(self._api.call("GET", url("/leads", select="leadid", filter=condition, top="1")))
        return self._account(contact, rows[0]["leadid"]) if rows else None

    def _create(self, contact: NewContact) -> Account:
        table, record_id = ("lead" if contact.kind == "lead" else "contact"), made_id(contact.customer_id, contact.kind)
        body, headers = self._body(table, contact), {"If-None-Match": "*"}
        self._api.call("PATCH", f"/{table}s({record_id})", body=body, headers=headers, fine=(200, 201, 204, 412))
        return self._account(contact, record_id)

    def _body(self, table: str, contact: NewContact) -> dict[str, Any]:
        first, _, last = fit_text(contact.name.strip(), 2 * NAME).rpartition(" ")
        named = {"firstname": fit_text(first.strip(), NAME), "lastname": fit_text(last.strip(), NAME) or "(unknown)"}
        known = {**named, **self._reachable(table, contact), "description": fit_text(f"Made by Caseline: {contact.origin}", 2_000)}
        if table == "lead":
            known |= {"subject": fit_text(f"{contact.name or 'Customer'} ({contact.origin})", 300)}
        return {name: known[name] for name in self._optional.of(table, [name for name, value in known.items() if value])}

    def _reachable(self, table: str, contact: NewContact) -> dict[str, str]:
        identities = normalise_identities(contact.identities)
        emails, phones = ([i.partition(":")[2] for i in identities if i.startswith(space)] for space in ("email:", "phone:"))
        handles = [identity for identity in identities if not identity.startswith(("email:", "phone:"))]
        found = {"emailaddress1": next((email for email in emails if len(email) <= EMAIL), ""), "mobilephone": phones[0] if phones else ""}
        if table == "lead":
            return found
        fields = self._settings.contact_fields
        return {**found, fields["handles"]: fit_text(";".join(handles), HANDLES), fields["customer_key"]: contact.customer_id}

    def _account(self, contact: NewContact, record_id: str) -> Account:
        """A contact without account stands for itself."""
        link = self._accounts.link("lead" if contact.kind == "lead" else "contact", record_id)
        return Account("", contact.name, record_id, contact.name, normalise_identities(contact.identities), {}, link)
