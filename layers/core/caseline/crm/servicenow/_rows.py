"""What ServiceNow's records say in Caseline's words. Rows come from the API and from its webhooks: nothing heavy here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from caseline.crm import AUTOMATIC, Change
from caseline.crm._marks import MARK
from caseline.crm._match import Contact, stored_phone
from caseline.crm.servicenow._settings import Settings
from caseline.identity import normalise_identities

Row = Mapping[str, Any]
JOURNAL, DELETIONS = "sys_journal_field", "sys_audit_delete"
PUBLIC, INTERNAL = "comments", "work_notes"
# By whose name a customer's own words stand in the journal: that of a portal's user, or of whoever mails.
LOGINS = ("contact.user_name", "contact.email", "consumer.user.user_name", "consumer.email")
GUEST = "guest"


def text_of(row: Row, name: str, part: str = "value") -> str:
    """A value as text, "" for none; with `display_value=all` a value has two parts, and a reference may have a link."""
    value = row.get(name) if name else None
    if isinstance(value, Mapping):
        value = value.get(part)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def time_of(row: Row, name: str = "sys_updated_on") -> datetime:
    """UTC. ValueError where there is none."""
    return datetime.strptime(text_of(row, name), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def case_columns(settings: Settings) -> list[str]:
    ours = (settings.case_fields[name] for name in ("version", "band", "queue", "outcome"))
    return ["sys_id", "number", settings.case_key, "state", "priority", "assigned_to", "assignment_group", "sys_updated_on", "sys_updated_by", *ours]


def contact_columns(settings: Settings) -> list[str]:
    return ["sys_id", "name", "account", "email", *settings.phone_fields, settings.handles_field, "sys_updated_on", "sys_updated_by"]


def account_columns(settings: Settings) -> list[str]:
    return ["sys_id", "sys_updated_on", "sys_updated_by", *settings.fact_fields.values()]


def customers_of(case: Row) -> set[str]:
    """The names by which its customer writes."""
    return {name.casefold() for login in LOGINS if (name := text_of(case, login))}


def read_contact(row: Row, settings: Settings) -> Contact:
    """A contact without account stands for itself."""
    emails = [f"email:{text_of(row, 'email')}"]
    phones = [stored_phone(text_of(row, name), settings.phone_country_code) for name in settings.phone_fields]
    handles = text_of(row, settings.handles_field).split(";")
    contact_id = text_of(row, "sys_id")
    return Contact(contact_id, text_of(row, "account") or contact_id, text_of(row, "name"), normalise_identities([*emails, *phones, *handles]))


class Teller:
    """Rows as changes. `user` is our own, whose writes are no news."""

    def __init__(self, settings: Settings, user: str) -> None:
        self._settings, self._user = settings, user

    def case(self, row: Row) -> Change | None:
        """What we wrote last tells only what differs from what we set: a person did that just before us."""
        fields = self._differences(row)
        if not self._is_ours(row):
            fields |= {"status": self._settings.status(text_of(row, "state"))}
            fields |= {name: value for name in ("outcome",) if (value := text_of(row, self._settings.case_fields[name]))}
        if not fields:
            return None
        return Change("case", text_of(row, "sys_id"), time_of(row), text_of(row, self._settings.case_key), fields, text_of(row, "sys_updated_by"))

    def _differences(self, row: Row) -> dict[str, Any]:
        band, owner = text_of(row, self._settings.case_fields["band"]), text_of(row, "assigned_to")
        priority = text_of(row, "priority")
        blanked = {"band": AUTOMATIC} if "priority" in row and not priority and band and self._settings.priority(band) else {}
        return {**self._settings.differences(priority, band, owner), **blanked}

    def comment(self, row: Row, case_key: str, customer: Collection[str] = ()) -> Change | None:
        """What the customer wrote is no answer."""
        text, by = text_of(row, "value"), text_of(row, "sys_created_by")
        if MARK in text or (by and by == self._user):
            return None
        entry = text_of(row, "sys_id")
        fields = {"comment_id": entry, "text": text, "public": text_of(row, "element") == PUBLIC and by.casefold() not in (GUEST, *customer)}
        return Change("comment", text_of(row, "element_id"), time_of(row, "sys_created_on"), case_key, fields, by, entry)

    def contact(self, row: Row) -> Change | None:
        found = read_contact(row, self._settings)
        account = {"account_id": found.account_id} if found.account_id != found.contact_id else {}
        fields = {**account, "name": found.name, "identities": list(found.identities)}
        return None if self._is_ours(row) else Change("contact", found.contact_id, time_of(row), fields=fields, by=text_of(row, "sys_updated_by"))

    def account(self, row: Row) -> Change | None:
        tier = self._settings.tier(text_of(row, self._settings.fact_fields.get("tier", "")))
        fields = {"tier": tier} if tier else {}
        return None if self._is_ours(row) else Change("account", text_of(row, "sys_id"), time_of(row), fields=fields, by=text_of(row, "sys_updated_by"))

    def deleted(self, row: Row) -> Change | None:
        settings = self._settings
        entities = {settings.case_table: "case", settings.contact_table: "contact", settings.account_table: "account"}
        entity, by = entities.get(text_of(row, "tablename"), ""), text_of(row, "sys_created_by")
        return Change("deleted", text_of(row, "documentkey"), time_of(row, "sys_created_on"), fields={"entity": entity}, by=by) if entity else None

    def _is_ours(self, row: Row) -> bool:
        return bool(self._user) and text_of(row, "sys_updated_by") == self._user
