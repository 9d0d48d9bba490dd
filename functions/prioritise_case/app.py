"""Second step of open_case: open or join the case and score it."""

from __future__ import annotations

from typing import Any

from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return wiring().prioritiser.prioritise(event)
