"""Cases in Salesforce: upsert by external id, never over a newer version, never over what people set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote as url_quote

from caseline.crm import CaseRecord, SavedCase
from caseline.crm._text import fit_text
from caseline.crm.salesforce._api import Api, Record
from caseline.crm.salesforce._errors import RuleError
from caseline.crm.salesforce._fields import OptionalFields
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import quote
from caseline.errors import CrmConflictError, CrmRejectedError, CrmUnavailableError

# The integration user's own words in a comment, so that a repeated note is known.
MARK = "[cx:{note_id}]"
COMMENT_LIMIT, COMMENTS_READ = 4_000, 1_000
QUEUE_PREFIX = "00G"


class Cases:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, base_url: str) -> None:
        self._api, self._settings, self._optional, self._base_url = api, settings, optional, base_url

    def save(self, record: CaseRecord) -> SavedCase:
        standing = self._read(record.case_key)
        if standing and self._version(standing) >= record.version:
            return self._saved(standing, created=False)
        try:
            created = self._optional.attempt(lambda: self._upsert_again(record, standing), self._required())
        except RuleError:
            # The org's rule that the version never falls is the last word when two savers race.
            current = self._read(record.case_key)
            if current is None or self._version(current) <= record.version:
                raise
            return self._saved(current, created=False)
        return self._saved(standing or self._require(record.case_key), created)

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Comments cannot be searched by their text: the case's own are read and their marks compared."""
        mark = MARK.format(note_id=note_id)
        rows = self._api.query(f"SELECT Id, CommentBody FROM CaseComment WHERE ParentId = {quote(crm_id)} ORDER BY CreatedDate DESC LIMIT {COMMENTS_READ}")  # noqa: S608
        if any(mark in str(row.get("CommentBody")) for row in rows):
            return
        body = f"{fit_text(text, COMMENT_LIMIT - len(mark) - 1)}\n{mark}"
        self._api.call("POST", "/sobjects/CaseComment", body={"ParentId": crm_id, "CommentBody": body, "IsPublished": False})

    def _read(self, case_key: str) -> Record | None:
        rows = self._optional.attempt(lambda: self._api.query(self._select(case_key)), self._required())
        if len(rows) > 1:
            raise CrmRejectedError("several cases have the same key; make the field Unique", self._case_field("case_key"))
        return rows[0] if rows else None

    def _require(self, case_key: str) -> Record:
        found = self._read(case_key)
        if found is None:
            raise CrmUnavailableError("Salesforce does not show the case it has just saved")
        return found

    def _select(self, case_key: str) -> str:
        ours = [self._case_field("version"), self._case_field("band")]
        columns = self._optional.of("Case", ["Id", "CaseNumber", "Priority", "OwnerId", "IsClosed", *ours])
        return f"SELECT {', '.join(columns)} FROM Case WHERE {self._case_field('case_key')} = {quote(case_key)} LIMIT 2"  # noqa: S608

    def _upsert_again(self, record: CaseRecord, standing: Record | None) -> bool:
        """Who loses the race to create is told DUPLICATE_VALUE; the same call then updates the winner's case."""
        try:
            return self._upsert(record, standing)
        except CrmConflictError as error:
            if "DUPLICATE_VALUE" not in str(error):
                raise
            return self._upsert(record, self._read(record.case_key))

    def _upsert(self, record: CaseRecord, standing: Record | None) -> bool:
        """Whether it was created. A newer version that came in between is left alone by the org's validation rule."""
        if standing and self._version(standing) >= record.version:
            return False
        path = f"/sobjects/Case/{self._case_field('case_key')}/{url_quote(record.case_key, safe='')}"
        answer = self._api.call("PATCH", path, body=self._body(record, standing), headers=self._headers(record), fine=(200, 201, 204, 300))
        if answer.status == 300:
            raise CrmRejectedError("several cases have the same key; make the field Unique", self._case_field("case_key"))
        return answer.status == 201

    def _headers(self, record: CaseRecord) -> dict[str, str]:
        """Assignment rules would take a case away from the queue it was routed to."""
        assign = {"Sforce-Auto-Assign": "FALSE"} if record.queue in self._settings.queues else {}
        return {**assign, "Sforce-Duplicate-Rule-Header": f"allowSave={str(self._settings.allow_duplicates).lower()}"}

    def _body(self, record: CaseRecord, standing: Record | None) -> dict[str, Any]:
        ours = {self._case_field(name): value for name, value in _our_values(record).items()}
        shared = self._update_values(record, standing) if standing else self._create_values(record)
        names = self._optional.of("Case", [*ours, *shared])
        return {name: {**ours, **shared}[name] for name in names}

    def _create_values(self, record: CaseRecord) -> dict[str, Any]:
        status = self._settings.status_closed if record.status == "closed" else self._settings.status_new
        values = {"Subject": fit_text(record.subject, 255), "Priority": self._priority(record.band), "Status": status, "Origin": self._settings.origin}
        links = {"AccountId": (record.account_id, "001"), "ContactId": (record.contact_id, "003")}
        found = {name: value for name, (value, prefix) in links.items() if value.startswith(prefix)}
        return {**values, **found, **self._owner(record)}

    def _update_values(self, record: CaseRecord, standing: Record) -> dict[str, Any]:
        """Priority moves only while it is what we set, the owner only while the case waits in a queue; status only to closed."""
        values: dict[str, Any] = {}
        band = standing.get(self._case_field("band"))
        if band is None or standing.get("Priority") == self._priority(band):
            values["Priority"] = self._priority(record.band)
        if str(standing.get("OwnerId", "")).startswith(QUEUE_PREFIX):
            values |= self._owner(record)
        if record.status == "closed" and not standing.get("IsClosed"):
            values["Status"] = self._settings.status_closed
        return values

    def _owner(self, record: CaseRecord) -> dict[str, str]:
        queue = self._settings.queues.get(record.queue)
        return {"OwnerId": queue} if queue else {}

    def _priority(self, band: str) -> str:
        return self._settings.priorities.get(band, "Medium")

    def _version(self, standing: Mapping[str, Any]) -> float:
        return float(standing.get(self._case_field("version")) or -1)

    def _case_field(self, name: str) -> str:
        return self._settings.case_fields[name]

    def _required(self) -> list[str]:
        return [f"Case.{self._case_field('case_key')}"]

    def _saved(self, standing: Record, created: bool) -> SavedCase:
        crm_id = standing["Id"]
        return SavedCase(crm_id, str(standing.get("CaseNumber") or ""), f"{self._base_url}/lightning/r/Case/{crm_id}/view", created)


def _our_values(record: CaseRecord) -> dict[str, Any]:
    """By the setting's name. A url field takes 255 characters, the reasons are a long text area of 32,768."""
    return {
        "version": record.version,
        "score": record.score,
        "band": record.band,
        "reasons": fit_text("\n".join(record.reasons), 32_000),
        "headline": fit_text(record.headline, 255),
        "category": fit_text(record.category, 255),
        "link": record.url if len(record.url) <= 255 else "",
    }
