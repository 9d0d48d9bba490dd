"""Fetches what thin notices only point to; one that must come again is reported alone."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from caseline.completing import read_job
from caseline.errors import UnavailableError
from caseline.wiring import wiring

logger = Logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    completer, failed = wiring().completer, []
    for record in event["Records"]:
        try:
            completer.complete(read_job(record["body"]))
        except (ValueError, KeyError, TypeError, UnavailableError) as error:
            logger.error("not completed", extra={"message_id": record["messageId"], "reason": type(error).__name__})
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
