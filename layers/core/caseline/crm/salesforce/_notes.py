"""Notes as case comments. A mark in the text tells them apart, because comments have no key and cannot be searched by their text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caseline.crm import Note
from caseline.crm._text import fit_bytes
from caseline.crm.salesforce._api import Part, query_part
from caseline.crm.salesforce._soql import is_id, quote, unreferenced

MARK = "[cx:{note_id}]"
LIMIT, READ = 4_000, 500  # bytes of a comment, comments that are compared


def comments_part(crm_id: str, key_field: str, case_key: str, more: str = "") -> Part:
    """The case's newest comments, by its id or, while that is not known, by its key."""
    whose = f"= {quote(crm_id)}" if is_id(crm_id) else f"IN (SELECT Id FROM Case WHERE {key_field} = {quote(case_key)})"
    return query_part("comments", f"SELECT {more}CommentBody FROM CaseComment WHERE ParentId {whose} ORDER BY CreatedDate DESC LIMIT {READ}")


def erasing_parts(comments: Iterable[Mapping[str, Any]]) -> list[Part]:
    """Of those comments that are ours."""
    ours = [str(comment["Id"]) for comment in comments if MARK.partition("{")[0] in str(comment.get("CommentBody"))]
    return [Part(f"gone{place}", "DELETE", f"/sobjects/CaseComment/{comment_id}") for place, comment_id in enumerate(ours)]


def note_parts(notes: Iterable[Note], parent: str) -> list[Part]:
    return [Part(f"note{place}", "POST", "/sobjects/CaseComment", note_body(note, parent)) for place, note in enumerate(notes)]


def note_body(note: Note, parent: str) -> dict[str, Any]:
    mark = MARK.format(note_id=note.note_id)
    text = fit_bytes(unreferenced(note.text), LIMIT - len(mark.encode()) - 1)
    return {"ParentId": parent, "CommentBody": f"{text}\n{mark}", "IsPublished": note.public}


def missing_notes(notes: Sequence[Note], comments: Iterable[Any]) -> list[Note]:
    texts = [str(comment.get("CommentBody")) for comment in comments]
    return [note for note in notes if not any(MARK.format(note_id=note.note_id) in text for text in texts)]
