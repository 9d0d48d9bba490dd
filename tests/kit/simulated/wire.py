"""What the contract suite breaks of a CRM that is reached over HTTP: its faults by pattern, in its own error shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kit.simulated.faults import Faults


@dataclass(frozen=True)
class FaultyWire:
    """`reading`, `writing` and `noting` are patterns of `METHOD /path`; `body` gives the CRM's error body for a status."""

    faults: Faults
    reading: str
    writing: str
    noting: str
    body: Callable[[int], Any]

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None:
        self.faults.add("answer", match, status=status, headers=dict(headers or {}), times=times, body=self.body(status))

    def break_off(self, match: str, kind: str, **values: Any) -> None:
        if kind == "redirect":
            self.answer(match, 302, {"Location": "http://localhost:9/elsewhere"})
        else:
            self.faults.add(kind, match, **values)
