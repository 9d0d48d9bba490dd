"""The objects of Salesforce that are read for changes, and how a row of each is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.crm import AUTOMATIC, Change
from caseline.crm.salesforce._api import Record
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id
from caseline.identity import normalise_identities
from caseline.payloads import read_time

USER_PREFIX = "005"
DRAFT = "5"  # of an e-mail that somebody writes and has not sent
OUTSIDE = frozenset("customersuccess powercustomersuccess csplite cspliteportal guest selfservice".split())  # users of a site, not of the company
COMMON = ("Id", "SystemModstamp", "LastModifiedById", "IsDeleted")
KEPT = {"Case": "case", "Contact": "contact", "Account": "account"}


@dataclass(frozen=True)
class Feed:
    """An object that is read: its columns, a condition on it, and how a row is told."""

    columns: Sequence[str]
    tell: Callable[[Record], Change | None]
    where: str = ""


class Feeds:
    """`user` is our own id, "" while it is not known."""

    def __init__(self, settings: Settings, user: Callable[[], str]) -> None:
        self._settings, self._user, self._key = settings, user, settings.case_fields["case_key"]
        self.by_name = {"Case": self._cases(), "Contact": self._contacts(), "Account": self._accounts(), **self._replies()}

    def tell(self, name: str, row: Record) -> Change | None:
        """Deletions are people's always; of what else we wrote ourselves only what is not as we left it."""
        if row.get("IsDeleted"):
            return _deleted(KEPT[name], row, self._key) if name in KEPT else None
        return self.by_name[name].tell(row)

    def _is_own(self, row: Record) -> bool:
        return bool(self._user()) and _by(row)[:15] == self._user()[:15]

    def _cases(self) -> Feed:
        fields = [self._settings.case_fields[name] for name in ("case_key", "band", "queue", "outcome")]
        return Feed(["Status", "Priority", "IsClosed", "OwnerId", "Owner.Name", "MasterRecordId", *fields], self._tell_case, f"{self._key} != null")

    def _tell_case(self, row: Record) -> Change | None:
        own, outcome = self._is_own(row), row.get(self._settings.case_fields["outcome"])
        fields = {**self._set_by_people(row)}
        if not own:
            fields |= {"status": self._settings.status(str(row.get("Status")), bool(row.get("IsClosed")))}
            fields |= {"outcome": outcome} if outcome else {}
        return Change("case", row["Id"], row_time(row), str(row.get(self._key) or ""), fields, _by(row)) if fields else None

    def _set_by_people(self, row: Record) -> dict[str, Any]:
        """Priority and owner where they differ from what our own fields say that we set."""
        fields, settings = dict[str, Any](), self._settings
        ours, priority = row.get(settings.case_fields["band"]), str(row.get("Priority") or "")
        if ours and priority != settings.priority(ours) and (band := settings.band(priority) if priority else AUTOMATIC):
            fields["band"] = band
        owner, routed = str(row.get("OwnerId") or ""), str(row.get(settings.case_fields["queue"]) or "")
        queue = next((name for name, key in settings.queues.items() if key and owner.startswith(key[:15])), "")
        if queue and queue != routed:
            fields["queue"] = queue
        if owner.startswith(USER_PREFIX) and not self._gave_it(row, owner):
            fields["owner"] = self._owner_name(row, owner)
        return fields

    def _gave_it(self, row: Record, owner: str) -> bool:
        """Whether it is ours, or belongs to whom we gave it."""
        known = [self._user(), *(self._settings.owners.values() if self._is_own(row) else ())]
        return owner[:15] in {key[:15] for key in known}

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
        return Change("contact", row["Id"], row_time(row), fields=fields, by=_by(row))

    def _accounts(self) -> Feed:
        return Feed(["Name", "MasterRecordId", self._settings.account_fields["tier"]], self._tell_account)

    def _tell_account(self, row: Record) -> Change | None:
        if self._is_own(row):
            return None
        tier = self._settings.tier(str(row.get(self._settings.account_fields["tier"]) or ""))
        return Change("account", row["Id"], row_time(row), fields={"tier": tier} if tier else {}, by=_by(row))

    def _replies(self) -> dict[str, Feed]:
        key = f"Parent.{self._key}"
        known = {
            "CaseComment": Feed(["ParentId", "CommentBody", "IsPublished", "CreatedBy.UserType", key], self._tell_reply("CommentBody"), f"{key} != null"),
            "EmailMessage": Feed(["ParentId", "TextBody", key], self._tell_reply("TextBody"), f"Incoming = false AND Status != '{DRAFT}' AND {key} != null"),
            "FeedItem": Feed(["ParentId", "Body", "Visibility", "CreatedBy.UserType"], self._tell_reply("Body"), "Type = 'TextPost'"),
        }
        return {name: known[name] for name in self._settings.replies if name in known}

    def _tell_reply(self, column: str) -> Callable[[Record], Change | None]:
        """An e-mail that went out is one that the customer sees; a post is where its visibility says so. What customers write in a site is no answer."""

        def tell(row: Record) -> Change | None:
            if self._is_own(row) or not is_id(str(row.get("ParentId") or ""), "500") or not row.get(column):
                return None
            public = row["IsPublished"] if "IsPublished" in row else row.get("Visibility", "AllUsers") == "AllUsers"
            is_ours = str((row.get("CreatedBy") or {}).get("UserType") or "").casefold() not in OUTSIDE
            fields = {"comment_id": row["Id"], "text": row[column], "public": bool(public) and is_ours}
            case_key = str((row.get("Parent") or {}).get(self._key) or "")
            return Change("comment", row["ParentId"], row_time(row), case_key, fields, _by(row), row["Id"])

        return tell


def _deleted(entity: str, row: Record, key: str) -> Change:
    into, case_key = str(row.get("MasterRecordId") or ""), str(row.get(key) or "")
    fields = {"entity": entity, **({"into": into} if into else {})}
    return Change("merged" if into else "deleted", row["Id"], row_time(row), case_key, fields, _by(row))


def row_time(row: Record) -> datetime:
    return read_time(str(row.get("SystemModstamp")))


def _by(row: Record) -> str:
    return str(row.get("LastModifiedById") or "")
