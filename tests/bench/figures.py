"""A figure, and the table of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`value` against `limit`, both in `unit`; with a `floor` the limit is a multiple of it. Without a limit it is reported only."""

    name: str
    value: float
    limit: float | None = None
    unit: str = ""
    floor: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def measured(self) -> float:
        """What stands against the limit: the ratio to the floor, or the value itself."""
        return self.value / self.floor if self.floor else self.value

    @property
    def ok(self) -> bool:
        if self.limit is None:
            return True
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def cells(self) -> tuple[str, ...]:
        floor = f"{_number(self.floor)} {self.unit}".strip() if self.floor else ""
        sign = ">=" if self.at_least else "<="
        limit = "" if self.limit is None else f"{sign} {_number(self.limit)}{'x' if self.floor else ''}"
        ratio = f"{self.measured:.2f}x" if self.floor else ""
        verdict = "" if self.limit is None else "ok" if self.ok else "MISSED"
        return self.name, floor, f"{_number(self.value)} {self.unit}".strip(), ratio, limit, verdict, self.note


HEADINGS = ("figure", "floor", "value", "ratio", "limit", "ok", "note")


def render(figures: Iterable[Figure]) -> str:
    rows = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(" |") for row in rows]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(lines)


def describe_machine() -> str:
    one, five, fifteen = os.getloadavg()
    return f"load {one:.1f} {five:.1f} {fifteen:.1f} on {os.cpu_count()} cores"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
