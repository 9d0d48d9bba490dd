"""What people did in BottleCRM, by polling its feeds of activities: one of tickets, one of contacts, one of accounts.

A feed shows its newest fifty and pages no further. Where more happened since the last reading, all open tickets of ours and those closed lately are looked
through, each by its own feed, a page at a time; contacts and accounts that such a flood hid are read anew when their value is too old.

Told: priority, status, assignee and outcome of our tickets, comments, merges, deletions; identities and account of contacts; that an account changed.
Not told: an outcome that is set without closing the ticket, as BottleCRM notes no change of custom fields; deals, which change their account's value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from caseline.crm import CLOSED, Change, StandingCase
from caseline.crm._keyset import Position
from caseline.crm._marks import MARK
from caseline.crm.bottlecrm._api import Api, Row, custom_of, is_id, object_in, rows_in, text_of
from caseline.crm.bottlecrm._cases import PAGE, CaseStore
from caseline.crm.bottlecrm._contacts import read_contact
from caseline.crm.bottlecrm._me import Me
from caseline.crm.bottlecrm._settings import Settings
from caseline.signals import isoformat, parse_time

TICKETS, CONTACTS, ACCOUNTS = "Case", "Contact", "Account"
FEED, OWN_FEED, SWEEP = 50, 200, 50
GONE, DUPLICATE = "DELETE", "Duplicate"  # which a ticket becomes by merging alone


@dataclass(frozen=True)
class Act:
    """One activity: of which record, when, by whom, and what."""

    act_id: str
    record_id: str
    at: datetime
    author: str
    action: str
    by: str

    @property
    def row(self) -> dict[str, str]:
        return {"id": self.act_id, "at": isoformat(self.at)}


class Changes:
    def __init__(self, api: Api, settings: Settings, cases: CaseStore, me: Me, clock: Callable[[], datetime]) -> None:
        self._api, self._settings, self._cases, self._me, self._clock = api, settings, cases, me, clock
        self._overlap = timedelta(seconds=settings.overlap_seconds)
        self._tell: Mapping[str, Callable[[str, Sequence[Act]], Iterator[Change]]] = {
            TICKETS: self._told_of_ticket, CONTACTS: self._told_of_contact, ACCOUNTS: self._told_of_account,
        }  # fmt: skip

    def read(self, cursor: str) -> tuple[list[Change], str]:
        """What the feeds have, and if they hide something a part of the search for it; goes on until there is something to tell or all is read."""
        kept = json.loads(cursor) if cursor else {}
        places = {name: Position.from_json(kept[name]) if name in kept else Position.begin(self._clock()) for name in self._tell}
        sweep, changes = kept.get("sweep"), list[Change]()
        for name in places if cursor else ():
            acts, is_cut = self._feed(name, places[name])
            if is_cut and name == TICKETS:
                sweep = {"since": isoformat(places[name].newest), "at": 0}
            fresh, places[name] = self._take(places[name], acts)
            changes += self._told(name, fresh)
        while sweep and not changes:
            fresh, sweep, places[TICKETS] = self._search(sweep, places[TICKETS])
            changes += self._told(TICKETS, fresh)
        following = {**{name: place.to_json() for name, place in places.items()}, **({"sweep": sweep} if sweep else {})}
        return sorted(changes, key=lambda change: change.at), json.dumps(following, separators=(",", ":"))

    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]:
        """By the time they were made, so that what is made meanwhile comes last."""
        offset = int(cursor or 0)
        rows, is_more = self._cases.page(offset)
        return [self._cases.as_listed(row) for row in rows if self._cases.key_in(row)], str(offset + PAGE) if is_more else ""

    # Reading.
    def _feed(self, name: str, place: Position) -> tuple[list[Act], bool]:
        """The newest, the oldest of them first, and whether some since our last reading are not among them."""
        rows = rows_in(self._api.get("activities", limit=FEED, entity_type=name), "activities")
        acts = sorted((_read(row, "timestamp") for row in rows), key=lambda act: (act.at, act.act_id))
        return [act for act in acts if act.at >= place.at], len(acts) == FEED and acts[0].at >= place.newest

    def _take(self, place: Position, acts: Sequence[Act]) -> tuple[list[Act], Position]:
        known = {act.act_id: act for act in acts}
        fresh, following = place.take([act.row for act in acts], lambda row: (parse_time(row["at"]), row["id"]), False, self._overlap)
        return sorted((known[row["id"]] for row in fresh), key=lambda act: act.at), following

    def _search(self, sweep: Mapping[str, Any], place: Position) -> tuple[list[Act], dict[str, Any] | None, Position]:
        """One page of tickets, each asked what happened to it since."""
        since, at = parse_time(sweep["since"]), int(sweep["at"])
        rows, is_more = self._cases.page(at, SWEEP)
        acts = [act for row in rows if self._may_have_moved(row, since) for act in self._feed_of(text_of(row, "id")) if act.at >= since]
        fresh, following = self._take(place, acts)
        return fresh, {**sweep, "at": at + SWEEP} if is_more else None, following

    def _may_have_moved(self, row: Row, since: datetime) -> bool:
        """A ticket that was closed days before has not been touched since, as far as anybody has to know."""
        closed_on = text_of(row, "closed_on")
        return bool(self._cases.key_in(row)) and (not closed_on or date.fromisoformat(closed_on[:10]) >= since.date() - timedelta(days=1))

    def _feed_of(self, crm_id: str) -> list[Act]:
        return [_read(row, "created_at") for row in self._rows_of(crm_id)]

    def _rows_of(self, crm_id: str) -> list[Row]:
        """All of them: pages of a feed shift by what is written meanwhile, so one may be read twice."""
        found: dict[str, Row] = {}
        while is_id(crm_id):
            body = self._api.find(f"cases/{crm_id}/activities", limit=OWN_FEED, offset=len(found))
            page = {text_of(row, "id"): row for row in rows_in(body, "activities")} if body else {}
            if not page.keys() - found.keys():
                break
            found |= page
            if len(page) < OWN_FEED:
                break
        return list(found.values())

    # Telling.
    def _told(self, name: str, acts: Iterable[Act]) -> list[Change]:
        me, by_record = None, dict[str, list[Act]]()
        for act in acts:
            me = me or self._me.read()
            if not me.is_author(act.author):
                by_record.setdefault(act.record_id, []).append(act)
        return [change for record_id, theirs in by_record.items() for change in self._tell[name](record_id, theirs)]

    def _told_of_ticket(self, crm_id: str, acts: Sequence[Act]) -> Iterator[Change]:
        """One that is gone for good no longer says whose it was."""
        body = self._cases.as_it_is(crm_id)
        row = object_in(body, "cases_obj") if body else {}
        case_key, gone = self._cases.key_in(row), next((act for act in reversed(acts) if act.action == GONE), None)
        if gone and row.get("is_active") is not True:
            yield Change("deleted", crm_id, gone.at, case_key, {"entity": "case"}, gone.by, gone.act_id)
        elif case_key and body:
            yield from self._told_of_ours(crm_id, case_key, body, acts)

    def _told_of_ours(self, crm_id: str, case_key: str, body: Row, acts: Sequence[Act]) -> Iterator[Change]:
        said = {text_of(row, "id"): object_in(row, "metadata") for row in rows_in(body, "activities")}
        if any(act.act_id not in said for act in acts):
            said |= {text_of(row, "id"): object_in(row, "metadata") for row in self._rows_of(crm_id)}
        for act in acts:
            kind, fields = self._read_act(act, said.get(act.act_id, {}), body)
            if kind:
                yield Change(kind, crm_id, act.at, case_key, fields, act.by, act.act_id)

    def _read_act(self, act: Act, data: Row, body: Row) -> tuple[str, dict[str, Any]]:
        if act.action in ("STATUS_CHANGED", "REOPENED"):
            status = text_of(data, "after") or text_of(data, "to_status")
            return ("case", self._status(status, body)) if status != DUPLICATE else ("", {})
        if act.action == "PRIORITY_CHANGED":
            band = self._settings.band(text_of(data, "after"))
            return ("case", {"band": band}) if band else ("", {})
        if act.action == "ASSIGN":
            added = [str(each) for each in data.get("added") or ()]
            return ("case", {"owner": self._settings.owner(added[-1])}) if added else ("", {})
        if act.action == "MERGED":
            return "merged", {"entity": "case", "into": text_of(data, "merged_into")}
        return self._comment(text_of(data, "comment_id"), body) if act.action == "COMMENT" else ("", {})

    def _status(self, status: str, body: Row) -> dict[str, Any]:
        """With what the agent says of the case, once it is closed."""
        told = self._settings.status(status)
        outcome = text_of(custom_of(object_in(body, "cases_obj")), self._settings.case_fields["outcome"]) if told == CLOSED else ""
        return {"status": told, **({"outcome": outcome} if outcome else {})}

    def _comment(self, comment_id: str, body: Row) -> tuple[str, dict[str, Any]]:
        """Not what the customer said, whom BottleCRM shows as a contact."""
        listed = [row for name in ("comments", "internal_notes") for row in rows_in(body, name)]
        row = next((row for row in listed if text_of(row, "id") == comment_id), None)
        if row is None or row.get("commented_by_contact") or MARK in text_of(row, "comment"):
            return "", {}
        return "comment", {"comment_id": comment_id, "text": text_of(row, "comment"), "public": row.get("is_internal") is False}

    def _told_of_contact(self, contact_id: str, acts: Sequence[Act]) -> Iterator[Change]:
        last = acts[-1]
        body = self._api.find(f"contacts/{contact_id}") if is_id(contact_id) and last.action != GONE else None
        if body is None:
            yield Change("deleted", contact_id, last.at, fields={"entity": "contact"}, by=last.by, event_id=last.act_id)
            return
        found = read_contact(object_in(body, "contact_obj"), self._settings)
        told = {"identities": list(found.identities), "name": found.name, "account_id": found.account_id if is_id(found.account_id) else ""}
        yield Change("contact", contact_id, last.at, fields={name: value for name, value in told.items() if value}, by=last.by, event_id=last.act_id)

    def _told_of_account(self, account_id: str, acts: Sequence[Act]) -> Iterator[Change]:
        """It is looked up again when it is needed."""
        last = acts[-1]
        kind, fields = ("deleted", {"entity": "account"}) if last.action == GONE else ("account", {})
        yield Change(kind, account_id, last.at, fields=fields, by=last.by, event_id=last.act_id)


def _read(row: Row, time: str) -> Act:
    """Who did it is named in a feed, and known by address in a ticket's own."""
    user = object_in(row, "user")
    by = text_of(user, "name") or text_of(user, "email") or text_of(object_in(user, "user_details"), "email")
    return Act(text_of(row, "id"), text_of(row, "entity_id"), parse_time(text_of(row, time)), text_of(user, "id"), text_of(row, "action"), by)
