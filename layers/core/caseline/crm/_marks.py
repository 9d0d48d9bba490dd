"""Notes carry a mark with their id, so that none is written twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caseline.crm import Note
from caseline.crm._text import fit_text

NOTE_LIMIT = 15_000
MARK = "[cx:"


def mark(note_id: str) -> str:
    return f"{MARK}{fit_text(note_id, 100)}]"


def marked(note: Note, limit: int = NOTE_LIMIT) -> str:
    """A customer who writes a mark writes no mark."""
    return f"{fit_text(note.text.replace(MARK, '[cx '), limit)}\n{mark(note.note_id)}"


def missing_notes(notes: Sequence[Note], written: str) -> list[Note]:
    """Those whose marks do not stand in what is written there."""
    return [note for note in notes if mark(note.note_id) not in written]


def join_notes(notes: Iterable[Note]) -> str:
    return "\n\n".join(map(marked, notes))


def pack_texts(texts: Iterable[str], limit: int, gap: str = "\n\n") -> list[str]:
    """In as few as they fit into, in their order."""
    packed: list[str] = []
    for text in texts:
        if packed and len(packed[-1]) + len(gap) + len(text) <= limit:
            packed[-1] += gap + text
        else:
            packed.append(text)
    return packed


def without_notes(text: str) -> str:
    """A first text without the notes that were joined to it; what people wrote behind them stands."""
    if MARK not in text:
        return text
    before, end = text[: text.index(MARK)], text.index("]", text.rindex(MARK)) + 1 if "]" in text[text.rindex(MARK) :] else len(text)
    lines, gap, _ = before.partition("\n\n")
    return "\n\n".join(filter(None, [lines if gap else "", text[end:].strip()]))
