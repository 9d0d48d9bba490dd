"""Queue messages to rows of the timeline; a message that must come again is reported alone."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger
from caseline.envelopes import RECORDED, Message, read_message
from caseline.errors import UnavailableError
from caseline.wiring import wiring

logger = Logger()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    wired = wiring()
    messages, poison = _read(event["Records"], wired.read_object)
    failed = wired.recorder.record(messages) if messages else []
    failed += _clear([message for message in messages if message.stored and message.message_id not in failed], wired.put_object)
    logger.info("recorded", extra={"messages": len(messages), "failed": len(failed), "poison": len(poison)})
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in (*failed, *poison)]}


def _read(records: list[dict[str, Any]], fetch: Any) -> tuple[list[Message], list[str]]:
    """The envelopes, and the ids of messages that are none or whose body is not to be had: poison ends with the dead letters."""
    messages, poison = [], []
    for record in records:
        try:
            message = read_message(record["messageId"], record["body"], fetch)
        except (ValueError, KeyError, TypeError, UnavailableError):
            poison.append(record["messageId"])
        else:
            messages += [message] if message else []
    return messages, poison


def _clear(messages: list[Message], put: Any) -> list[str]:
    """What was too large for the queue stands in the table now, and nowhere else. Where the object cannot be written the message comes again."""
    left = []
    for message in messages:
        try:
            put(message.stored, json.dumps(RECORDED).encode())
        except UnavailableError:
            left.append(message.message_id)
    return left
