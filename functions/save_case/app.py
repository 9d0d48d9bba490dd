"""Last step of open_case: what the ledger says goes to the CRM."""

from __future__ import annotations

from typing import Any

from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return wiring().case_saver.save(event)
