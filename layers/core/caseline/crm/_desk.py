"""Keeping a case as a help desk's ticket: what is set, what is left to people, and what is told once, alike in every help desk.

A desk has one field of ours that names the notes a ticket has, written together with them or right after, so that a note is told once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from caseline.crm import CLOSED, OPEN, CaseRecord, Note, SavedCase, StandingCase
from caseline.crm._erasing import take_back
from caseline.crm._marks import MARK, mark, marked
from caseline.crm._text import fit_text
from caseline.errors import CrmNotFoundError

REMEMBERED, NOTES_LIMIT, BODY_LIMIT = 400, 30_000, 20_000
NOTHING_YET = "The first words stand in the description."  # in a field of ours for those that follow, which shows that it is there
Wish = dict[str, str]


@dataclass(frozen=True)
class Ticket:
    """A ticket as it stands. `owner` and `queue` are the desk's own ids, "" for none; `is_final`: it can never be changed again; `row` is the desk's own,
    `field` as in `SavedCase`."""

    ticket_id: str
    status: str
    case_key: str = ""
    priority: str = ""
    owner: str = ""
    queue: str = ""
    band: str = ""
    routed: str = ""
    version: int | None = None
    noted: Sequence[str] = ()
    is_final: bool = False
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)
    field: str = ""

    @property
    def shown_status(self) -> str:
        return CLOSED if self.status == CLOSED else OPEN

    def as_standing(self) -> StandingCase:
        return StandingCase(self.ticket_id, self.case_key, self.shown_status, self.band or None, self.version)


class Desk(Protocol):
    """A wish has any of status (open, closed), priority, owner and queue, as the desk calls them; only what is named is set."""

    def read(self, ticket_id: str) -> Ticket | None:
        """What stands there, or what it was merged into."""

    def find(self, record: CaseRecord) -> Ticket | None:
        """By the case key, with no index that lags."""

    def create(self, record: CaseRecord, wish: Wish, follows: Ticket | None = None) -> tuple[Ticket, bool]:
        """With its notes; whether it is new. `follows` is a final ticket that it continues."""

    def refresh(self, record: CaseRecord) -> Ticket | None:
        """Our own fields, and notes that are new, without reading the ticket; None where it is gone or final."""

    def update(self, ticket: Ticket, record: CaseRecord | None, wish: Wish, notes: Sequence[Note]) -> Ticket: ...
    def erase(self, ticket: Ticket, subject: str) -> Sequence[str]:
        """Our notes, and subject and first text where a subject is given; what remains there."""

    def link(self, ticket_id: str) -> str: ...


class DeskSettings(Protocol):
    @property
    def priorities(self) -> Mapping[str, str]: ...
    @property
    def queues(self) -> Mapping[str, str]: ...
    @property
    def owners(self) -> Mapping[str, str]: ...


class Saver:
    def __init__(self, desk: Desk, settings: DeskSettings) -> None:
        self._desk, self._settings = desk, settings

    def save(self, record: CaseRecord) -> SavedCase:
        """One call for a first save and for one that changes our own fields alone; else what stands is read before."""
        if record.first and not record.crm_id:
            return self._create(record)
        if record.is_news:
            refreshed = self._desk.refresh(record)
            if refreshed:
                return self._saved(refreshed)
        standing = (self._desk.read(record.crm_id) if record.crm_id else None) or self._desk.find(record)
        return self._save_over(record, standing) if standing else self._create(record)

    def add_note(self, ticket_id: str, note_id: str, text: str) -> None:
        """An internal one."""
        standing = self._desk.read(ticket_id)
        if standing is None or standing.is_final:
            raise CrmNotFoundError("there is no such ticket that takes a note")
        if fresh := fresh_notes([Note(note_id, text)], standing):
            self._desk.update(standing, None, {}, fresh)

    def erase_notes(self, ticket_id: str, subject: str = "") -> Sequence[str]:
        """Also of a ticket that was merged: in the one that it went into."""
        standing = self._desk.read(ticket_id)
        return take_back(partial(self._desk.erase, standing), subject, standing.ticket_id != ticket_id) if standing else ()

    def _create(self, record: CaseRecord, follows: Ticket | None = None) -> SavedCase:
        ticket, is_new = self._desk.create(record, self._given(record), follows)
        return self._saved(ticket, True) if is_new else self._save_over(record, ticket)

    def _save_over(self, record: CaseRecord, standing: Ticket) -> SavedCase:
        """A newer version than what stands is written; notes that are not there yet are written in any case."""
        if standing.is_final:
            reopened = record.status == OPEN and record.before.get("status") == CLOSED
            return self._create(record, standing) if reopened else self._saved(standing)
        is_newer, notes = (-1 if standing.version is None else standing.version) < record.version, fresh_notes(record.notes, standing)
        if is_newer or notes:
            standing = self._desk.update(standing, record if is_newer else None, self._wished(record, standing) if is_newer else {}, notes)
        return self._saved(standing)

    def _given(self, record: CaseRecord) -> Wish:
        return {name: value for name, value in {"status": record.status, **self._routed(record.band, record.queue, record.owner)}.items() if value}

    def _routed(self, band: str, queue: str, owner: str) -> Wish:
        return {
            "priority": self._settings.priorities.get(band, ""), "queue": self._settings.queues.get(queue, ""), "owner": self._settings.owners.get(owner, ""),
        }  # fmt: skip

    def _wished(self, record: CaseRecord, standing: Ticket) -> Wish:
        """What people may set too moves only while it is what we set last; without `before` that is what our own fields say."""
        before = {"status": OPEN, "band": standing.band, "queue": standing.routed, "owner": "", **record.before}
        if standing.status == CLOSED and before["status"] == OPEN:
            return {}  # a person closed it
        ours, wanted = self._routed(before["band"], before["queue"], before["owner"]), self._routed(record.band, record.queue, record.owner)
        stands = {"priority": standing.priority, "queue": standing.queue, "owner": standing.owner}
        wish = {name: value for name, value in wanted.items() if value and value != stands[name] and stands[name] in ("", ours[name])}
        if record.status not in (standing.shown_status, before["status"]):
            wish["status"] = record.status
        return wish

    def _saved(self, ticket: Ticket, created: bool = False) -> SavedCase:
        return SavedCase(ticket.ticket_id, ticket.ticket_id, self._desk.link(ticket.ticket_id), created, ticket.shown_status, ticket.field)


def fresh_notes(notes: Sequence[Note], standing: Ticket) -> list[Note]:
    """Those that it has not, each once."""
    return list({note.note_id: note for note in notes if mark(note.note_id) not in standing.noted}.values())


def join_marks(standing: Sequence[str], notes: Sequence[Note]) -> str:
    """What the field of ours holds; the oldest are forgotten when nobody will send them any more."""
    return "".join(list(dict.fromkeys([*standing, *(mark(note.note_id) for note in notes)]))[-REMEMBERED:])


def split_marks(text: Any) -> tuple[str, ...]:
    """The marks in a text, be it a list of them or what was said."""
    return tuple(f"{MARK}{part.partition(']')[0]}]" for part in str(text or "").split(MARK)[1:])


def join_notes(notes: Sequence[Note]) -> str:
    """All in one text, each with its mark."""
    size = NOTES_LIMIT // max(1, len(notes))
    return "\n\n".join(marked(note, size) for note in notes)


def describe(record: CaseRecord) -> str:
    """What a new ticket says."""
    lines = [record.headline, *record.reasons, record.url]
    return "\n\n".join(filter(None, [fit_text("\n".join(lines), BODY_LIMIT), join_notes(record.notes)]))


def own_values(record: CaseRecord) -> dict[str, Any]:
    """What stands in the fields of ours, by the keys of infra/crm/schema.yaml."""
    return {
        "version": record.version, "score": record.score, "band": record.band, "headline": fit_text(record.headline, 255),
        "reasons": fit_text("\n".join(record.reasons), 32_000), "category": fit_text(record.category, 255), "queue": fit_text(record.queue, 80),
        "link": fit_text(record.url, 2_000),
    }  # fmt: skip


def key_of(record: CaseRecord) -> str:
    """The case key as any desk can keep it; a key of ours is so already."""
    return " ".join(fit_text(record.case_key, 200).split())


def subject_of(record: CaseRecord) -> str:
    return fit_text(" ".join(record.subject.split()), 150) or record.case_key


def find_name(names: Mapping[str, str], wanted: Any) -> str:
    """Caseline's word for what a desk calls otherwise; "" where it has none."""
    return next((name for name, known in names.items() if known and known == str(wanted)), "")
