"""Rows of Dynamics as changes: which columns of which tables are read, and what a person's hand in them means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.crm import Change
from caseline.crm._schema import OUTCOMES
from caseline.crm.dynamics._accounts import Accounts
from caseline.crm.dynamics._api import Row, label_of
from caseline.crm.dynamics._records import Records, status_of
from caseline.crm.dynamics._settings import BANDS, Settings
from caseline.markup import strip_tags
from caseline.payloads import read_time

DELETED, INACTIVE = "$deletedEntity", 1
RECORDS = ("case", "contact", "account")


@dataclass(frozen=True)
class Stream:
    """A table, its key, the lookup that names the case where a row is of one (and what it is expanded by), and which rows matter."""

    table: str
    entity: str
    key: str
    columns: Sequence[str] = ()
    case: str = ""
    expand: str = ""
    condition: str = ""


STREAMS = (
    Stream("incidents", "case", "incidentid", ("statecode", "statuscode", "prioritycode", "_ownerid_value", "_masterid_value"), condition="{case_key} ne null"),
    Stream(
        "annotations", "comment", "annotationid", ("notetext", "_objectid_value", "objecttypecode"), "_objectid_value", "objectid_incident",
        "objecttypecode eq 'incident'",
    ),
    Stream(
        "emails", "answer", "activityid", ("subject", "description", "directioncode", "statecode", "_regardingobjectid_value"), "_regardingobjectid_value",
        "regardingobjectid_incident_email", "directioncode eq true and statecode eq 1",
    ),
    Stream("contacts", "contact", "contactid", ("statecode", "_masterid_value")),
    Stream("accounts", "account", "accountid", ("name", "statecode", "_masterid_value")),
)  # fmt: skip


class Reader:
    def __init__(self, records: Records, accounts: Accounts) -> None:
        self._records, self._accounts, self._settings = records, accounts, records.settings

    def columns(self, stream: Stream) -> list[str]:
        more = {
            "case": [self._settings.case_fields[name] for name in ("case_key", "band", "outcome")],
            "contact": [column for column in self._accounts.columns() if column != stream.key],
        }.get(stream.entity, [])
        every = [stream.key, "modifiedon", "_modifiedby_value", "versionnumber"]
        return self._records.optional.of(stream.table.removesuffix("s"), [*every, *stream.columns, *more])

    def condition(self, stream: Stream) -> str:
        return stream.condition.format(case_key=self._records.column("case_key"))

    def expansion(self, stream: Stream) -> str:
        return f"{stream.expand}($select={self._records.column('case_key')})" if stream.expand else ""

    def read(self, stream: Stream, row: Row, me: str, now: datetime) -> list[Change]:
        if DELETED in str(row.get("@odata.context", "")):
            return [Change("deleted", row["id"], now, fields={"entity": stream.entity})] if stream.entity in RECORDS else []
        if me and str(row.get("_ownerid_value") or "").lower() == me:
            row = {**row, "_ownerid_value": None}  # what we made and nobody has taken is nobody's
        found: list[Change] = _READERS[stream.entity](self, row, str(row.get("_modifiedby_value") or "").lower() == me)
        return found

    def _case(self, row: Row, mine: bool) -> list[Change]:
        """A priority that is not the one of our band was set by a person, whoever wrote last."""
        case_key = row.get(self._records.column("case_key"))
        if not case_key:
            return []
        if self._records.is_merged(row):
            return [self._change("merged", row, row["incidentid"], {"entity": "case", "into": row["_masterid_value"]}, case_key)]
        band = self._settings.band_of(row.get("prioritycode"), self._settings.option_name(BANDS, row.get(self._records.column("band"))))
        fields = {"band": band, **({} if mine else self._hand(row))}
        known = {name: value for name, value in fields.items() if value}
        return [self._change("case", row, row["incidentid"], known, case_key)] if known else []

    def _hand(self, row: Row) -> dict[str, Any]:
        pending = str(row.get("statuscode")) in self._settings.status_pending and row.get("statecode") == 0
        owner = str(row.get("_ownerid_value") or "").lower()
        ours = next((name for name, record in self._settings.owners.items() if owner and owner in record.lower()), None)
        return {
            "status": "pending" if pending else status_of(row), "owner": ours or (owner and label_of(row, "_ownerid_value")),
            "outcome": outcome_of(self._settings, row.get(self._settings.case_fields.get("outcome", ""))),
        }  # fmt: skip

    def _comment(self, row: Row, mine: bool) -> list[Change]:
        is_of_case = row.get("objecttypecode") == "incident" and row.get("_objectid_value")
        return [] if mine or not is_of_case else self._spoken(row, STREAMS[1], _plain(str(row.get("notetext") or "")), public=False)

    def _answer(self, row: Row, mine: bool) -> list[Change]:
        is_sent = row.get("directioncode") is True and row.get("statecode") == 1 and row.get("_regardingobjectid_value")
        return self._spoken(row, STREAMS[2], strip_tags(str(row.get("description") or row.get("subject") or "")), public=True) if is_sent and not mine else []

    def _spoken(self, row: Row, stream: Stream, text: str, public: bool) -> list[Change]:
        """Of a case of ours; change tracking does not tell whose it is, and then the case's id must do."""
        case = row.get(stream.expand)
        case_key = str((case or {}).get(self._records.column("case_key")) or "")
        if stream.expand in row and not case_key:
            return []
        return [self._change("comment", row, row[stream.case], {"comment_id": row[stream.key], "text": text, "public": public}, case_key)] if text else []

    def _contact(self, row: Row, mine: bool) -> list[Change]:
        if merged := self._merged(row, "contact", row["contactid"]):
            return merged
        contact = self._accounts.contact(row)
        fields = {"account_id": row.get("_parentcustomerid_value") or "", "name": contact.name, "identities": list(contact.identities)}
        return [] if mine else [self._change("contact", row, row["contactid"], {name: value for name, value in fields.items() if value})]

    def _account(self, row: Row, mine: bool) -> list[Change]:
        """Which fact changed is not told: it is looked up."""
        return self._merged(row, "account", row["accountid"]) or ([] if mine else [self._change("account", row, row["accountid"], {})])

    def _merged(self, row: Row, entity: str, crm_id: str) -> list[Change]:
        if row.get("statecode") != INACTIVE or not row.get("_masterid_value"):
            return []
        return [self._change("merged", row, crm_id, {"entity": entity, "into": row["_masterid_value"]})]

    def _change(self, kind: str, row: Row, crm_id: str, fields: dict[str, Any], case_key: str = "") -> Change:
        by, event_id = str(label_of(row, "_modifiedby_value") or ""), f"{crm_id}@{row.get('versionnumber')}"
        return Change(kind, crm_id, read_time(row["modifiedon"]), case_key, fields, by, event_id)


def _plain(text: str) -> str:
    """Notes written in the timeline of today are HTML, older ones and those of programs are not."""
    return strip_tags(text) if text.startswith("<") and text.rstrip().endswith(">") else text


def outcome_of(settings: Settings, value: Any) -> str | None:
    return settings.option_name(OUTCOMES, value)


_READERS: dict[str, Any] = {
    "case": Reader._case, "comment": Reader._comment, "answer": Reader._answer, "contact": Reader._contact, "account": Reader._account,
}  # fmt: skip
