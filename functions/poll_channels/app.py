"""Polls the platforms that do not call: the schedule queues a job for each source that is due, a job reads that source."""

from __future__ import annotations

import json
from typing import Any

from caseline.polling import dispatch_due
from caseline.wiring import wiring


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    if "Records" in event:
        return {"queued": sum(run_job(record["body"]) for record in event["Records"]), "batchItemFailures": []}
    here = wiring()
    return {"jobs": dispatch_due(here.config, here.table, here.clock(), here.send_job)}


def run_job(body: str) -> int:
    job = json.loads(body)
    return wiring().poller.poll(job["channel"], job["source"])
