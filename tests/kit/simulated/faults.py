"""Faults on demand. Each is taken by the next requests whose `METHOD /path` matches, in the order they were set."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass
class Fault:
    """`kind`: answer (status, body, headers instead of the real answer), drop_before or drop_after (the connection ends before or after
    the work is done), drip (the real answer, byte by byte, `pause` seconds apart), malformed (the real answer, cut short), pause (wait first)."""

    kind: str
    match: str = ""
    times: int = 1
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = Lock()

    def add(self, kind: str, match: str = "", **values: Any) -> None:
        self._waiting.append(Fault(kind, match, **values))

    def take(self, request: str) -> Fault | None:
        with self._lock:
            for fault in self._waiting:
                if re.search(fault.match, request):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
            return None

    def clear(self) -> None:
        self._waiting.clear()
