"""What people did in Salesforce, read by time and id; and all cases of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from caseline.crm import CLOSED, OPEN, Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._optional import OptionalFields
from caseline.crm.salesforce._api import Api, Composed, Record, query_part
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote, quote_time
from caseline.errors import CrmRejectedError
from caseline.identity import normalise_identities
from caseline.payloads import read_time

PAGE, LISTED, ROUNDS = 200, 1_000, 20
QUERIES = 5  # that one composite call takes
COMMON = ("Id", "SystemModstamp", "LastModifiedById", "IsDeleted")


@dataclass(frozen=True)
class Feed:
    """An object that is read: its columns, a condition on it, and how a row is told."""

    columns: Sequence[str]
    tell: Callable[[Record], Change | None]
    where: str = ""


class Changes:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._optional, self._clock = api, settings, optional, clock
        self._overlap = timedelta(seconds=settings.overlap)
        self._key = settings.case_fields["case_key"]
        self._feeds = {"Case": self._cases(), "Contact": self._contacts(), "Account": self._accounts(), **self._replies()}

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """Page by page until there is something to tell or all is read."""
        positions = self._positions(cursor)
        if not cursor:
            return [], _dump(positions)
        for _ in range(ROUNDS):
            changes, positions, more = self._optional.attempt(lambda at=positions: self._page(at))  # type: ignore[misc]
            if changes or not more:
                break
        return sorted(changes, key=lambda change: change.at), _dump(positions)

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        rows = self._optional.attempt(lambda: self._api.query(self._listing(cursor)), [f"Case.{self._key}"])
        return [self._standing(row) for row in rows], rows[-1]["Id"] if len(rows) == LISTED else ""

    def _positions(self, cursor: str) -> dict[str, Position]:
        """An object that was not read so far begins now."""
        try:
            known = {name: Position.from_json(each) for name, each in json.loads(cursor or "{}").items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CrmRejectedError("Salesforce: the cursor is not one of ours", "cursor") from None
        now = self._clock().replace(microsecond=0)
        return {name: known.get(name) or Position.begin(now) for name in self._feeds}

    def _page(self, positions: Mapping[str, Position]) -> tuple[list[Change], dict[str, Position], bool]:
        """One page of each object, five objects in a call. Whether there is more."""
        changes, after, more = list[Change](), dict(positions), False
        names = [name for name in self._feeds if self._optional.has(name)]
        for start in range(0, len(names), QUERIES):
            asked = names[start : start + QUERIES]
            composed = self._api.compose([query_part(name, self._query(name, positions[name]), deleted=True) for name in asked])
            for name in asked:
                told, after[name], is_full = self._take(composed, name, positions[name])
                changes, more = [*changes, *told], more or is_full
        return changes, after, more

    def _take(self, composed: Composed, name: str, position: Position) -> tuple[list[Change], Position, bool]:
        rows = composed.records(name)
        is_full = len(rows) == PAGE
        fresh, after = position.take(rows, lambda row: (_time(row), row["Id"]), is_full, self._overlap)
        return [change for row in fresh if (change := self._told(name, row))], after, is_full

    def _query(self, name: str, position: Position) -> str:
        feed, at = self._feeds[name], quote_time(position.at)
        after = f"(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > {quote(position.row_id)}))" if position.row_id else f"SystemModstamp >= {at}"
        columns = [column for column in dict.fromkeys([*COMMON, *feed.columns]) if column and self._exists(name, column)]
        where = f"{feed.where} AND {after}" if feed.where else after
        return f"SELECT {', '.join(columns)} FROM {name} WHERE {where} ORDER BY SystemModstamp, Id LIMIT {PAGE}"  # noqa: S608

    def _exists(self, name: str, column: str) -> bool:
        parent, _, field = column.rpartition(".")
        return self._optional.has("Case" if parent == "Parent" else name, field if parent == "Parent" else column)

    # Rows as changes.

    def _told(self, name: str, row: Record) -> Change | None:
        """Deletions are people's always; of what else we wrote ourselves only what is not as we left it."""
        if row.get("IsDeleted"):
            return _deleted(name, row, self._key) if name in ("Case", "Contact", "Account") else None
        return self._feeds[name].tell(row)

    def _is_own(self, row: Record) -> bool:
        return bool(self._api.user_id) and str(row.get("LastModifiedById") or "")[:15] == self._api.user_id[:15]

    def _cases(self) -> Feed:
        fields = [self._settings.case_fields[name] for name in ("case_key", "band", "queue", "outcome")]
        return Feed(["Status", "Priority", "IsClosed", "OwnerId", "Owner.Name", "MasterRecordId", *fields], self._tell_case, f"{self._key} != null")

    def _tell_case(self, row: Record) -> Change | None:
        own, outcome = self._is_own(row), row.get(self._settings.case_fields["outcome"])
        fields = {**self._set_by_people(row)}
        if not own:
            fields |= {"status": self._settings.status(str(row.get("Status")), bool(row.get("IsClosed")))}
            fields |= {"outcome": outcome} if outcome else {}
        return Change("case", row["Id"], _time(row), str(row.get(self._key) or ""), fields, _by(row)) if fields else None

    def _set_by_people(self, row: Record) -> dict[str, Any]:
        """Priority and owner where they differ from what our own fields say that we set."""
        fields, settings = dict[str, Any](), self._settings
        ours, priority = row.get(settings.case_fields["band"]), str(row.get("Priority") or "")
        if ours and priority != settings.priority(ours) and (band := settings.band(priority)):
            fields["band"] = band
        owner, routed = str(row.get("OwnerId") or ""), str(row.get(settings.case_fields["queue"]) or "")
        queue = next((name for name, key in settings.queues.items() if key and owner.startswith(key[:15])), "")
        if queue and queue != routed:
            fields["queue"] = queue
        if owner.startswith("005") and owner[:15] not in {self._api.user_id[:15], *(key[:15] for key in settings.owners.values() if self._is_own(row))}:
            fields["owner"] = self._owner_name(row, owner)
        return fields

    def _owner_name(self, row: Record, owner: str) -> str:
        named = next((name for name, key in self._settings.owners.items() if key and owner.startswith(key[:15])), "")
        return named or str((row.get("Owner") or {}).get("Name") or owner)

    def _contacts(self) -> Feed:
        return Feed(["Name", "AccountId", "Email", "Phone", "MobilePhone", "MasterRecordId", self._settings.handles_field], self._tell_contact)

    def _tell_contact(self, row: Record) -> Change | None:
        if self._is_own(row):
            return None
        texts = [f"email:{row.get('Email')}", f"phone:{row.get('Phone')}", f"phone:{row.get('MobilePhone')}"]
        identities = normalise_identities([*texts, *str(row.get(self._settings.handles_field) or "").split(";")])
        fields = {"account_id": row.get("AccountId") or "", "name": row.get("Name") or "", "identities": list(identities)}
        return Change("contact", row["Id"], _time(row), fields=fields, by=_by(row))

    def _accounts(self) -> Feed:
        return Feed(["Name", "MasterRecordId", self._settings.account_fields["tier"]], self._tell_account)

    def _tell_account(self, row: Record) -> Change | None:
        if self._is_own(row):
            return None
        tier = self._settings.tier(str(row.get(self._settings.account_fields["tier"]) or ""))
        return Change("account", row["Id"], _time(row), fields={"tier": tier} if tier else {}, by=_by(row))

    def _replies(self) -> dict[str, Feed]:
        key = f"Parent.{self._key}"
        known = {
            "CaseComment": Feed(["ParentId", "CommentBody", "IsPublished", key], self._tell_reply("CommentBody"), f"{key} != null"),
            "EmailMessage": Feed(["ParentId", "TextBody", key], self._tell_reply("TextBody"), f"Incoming = false AND {key} != null"),
            "FeedItem": Feed(["ParentId", "Body", "Visibility"], self._tell_reply("Body"), "Type = 'TextPost'"),
        }
        return {name: known[name] for name in self._settings.replies if name in known}

    def _tell_reply(self, column: str) -> Callable[[Record], Change | None]:
        """An e-mail that went out is one that the customer sees; a post is where its visibility says so."""

        def tell(row: Record) -> Change | None:
            if self._is_own(row) or not is_id(str(row.get("ParentId") or ""), "500") or not row.get(column):
                return None
            public = row["IsPublished"] if "IsPublished" in row else row.get("Visibility", "AllUsers") == "AllUsers"
            fields = {"comment_id": row["Id"], "text": row[column], "public": bool(public)}
            case_key = str((row.get("Parent") or {}).get(self._key) or "")
            return Change("comment", row["ParentId"], _time(row), case_key, fields, _by(row), row["Id"])

        return tell

    # All cases.

    def _listing(self, cursor: str) -> str:
        columns = self._optional.of("Case", ["Id", "IsClosed", *(self._settings.case_fields[name] for name in ("case_key", "band", "version"))])
        after = f" AND Id > {quote(cursor)}" if is_id(cursor) else ""
        return f"SELECT {', '.join(columns)} FROM Case WHERE {self._key} != null{after} ORDER BY Id LIMIT {LISTED}"  # noqa: S608

    def _standing(self, row: Record) -> StandingCase:
        version = row.get(self._settings.case_fields["version"])
        band = row.get(self._settings.case_fields["band"])
        return StandingCase(row["Id"], row[self._key], CLOSED if row.get("IsClosed") else OPEN, band, None if version is None else int(version))


def _deleted(name: str, row: Record, key: str) -> Change:
    into, case_key = str(row.get("MasterRecordId") or ""), str(row.get(key) or "")
    fields = {"entity": name.lower(), **({"into": into} if into else {})}
    return Change("merged" if into else "deleted", row["Id"], _time(row), case_key, fields, _by(row))


def _time(row: Record) -> datetime:
    return read_time(str(row.get("SystemModstamp")))


def _by(row: Record) -> str:
    return str(row.get("LastModifiedById") or "")


def _dump(positions: Mapping[str, Position]) -> str:
    return json.dumps({name: position.to_json() for name, position in positions.items()}, separators=(",", ":"))
