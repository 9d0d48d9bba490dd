"""What an event of a ticket says in Caseline's words; the same for what is polled and for what Zendesk pushes. The door reads it: nothing heavy here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caseline.crm import AUTOMATIC
from caseline.crm.zendesk._settings import Settings, title_of

THEIRS = ("outcome", "category", "queue")
Told = dict[str, Any]


def name_of(names: Mapping[str, str], wanted: str) -> str:
    """Caseline's word for an id or a value of Zendesk's."""
    return next((name for name, known in names.items() if known == wanted), "")


def tell(name: str, value: Any, settings: Settings) -> Told:
    """Of one property of a ticket that was set to `value`; nothing where it says nothing to us."""
    said = "" if value is None else str(value)
    if name == "priority" and not said:
        return {"band": AUTOMATIC}
    return _TELLERS[name](said, settings) if name in _TELLERS and said else {}


def tell_field(key: str, value: Any) -> Told:
    """Of a ticket field of ours that people may set."""
    said = "" if value is None else str(value)
    return {key: said.removeprefix(f"cx_{key}_")} if key in THEIRS and said else {}


def key_of_field(number: str, title: str, settings: Settings) -> str:
    """Caseline's word for a ticket field, by its number or its title."""
    return name_of(settings.case_fields, number) if number in settings.case_fields.values() else next((key for key in THEIRS if title_of(key) == title), "")


def _band(said: str, settings: Settings) -> Told:
    band = name_of(settings.priorities, said.lower())
    return {"band": band} if band else {}


def _status(said: str, settings: Settings) -> Told:
    return {"status": settings.status(said.lower())}


def _owner(said: str, settings: Settings) -> Told:
    return {"owner": name_of(settings.owners, said) or said}


def _queue(said: str, settings: Settings) -> Told:
    """A group that is no queue of ours is none of ours to name."""
    queue = name_of(settings.queues, said)
    return {"queue": queue} if queue else {}


_TELLERS: Mapping[str, Callable[[str, Settings], Told]] = {"priority": _band, "status": _status, "assignee_id": _owner, "group_id": _queue}
