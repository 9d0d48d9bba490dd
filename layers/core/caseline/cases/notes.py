"""What a case's notes in the CRM say: one for the signals that joined since the last, one for each note that people wrote in Caseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caseline.crm import Note
from caseline.explanations import say_place
from caseline.table import Item, Table
from caseline.timeline import LIVE, load_signals, read_text

TOLD, WORDS = 20, 600  # signals told of in one note, the newest; characters of each
MOST = 100  # signals whose words a field of ours is written with anew


def notes_are_due(case: Mapping[str, Any]) -> bool:
    return not case.get("erased") and bool(case.get("noted", 0) < case["signal_count"] or people_wrote(case))


def people_wrote(case: Mapping[str, Any]) -> bool:
    """Whether people wrote notes that the CRM does not have yet."""
    return bool(case.get("note_version", 0) > case.get("noted_version", 0))


def due_notes(table: Table, case: Item, upto: int) -> list[Note]:
    """For the signals after the last that was told, up to the count `upto`, and for people's notes. The same range is the same note, whoever sends it.

    After notes were taken back all are told again, under other ids.
    """
    if case.get("erased"):
        return []
    again = f"r{case['taken_back']}" if case.get("taken_back") else ""
    signals = [Note(f"s{first + 1}-{last}{again}", _tell(table, _ids(case, first, last), last - first)) for first, last in _ranges(case, upto)]
    return [*signals, *(_people(table, case, again, case.get("noted_version", 0), case["version"]) if people_wrote(case) else ())]


def told_notes(table: Table, case: Item) -> list[Note] | None:
    """What the CRM was told in a field of ours, anew, as it stands now: `in_field` says where, and from which count of signals and version on.

    None where there is no such field, and where not every word of it can be had any more.
    """
    place, first, version = case.get("in_field") or ("", 0, 0)
    noted, oldest = case.get("noted", 0), case["signal_count"] - len(case["signal_ids"])
    if not place or place != case["crm"].get("id") or case.get("erased") or first < oldest or noted - first > MOST:
        return None
    again = f"r{case['taken_back']}" if case.get("taken_back") else ""
    ranges = [(start, min(start + TOLD, noted)) for start in range(first, noted, TOLD)]
    signals = [Note(f"s{start + 1}-{last}{again}", _tell(table, _ids(case, start, last), last - start)) for start, last in ranges]
    return [*signals, *_people(table, case, again, version, case.get("noted_version", 0))]


def _ranges(case: Item, upto: int) -> list[tuple[int, int]]:
    """One for what is new; what is told again is cut, so that no signal is passed over whose id is kept."""
    told = case.get("noted", 0)
    if told or not case.get("taken_back"):
        return [(told, upto)] if upto > told else []
    oldest = max(0, case["signal_count"] - len(case["signal_ids"]))
    starts = [*range(oldest, upto, TOLD)]
    return [(0 if first == oldest else first, min(first + TOLD, upto)) for first in starts]


def _ids(case: Item, first: int, last: int) -> list[str]:
    kept, count = list(case["signal_ids"]), case["signal_count"]
    return kept[max(0, first - (count - len(kept))) : len(kept) - (count - last)]


def _tell(table: Table, ids: Sequence[str], count: int) -> str:
    found = load_signals(table, list(ids[-TOLD:]))
    lines = [_line(found[signal_id]) for signal_id in ids[-TOLD:] if signal_id in found]
    more = [f"({count - len(lines)} more before these)"] if count > len(lines) else []
    return "\n\n".join([*more, *lines])


def _line(row: Item) -> str:
    """Where and when, then the customer's words, and why they are a case."""
    where = f"{row['channel']} {str(row['kind']).replace('_', ' ')}{', public' if row.get('public') else ''}"
    text = (read_text(row) or _rating(row)) if row["state"] == LIVE else "(erased)"
    link = f"\n{row['url']}" if row.get("url") else ""
    why = f"\n({said})" if row["state"] == LIVE and (said := say_place(row)) else ""
    return f"{str(row['occurred_at'])[:16].replace('T', ' ')} UTC, {where}:\n{text[:WORDS]}{'…' if len(text) > WORDS else ''}{link}{why}"


def _rating(row: Item) -> str:
    rating = row.get("rating")
    return f"{rating['metric']}: {rating['value']:g} of {rating['high']:g}" if rating else "(no words)"


def _people(table: Table, case: Item, again: str, after: int, upto: int) -> list[Note]:
    """Of later versions than the last that was told, up to this one: what comes meanwhile goes with the next."""
    rows = [row for row in table.query(case["PK"], prefix="NOTE#") if not row.get("crm")]
    fresh = [row for row in rows if after < int(row["SK"].partition("#")[2]) <= upto]
    return [Note(f"n{int(row['SK'].partition('#')[2])}{again}", f"{row['by']}: {row['text']}") for row in fresh]
