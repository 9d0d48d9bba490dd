"""On a schedule: take up runs and cases that are due, and forget what was kept long enough."""

from __future__ import annotations

from typing import Any

from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return {"due": wiring().watcher.watch(), "forgotten": wiring().retention.sweep()}
