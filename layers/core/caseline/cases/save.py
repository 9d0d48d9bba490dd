"""Last step of the state machine: what the ledger says goes to the CRM, and the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caseline.cases.outbox import Outbox
from caseline.runs import Runs, read_run


@dataclass(frozen=True)
class CaseSaver:
    outbox: Outbox
    runs: Runs

    def save(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Errors are CRM errors, retried by class; the run ends when the CRM has the newest version, or one that can wait for the next."""
        run = read_run(state)
        keys = [state["case"]["case_key"]] if state.get("case") else []
        for case_key in (*keys, *state.get("unpushed", [])):
            self.outbox.push(case_key, patient=True)
        self.runs.finish(run)
        return {"run": run.to_json(), "case": state.get("case")}
