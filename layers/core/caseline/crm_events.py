"""Changes that the CRM sends by an event bus of AWS, on their way to sync_crm."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from caseline.crm import Change, open_crm
from caseline.crm._pace import BUILTIN
from caseline.crm_messages import write_changes, write_messages
from caseline.errors import PayloadError
from caseline.sources import Source

_open = cache(open_crm)


class CrmEvents:
    """What the configured CRM sends by an event bus of AWS, which has proved it."""

    def __init__(self, wiring: Any, log: Any) -> None:
        self._wiring, self._log = wiring, log

    def wants(self, place: str) -> bool:
        """Whether events of that source are the configured CRM's."""
        name = self._wiring.config.crm.name
        return name != BUILTIN and any(fnmatchcase(place, pattern) for pattern in getattr(_open(name), "EVENT_SOURCES", ()))

    def take_event(self, event: Mapping[str, Any]) -> int:
        """Queue the changes; returns how many. One that is not understood makes the CRM be asked instead."""
        name, now = self._wiring.config.crm.name, self._wiring.clock()
        source = Source(name, "", (), (), self._wiring.config.crm.settings)
        try:
            changes: list[Change] = _open(name).parse_event(event, source, received_at=now, read=self._wiring.read_from)
        except PayloadError as error:
            self._log.error("not understood, polling instead", extra={"source": f"crm/{name}", "field": error.field})
            self._wiring.send_changes(write_changes([], poll=True))
            return 0
        for message in write_messages(changes, now):
            self._wiring.send_changes(message)
        return len(changes)
