"""What Fusion's records say in Caseline's words. Rows come from the API and from webhooks: nothing heavy here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from caseline.crm import Change
from caseline.crm._match import Contact, stored_phone
from caseline.crm.oracle._settings import Settings
from caseline.identity import normalise_identities
from caseline.markup import strip_tags

Row = Mapping[str, Any]
CASES, CONTACTS, ACCOUNTS = "serviceRequests", "contacts", "accounts"
KEYS = {CASES: "SrId", CONTACTS: "PartyId", ACCOUNTS: "PartyId"}
SEVERITY, STATUS, OWNER, QUEUE = "SeverityCd", "StatusCd", "AssigneeResourceId", "QueueId"
STAMP = ("LastUpdateDate", "LastUpdatedBy")
MESSAGE = ("MessageId", "CreationDate", "CreatedBy", "MessageTypeCd")


def text_of(row: Row, name: str) -> str:
    """A value as text, "" for none."""
    value = row.get(name) if name else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def time_of(row: Row, name: str = "LastUpdateDate") -> datetime:
    """UTC. ValueError where there is none."""
    moment = datetime.fromisoformat(text_of(row, name))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def case_columns(settings: Settings) -> list[str]:
    ours = (settings.case_fields[name] for name in ("case_key", "version", "band", "queue", "outcome", "notes"))
    return [name for name in ("SrId", "SrNumber", SEVERITY, STATUS, OWNER, QUEUE, *STAMP, *ours) if name]


def contact_columns(settings: Settings) -> list[str]:
    names = ("PartyId", "PartyNumber", "ContactName", "AccountPartyId", "EmailAddress", *settings.phone_fields, settings.handles_field, *STAMP)
    return [name for name in names if name]


def account_columns(settings: Settings) -> list[str]:
    return [name for name in ("PartyId", "PartyNumber", *STAMP, *settings.fact_fields.values()) if name]


def own_fields(settings: Settings) -> dict[str, Sequence[str]]:
    """Of each resource the fields that Oracle itself does not have."""
    facts = [name for name in settings.fact_fields.values() if name.endswith("_c")]
    return {
        CASES: [*settings.case_fields.values()], ACCOUNTS: [*settings.account_profile.values(), *facts],
        CONTACTS: [*settings.contact_profile.values(), settings.handles_field, settings.customer_key_field],
    }  # fmt: skip


def read_contact(row: Row, settings: Settings) -> Contact:
    """A contact without account stands for itself."""
    phones = [stored_phone(text_of(row, name), settings.phone_country_code) for name in settings.phone_fields]
    identities = [f"email:{text_of(row, 'EmailAddress')}", *phones, *text_of(row, settings.handles_field).split(";")]
    contact_id = text_of(row, "PartyId")
    return Contact(contact_id, text_of(row, "AccountPartyId") or contact_id, text_of(row, "ContactName"), normalise_identities(identities))


class Teller:
    """Rows as changes. `user` is our own, whose writes are no news."""

    def __init__(self, settings: Settings, user: str) -> None:
        self.settings = self._settings = settings
        self._user = user

    def case(self, row: Row) -> Change | None:
        """What we wrote last tells only what differs from what we set: a person did that just before us."""
        fields = self._differences(row)
        if not self.is_ours(row, "LastUpdatedBy"):
            outcome = text_of(row, self._settings.case_fields["outcome"])
            fields |= {"status": self._settings.status(text_of(row, STATUS)), **({"outcome": outcome} if outcome else {})}
        key = text_of(row, self._settings.case_fields["case_key"])
        return Change("case", text_of(row, "SrNumber"), time_of(row), key, fields, text_of(row, "LastUpdatedBy")) if fields else None

    def _differences(self, row: Row) -> dict[str, Any]:
        band, owner = text_of(row, self._settings.case_fields["band"]), text_of(row, OWNER)
        return dict(self._settings.differences(text_of(row, SEVERITY), band, owner))

    def comment(self, row: Row, crm_id: str, case_key: str, text: str) -> Change:
        entry, kind = text_of(row, "MessageId"), text_of(row, "MessageTypeCd")
        words = strip_tags(text) if kind in self._settings.html_messages else text
        fields = {"comment_id": entry, "text": words, "public": kind == self._settings.messages["public"]}
        return Change("comment", crm_id, time_of(row, "CreationDate"), case_key, fields, text_of(row, "CreatedBy"), entry)

    def contact(self, row: Row) -> Change | None:
        found = read_contact(row, self._settings)
        account = {"account_id": found.account_id} if found.account_id != found.contact_id else {}
        return self._party("contact", row, {**account, "name": found.name, "identities": list(found.identities)})

    def account(self, row: Row) -> Change | None:
        tier = self._settings.tier(text_of(row, self._settings.fact_fields.get("tier", "")))
        return self._party("account", row, {"tier": tier} if tier else {})

    def _party(self, kind: str, row: Row, fields: Mapping[str, Any]) -> Change | None:
        if self.is_ours(row, "LastUpdatedBy"):
            return None
        return Change(kind, text_of(row, "PartyId"), time_of(row), fields=fields, by=text_of(row, "LastUpdatedBy"))

    def is_ours(self, row: Row, by: str) -> bool:
        return bool(self._user) and text_of(row, by).casefold() == self._user.casefold()
