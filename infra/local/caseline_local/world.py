"""What the product here takes for the world outside: what time it is, and whether the CRM answers. Stories move both.

Only this runtime has it: the functions are given another clock, and a CRM that may be away, in the place of those of their wiring.
It is read from a file each time, so that every process sees it move at once. Standard library alone: the children load it by its file.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FILE = "world.json"
_LONGEST_NAP = 0.2  # seconds; whoever waits sees within this that the clock was moved


class World:
    """`file` is written when something is first moved; without it the clock is this machine's, and the CRM answers."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._read().get("ahead", 0))

    def move(self, to: datetime) -> None:
        """From here on it is `to`, and time goes on from there."""
        self._write(ahead=(to - datetime.now(UTC)).total_seconds())

    @property
    def crm_answers(self) -> bool:
        return bool(self._read().get("crm", True))

    def let_crm(self, answer: bool) -> None:
        self._write(crm=answer)

    def sleep(self, seconds: float) -> None:
        """For so long by this clock: less, where it is moved meanwhile."""
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            time.sleep(min(left, _LONGEST_NAP))

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (OSError, ValueError):
            return {}

    def _write(self, **changed: Any) -> None:
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(json.dumps({**self._read(), **changed}))
        unfinished.replace(self._file)


def world_of(home: Path) -> World:
    """That of the product whose home it is."""
    return World(home / FILE)


class Absent:
    """A CRM nobody reaches: its name is known, and no call is answered."""

    def __init__(self, crm: Any) -> None:
        self._crm = crm

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._crm, name)
        return _refuse if callable(value) else value


def _refuse(*_: object, **__: object) -> Any:
    from caseline.errors import CrmUnavailableError

    raise CrmUnavailableError("the CRM is away: the story has it so")


def enter(world: World) -> None:
    """Let the functions of this process see `world`: to be called before a handler is imported."""
    import functools
    import os

    from caseline import wiring as composition

    class Staged(composition.Wiring):
        @property
        def crm(self) -> Any:
            crm = super().crm
            return crm if world.crm_answers else Absent(crm)

    composition.wiring = functools.cache(lambda: Staged(os.environ, clock=world.now))
