"""First step of open_case: the account value of the run's customer."""

from __future__ import annotations

from typing import Any

from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return wiring().account_look_up.look_up(event)
