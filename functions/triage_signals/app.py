"""Stream records of signals that need a case, or needed one, to runs of the state machine."""

from __future__ import annotations

from typing import Any

from caseline.storms.counting import Storms
from caseline.triage import triage
from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    wired = wiring()
    triage(event["Records"], wired.table, wired.runs, wired.scope_of, Storms(wired.table, wired.policy, wired.runs, wired.clock))
    return {"batchItemFailures": []}
