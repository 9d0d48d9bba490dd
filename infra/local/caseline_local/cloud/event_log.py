"""What was put on the event bus, as lines of JSON: the latest few megabytes."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_MAXIMUM_BYTES = 8 * 1024 * 1024


class EventLog:
    """At `_MAXIMUM_BYTES` the file becomes the old one, and the one before is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def append(self, events: Sequence[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(_as_event(event)) + "\n" for event in events)
        with self._lock:
            if self._path.exists() and self._path.stat().st_size > _MAXIMUM_BYTES:
                self._path.replace(self._path.with_suffix(".old.jsonl"))
            with self._path.open("a") as file:
                file.write(lines)


def _as_event(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "source": entry.get("Source"),
        "detail-type": entry.get("DetailType"),
        "detail": _parse(entry.get("Detail")),
    }


def _parse(detail: str | None) -> Any:
    try:
        return json.loads(detail or "null")
    except ValueError:
        return detail
