"""Notes of a ticket, once each: in a property of ours, which costs no call of its own, or as activities in the ticket's timeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape, unescape
from typing import Any

from caseline.crm import Note
from caseline.crm._marks import MARK, marked, missing_notes
from caseline.crm.hubspot._api import Api, Record, associate, text_of
from caseline.crm.hubspot._settings import Settings
from caseline.signals import isoformat

# HubSpot's texts hold 65,536 units of UTF-16; what does not fit any more becomes an activity.
FIELD_LIMIT = 65_000


def append_notes(standing: str, notes: Sequence[Note]) -> tuple[str, list[Note]]:
    """The text with the notes that it lacks, the newest last, and those that have no room."""
    rest: list[Note] = []
    for note in missing_notes(notes, standing):
        longer = "\n\n".join(filter(None, [standing, marked(note)]))
        if len(longer.encode("utf-16-le")) // 2 > FIELD_LIMIT:
            rest.append(note)
        else:
            standing = longer
    return standing, rest


class Activities:
    def __init__(self, api: Api, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._api, self._type, self._clock = api, settings.association_types["note"], clock

    def add(self, ticket_id: str, notes: Sequence[Note], look: bool = True) -> None:
        """Those whose marks are not there yet, in one call; to look for the marks takes two before it."""
        if not notes:
            return
        fresh = missing_notes(notes, "\n".join(self._bodies(ticket_id)) if look else "")
        if fresh:
            self._api.create_many("notes", [self._input(ticket_id, note) for note in fresh])

    def erase(self, ticket_id: str) -> None:
        self._api.archive_many("notes", [note["id"] for note in self._linked(ticket_id) if MARK in unescape(text_of(note, "hs_note_body"))])

    def _bodies(self, ticket_id: str) -> list[str]:
        return [unescape(text_of(note, "hs_note_body")) for note in self._linked(ticket_id)]

    def _linked(self, ticket_id: str) -> list[Record]:
        ticket = self._api.read("tickets", ticket_id, ["hs_object_id"], associations="notes") or {}
        linked = (ticket.get("associations") or {}).get("notes", {}).get("results", [])
        ids = list(dict.fromkeys(str(each["id"]) for each in linked))
        return self._api.read_many("notes", ids, ["hs_note_body"]) if ids else []

    def _input(self, ticket_id: str, note: Note) -> dict[str, Any]:
        """A note's body is HTML."""
        body = escape(marked(note), quote=False).replace("\n", "<br>")
        return {"properties": {"hs_timestamp": isoformat(self._clock()), "hs_note_body": body}, "associations": [associate(ticket_id, self._type)]}
