"""One signal, for whoever asks why: its entry of the timeline, by which rules it is where it is, and what its words feel like."""

from __future__ import annotations

from typing import Any

from caseline.assessment.emotions import find_emotions
from caseline.cases.routing import language_of
from caseline.errors import NotFoundError
from caseline.explanations import say_place
from caseline.table import Table
from caseline.timeline import EXPECTED, load_signals, read_text
from caseline.views.timeline import entry_of


def show_signal(table: Table, signal_id: str) -> dict[str, Any]:
    """The timeline's entry, and `why` {text, emotions, emotions_text}; emotions are of English words alone, else None."""
    row = load_signals(table, [signal_id]).get(signal_id)
    if row is None or row["state"] == EXPECTED:
        raise NotFoundError(f"no signal {signal_id}")
    felt = find_emotions(read_text(row) or "", language_of(row))
    return entry_of(row) | {"why": {"text": say_place(row) or None, "emotions": felt and felt.to_json(), "emotions_text": felt and str(felt)}}
