"""A case as it stands in Salesforce: by its id, also where it was deleted or merged, and by its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from caseline.crm import CaseRecord
from caseline.crm._optional import OptionalFields
from caseline.crm.salesforce._api import Api, Composed, Part, Record, query_part
from caseline.crm.salesforce._notes import comments_part
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote
from caseline.errors import CrmRejectedError

ASKED = ("Id", "CaseNumber", "Priority", "Status", "OwnerId", "IsClosed", "IsDeleted", "MasterRecordId")
OURS = ("case_key", "version", "band", "queue")


@dataclass(frozen=True)
class Standing:
    """The case as it stands, and its newest comments."""

    row: Record
    comments: Sequence[Record] = ()


class Standings:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields) -> None:
        self._api, self._fields, self._optional = api, settings.case_fields, optional

    def read(self, record: CaseRecord) -> Standing | None:
        return self.of(record, self._api.compose(self.looks(record)))

    def place(self, crm_id: str) -> str:
        """Where a case lives on that may have been merged; "" for one that is gone."""
        while is_id(crm_id):
            found = f"SELECT Id, IsDeleted, MasterRecordId FROM Case WHERE Id = {quote(crm_id)} LIMIT 1"
            [row] = self._api.compose([query_part("found", found, deleted=True)]).records("found") or [{"IsDeleted": True}]
            if not row.get("IsDeleted"):
                return crm_id
            crm_id = str(row.get("MasterRecordId") or "")
        return ""

    def looks(self, record: CaseRecord) -> list[Part]:
        """What is asked for it, of any composite call; the comments only where notes are to be written."""
        columns = self._optional.of("Case", [*ASKED, *(self._fields[name] for name in OURS)])
        key = f"{self._fields['case_key']} = {quote(record.case_key)}"
        whose = f"Id = {quote(record.crm_id)} OR {key}" if is_id(record.crm_id) else key
        found = query_part("found", f"SELECT {', '.join(columns)} FROM Case WHERE {whose} LIMIT 10", deleted=True)
        return [found, *([comments_part(record.crm_id, self._fields["case_key"], record.case_key)] if record.notes else [])]

    def of(self, record: CaseRecord, composed: Composed) -> Standing | None:
        """What a call with these parts answered; the survivor of a merge is read."""
        row = self._pick(record, composed.records("found"))
        if row is None:
            return None
        merged_into = str(row.get("MasterRecordId") or "")
        if merged_into and merged_into != row["Id"]:
            return self.read(replace(record, crm_id=merged_into))
        return Standing(row, composed.records("comments") if record.notes else ())

    def _pick(self, record: CaseRecord, rows: Sequence[Record]) -> Record | None:
        """The case of that id, a merged one too; else the live one of that key."""
        by_id = [row for row in rows if record.crm_id and str(row["Id"]).startswith(record.crm_id[:15])]
        if by_id and (not by_id[0].get("IsDeleted") or by_id[0].get("MasterRecordId")):
            return by_id[0]
        live = [row for row in rows if not row.get("IsDeleted") and row not in by_id]
        if len(live) > 1:
            raise CrmRejectedError("several cases have the same key; make the field Unique", self._fields["case_key"])
        return live[0] if live else None
