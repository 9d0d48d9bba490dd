"""What a case's notes in the CRM say: one for the signals that joined since the last, one for each note that people wrote in Caseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Note
from caseline.table import Item, Table
from caseline.timeline import LIVE, load_signals, read_text

TOLD, WORDS = 20, 600  # signals told of in one note, the newest; characters of each


def notes_are_due(case: Mapping[str, Any]) -> bool:
    return bool(case.get("noted", 0) < case["signal_count"] or people_wrote(case))


def people_wrote(case: Mapping[str, Any]) -> bool:
    """Whether people wrote notes that the CRM does not have yet."""
    return bool(case.get("note_version", 0) > case.get("noted_version", 0))


def due_notes(table: Table, case: Item, upto: int) -> list[Note]:
    """For the signals after the last that was told, up to the count `upto`, and for people's notes. The same range is the same note, whoever sends it."""
    told = case.get("noted", 0)
    ids = case["signal_ids"][max(0, told - (case["signal_count"] - len(case["signal_ids"]))) : len(case["signal_ids"]) - (case["signal_count"] - upto)]
    signals = [Note(f"s{told + 1}-{upto}", _tell(table, ids, upto - told))] if upto > told else []
    return [*signals, *(_people(table, case) if people_wrote(case) else ())]


def _tell(table: Table, ids: Sequence[str], count: int) -> str:
    found = load_signals(table, list(ids[-TOLD:]))
    lines = [_line(found[signal_id]) for signal_id in ids[-TOLD:] if signal_id in found]
    more = [f"({count - len(lines)} more before these)"] if count > len(lines) else []
    return "\n\n".join([*more, *lines])


def _line(row: Item) -> str:
    """Where and when, then the customer's words."""
    where = f"{row['channel']} {str(row['kind']).replace('_', ' ')}{', public' if row.get('public') else ''}"
    text = (read_text(row) or _rating(row)) if row["state"] == LIVE else "(erased)"
    link = f"\n{row['url']}" if row.get("url") else ""
    return f"{str(row['occurred_at'])[:16].replace('T', ' ')} UTC, {where}:\n{text[:WORDS]}{'…' if len(text) > WORDS else ''}{link}"


def _rating(row: Item) -> str:
    rating = row.get("rating")
    return f"{rating['metric']}: {rating['value']:g} of {rating['high']:g}" if rating else "(no words)"


def _people(table: Table, case: Item) -> list[Note]:
    """Of later versions than the last that was told, up to this one: what comes meanwhile goes with the next."""
    rows = [row for row in table.query(case["PK"], prefix="NOTE#") if not row.get("crm")]
    fresh = [row for row in rows if case.get("noted_version", 0) < int(row["SK"].partition("#")[2]) <= case["version"]]
    return [Note(f"n{int(row['SK'].partition('#')[2])}", f"{row['by']}: {row['text']}") for row in fresh]
