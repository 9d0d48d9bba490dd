"""Notes: annotations whose id is made of the case and the note, so that each is there once however often it is sent."""

from __future__ import annotations

from collections.abc import Sequence

from caseline.crm import Note
from caseline.crm._batch import Part
from caseline.crm._http import Answer
from caseline.crm._text import fit_text
from caseline.crm.dynamics._api import Api, checked, rows_of
from caseline.crm.dynamics._odata import url
from caseline.crm.dynamics._records import made_id

SUBJECT, LIMIT, PAGE = "Caseline", 100_000, 50
WRITTEN = (200, 201, 204, 412)  # 412: it is there


class Notes:
    def __init__(self, api: Api) -> None:
        self._api = api

    def parts(self, scope: str, place: str, notes: Sequence[Note]) -> list[Part]:
        return [note_part(made_id(scope, "note", note.note_id), "incident", place, note.text) for note in notes]

    def send(self, scope: str, place: str, notes: Sequence[Note]) -> None:
        if notes:
            check_notes(self._api.batch(self.parts(scope, place, notes)))

    def add(self, scope: str, place: str, note: Note) -> None:
        [part] = self.parts(scope, place, [note])
        self._api.call(part.method, part.path, body=part.body, headers=part.headers, fine=WRITTEN)

    def erase(self, incident_id: str) -> None:
        erase_annotations(self._api, incident_id)


def erase_annotations(api: Api, record_id: str) -> None:
    """All of ours on a record, page by page."""
    query = url("/annotations", select="annotationid", filter=f"_objectid_value eq {record_id} and subject eq '{SUBJECT}'", top=str(PAGE))
    while rows := rows_of(api.call("GET", query)):
        for answer in api.batch([Part("DELETE", f"/annotations({row['annotationid']})") for row in rows]):
            checked(answer[0], (*WRITTEN, 404))


def note_part(note_id: str, table: str, place: str, text: str) -> Part:
    body = {"subject": SUBJECT, "notetext": fit_text(text, LIMIT), f"objectid_{table}@odata.bind": place}
    return Part("PATCH", f"/annotations({note_id})", body, {"If-None-Match": "*"})


def check_notes(answers: Sequence[Sequence[Answer]]) -> None:
    for answer in answers:
        checked(answer[0], WRITTEN)
