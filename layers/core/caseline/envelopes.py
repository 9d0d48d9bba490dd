"""Messages of the queue: envelopes of signals, and the entries that they hold. One delivery is named the same however often the queue delivers it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caseline.assessment import Assessment
from caseline.signals import Signal
from caseline.table import Item

RECORDED = {"recorded": True}  # what is left of an envelope that was too large for the queue


@dataclass(frozen=True)
class Message:
    """One message of the queue: its id there, and the envelope; `stored` is the key of the object that held it."""

    message_id: str
    envelope: Mapping[str, Any]
    stored: str = ""


@dataclass
class Entry:
    """One signal of an envelope on its way to its row. `delivery` is the same each time the queue delivers it."""

    message: Message
    index: int
    signal: Signal
    delivery: str
    assessment: Assessment = field(default_factory=Assessment)
    row: Item = field(default_factory=dict)
    forgotten: bool = False

    @property
    def completes(self) -> bool:
        """Whether it is what a pointer was completed to."""
        return bool(self.message.envelope.get("completes"))


def read_message(message_id: str, body: str, fetch: Callable[[str], bytes]) -> Message | None:
    """The envelope of a queue message; a large one is fetched from the bucket by its key. Raises ValueError or KeyError for poison.

    None where the object says that it was recorded: this is a redelivery.
    """
    envelope, stored = json.loads(body), ""
    if "body" in envelope:
        stored = str(envelope["body"]["bucket_key"])
        envelope = json.loads(fetch(stored))
        if envelope == RECORDED:
            return None
    if envelope["v"] != 1:
        raise ValueError(f"unknown envelope version {envelope['v']!r}")
    return Message(message_id, envelope, stored)


def read_entries(messages: Sequence[Message]) -> tuple[list[Entry], set[str]]:
    """The signals of all messages; a message whose signals cannot be read must come again and ends with the dead letters."""
    entries: list[Entry] = []
    failed: set[str] = set()
    for message in messages:
        try:
            entries += _entries_of(message)
        except (ValueError, TypeError, KeyError, AttributeError):
            failed.add(message.message_id)
    return entries, failed


def _entries_of(message: Message) -> list[Entry]:
    envelope = message.envelope
    signals = [Signal.from_json(data) for data in envelope["signals"]]
    return [Entry(message, i, signal, envelope.get("part") or delivery_of(envelope, str(i))) for i, signal in enumerate(signals)]


def delivery_of(envelope: Mapping[str, Any], part: str) -> str:
    return f"{envelope['id']}.{part}"
