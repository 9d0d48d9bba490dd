"""What happens in the CRM comes back: by its webhooks, by a poll each minute, and by a count of both sides each night."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from caseline.wiring import wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    here = wiring()
    if not here.has_remote_crm:
        return {"batchItemFailures": []}
    if "Records" in event:
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"] if not taken(record["body"])]}
    if event.get("job") == "reconcile":
        return {"differences": here.reconciler.reconcile()["count"]}
    return {"changes": here.crm_sync.poll_if_due(here.crm_pace.changes_minutes)}


def taken(body: str) -> bool:
    """Whether the message is done with; one that is not comes again by itself."""
    from caseline.errors import CaselineError, CrmError
    from caseline.reconciling import is_request
    from caseline.table import ConditionFailed

    try:
        if is_request(body):
            with suppress(CrmError):  # the report says so, and the next night counts again
                wiring().reconciler.reconcile()
            return True
        wiring().crm_sync.take(body)
    except (CaselineError, ConditionFailed):
        return False
    return True
