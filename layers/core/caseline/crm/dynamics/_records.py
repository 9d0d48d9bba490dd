"""What a case of ours is in Dynamics: where it stands, what of it we read, what we write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from caseline.crm import CLOSED, OPEN, CaseRecord
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.dynamics._api import Row
from caseline.crm.dynamics._odata import is_guid, keyed
from caseline.crm.dynamics._settings import BANDS, Settings
from caseline.errors import CrmRejectedError

# Ids made of our own keys: the same key is the same record, whoever sends it and how often.
NAMESPACE = UUID("6f0b3c5e-2d0a-5b7e-9c41-53a1d1f0c8aa")
READ = ("incidentid", "ticketnumber", "statecode", "statuscode", "prioritycode", "_ownerid_value", "_createdby_value", "_masterid_value")
ACTIVE = 0
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
TITLE, TEXT, LINK, REASONS, CATEGORY, QUEUE = 200, 255, 500, 32_000, 255, 80


def made_id(*parts: str) -> str:
    return str(uuid5(NAMESPACE, "/".join(parts)))


@dataclass(frozen=True)
class Records:
    settings: Settings
    optional: OptionalFields

    def column(self, name: str) -> str:
        return self.settings.case_fields[name]

    @property
    def required(self) -> list[str]:
        return [f"incident.{self.column('case_key')}"]

    def address(self, case_key: str) -> str:
        """Dataverse finds no record by a key with other signs than these."""
        if not _KEY.fullmatch(case_key):
            raise CrmRejectedError("a case key has up to 64 letters, digits and hyphens", self.column("case_key"))
        if self.settings.key == "primary":
            return f"/incidents({made_id(case_key)})"
        return keyed("incidents", self.column("case_key"), case_key)

    def columns(self) -> list[str]:
        ours = [self.column(name) for name in ("case_key", "version", "score", "band", "headline", "reasons", "category", "queue", "link")]
        return self.optional.of("incident", [*READ, *ours])

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        """Our own columns but the key, by name of column."""
        values = {
            "version": record.version, "score": record.score, "band": self.settings.option(BANDS, record.band), "headline": fit_text(record.headline, TEXT),
            "reasons": fit_text("\n".join(record.reasons), REASONS), "category": fit_text(record.category, CATEGORY), "queue": fit_text(record.queue, QUEUE),
            "link": record.url if len(record.url) <= LINK else None,
        }  # fmt: skip
        return {column: values[name] for name in values for column in self.optional.of("incident", [self.column(name)])}

    def created(self, record: CaseRecord) -> dict[str, Any]:
        """All of a new case. With an alternate key the address gives the key; a body that repeats it is refused."""
        key = {self.column("case_key"): record.case_key} if self.settings.key == "primary" else {}
        origins = self.settings.origins
        origin = next((origins[channel] for channel in record.channels if channel in origins), origins.get(""))
        title, priority = fit_text(record.subject, TITLE) or record.case_key, self.settings.priorities.get(record.band)
        native = {"title": title, "prioritycode": priority, "caseorigincode": origin}
        values = {**key, **self.ours(record), **native, **self._customer(record), **self.owner(record)}
        return {name: value for name, value in values.items() if value is not None}

    def owner(self, record: CaseRecord) -> dict[str, str]:
        owner = self.settings.owners.get(record.owner)
        return {"ownerid@odata.bind": bind(owner)} if owner else {}

    def _customer(self, record: CaseRecord) -> dict[str, str]:
        if is_guid(record.account_id):
            contact = {"primarycontactid@odata.bind": f"/contacts({record.contact_id})"} if is_guid(record.contact_id) else {}
            return {"customerid_account@odata.bind": f"/accounts({record.account_id})", **contact}
        if is_guid(record.contact_id):
            return {"customerid_contact@odata.bind": f"/contacts({record.contact_id})"}
        table = self.settings.default_customer.partition("(")[0]
        if not table:
            raise CrmRejectedError("a case needs a customer; set crm.default_customer for those whom the CRM does not know", "customerid")
        return {f"customerid_{table.removesuffix('s')}@odata.bind": bind(self.settings.default_customer)}

    def moves(self, record: CaseRecord, standing: Row) -> dict[str, Any]:
        """Priority and owner where they changed here and nobody set them there."""
        return {**self._priority(record, standing), **self._owner_move(record, standing)}

    def _priority(self, record: CaseRecord, standing: Row) -> dict[str, Any]:
        before = record.before.get("band") or self.settings.option_name(BANDS, standing.get(self.column("band")))
        priorities = self.settings.priorities
        mine = before is None or standing.get("prioritycode") == priorities.get(before)
        return {"prioritycode": priorities[record.band]} if mine and record.band in priorities and before != record.band else {}

    def _owner_move(self, record: CaseRecord, standing: Row) -> dict[str, str]:
        """An owner stands unless it is the one we set, or nobody has set one since the case was made."""
        before = record.before.get("owner", "")
        expected = guid_in(self.settings.owners.get(before, "")) or standing.get("_createdby_value")
        return self.owner(record) if before != record.owner and standing.get("_ownerid_value") == expected else {}

    def version(self, standing: Mapping[str, Any]) -> float:
        return float(standing.get(self.column("version")) or -1)

    def is_merged(self, standing: Mapping[str, Any]) -> bool:
        return bool(standing.get("_masterid_value")) and standing.get("statuscode") == self.settings.status_merged


def status_of(standing: Mapping[str, Any]) -> str:
    return OPEN if standing.get("statecode") == ACTIVE else CLOSED


def bind(record: str) -> str:
    return f"/{record}"


def guid_in(record: str) -> str:
    """Of "teams(<guid>)"."""
    return record.partition("(")[2].rstrip(")").lower()
