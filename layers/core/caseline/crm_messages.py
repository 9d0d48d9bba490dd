"""Changes of the CRM as they travel through the queue of sync_crm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from caseline.crm import Change
from caseline.crm._text import fit_text
from caseline.signals import isoformat, parse_time

NOTE_LIMIT = 5_000  # characters of what an agent said
MESSAGE, LARGEST = 200, 240_000  # changes, and bytes, in a message of the queue


def write_changes(changes: Sequence[Change], poll: bool = False, received_at: datetime | None = None) -> str:
    """A message of the queue; `poll` asks for a poll besides. What was done when we were told of it has no time of its own."""
    return _write([_told(change, received_at) for change in changes], poll)


def write_messages(changes: Sequence[Change], received_at: datetime) -> Iterator[str]:
    """As many messages as it takes: the queue refuses one that is too large."""
    batch, size = list[Mapping[str, Any]](), 0
    for told in (_told(change, received_at) for change in changes):
        if (length := len(json.dumps(told))) > LARGEST:
            told, length = told | {"fields": {}}, 0  # it is asked for by a poll
        if batch and (len(batch) == MESSAGE or size + length > LARGEST):
            yield _write(batch)
            batch, size = [], 0
        batch, size = [*batch, told], size + length
    if batch:
        yield _write(batch)


def read_message(body: str) -> tuple[list[tuple[Change, bool]], bool]:
    """The changes of a queue message, each with whether its time is when it was done, and whether the message asks for a poll."""
    message = json.loads(body)
    return [_change(told) for told in message["changes"]], bool(message.get("poll"))


def _write(told: Sequence[Mapping[str, Any]], poll: bool = False) -> str:
    return json.dumps({"v": 1, "changes": told, "poll": poll})


def _told(change: Change, received_at: datetime | None) -> dict[str, Any]:
    fields = dict(change.fields)
    if isinstance(fields.get("text"), str):
        fields["text"] = fit_text(fields["text"].strip(), NOTE_LIMIT)
    return {**vars(change), "at": isoformat(change.at), "fields": fields, **({"undated": True} if change.at == received_at else {})}


def _change(told: Mapping[str, Any]) -> tuple[Change, bool]:
    values = {name: value for name, value in told.items() if name != "undated"}
    return Change(**{**values, "at": parse_time(told["at"])}), not told.get("undated")
