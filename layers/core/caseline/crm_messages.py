"""Changes of the CRM as they travel through the queue of sync_crm."""

from __future__ import annotations

import json
from collections.abc import Sequence

from caseline.crm import Change
from caseline.signals import isoformat, parse_time


def write_changes(changes: Sequence[Change], poll: bool = False) -> str:
    """A message of the queue; `poll` asks for a poll besides."""
    told = [{**vars(change), "at": isoformat(change.at), "fields": dict(change.fields)} for change in changes]
    return json.dumps({"v": 1, "changes": told, "poll": poll})


def read_message(body: str) -> tuple[list[Change], bool]:
    """The changes of a queue message, and whether it asks for a poll."""
    message = json.loads(body)
    return [Change(**{**change, "at": parse_time(change["at"])}) for change in message["changes"]], bool(message.get("poll"))
