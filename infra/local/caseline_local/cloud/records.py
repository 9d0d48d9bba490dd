"""DynamoDB stream records as Lambda sees them. https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from caseline_local.cloud.hooks import Change

_BASE = 10**20  # sequence numbers have 21 digits, so that their order is the same as text and as numbers


def as_record(change: Change, number: int) -> dict[str, Any]:
    """The record of one change; `number` counts the changes of the table."""
    table = change.table
    images = {"NewImage": change.new, "OldImage": change.old}
    return {
        "eventID": uuid.uuid4().hex,
        "eventName": _event_name(change),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": table.region_name,
        "dynamodb": {
            "ApproximateCreationDateTime": float(int(time.time())),
            "Keys": change.keys,
            **{name: image for name, image in images.items() if image is not None},
            "SequenceNumber": sequence_number(number),
            "SizeBytes": sum(len(json.dumps(image)) for image in images.values() if image is not None),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{table.table_arn}/stream/{table.latest_stream_label}",
    }


def sequence_number(number: int) -> str:
    return str(_BASE + number)


def record_number(sequence: str) -> int:
    return int(sequence) - _BASE


def _event_name(change: Change) -> str:
    if change.old is None:
        return "INSERT"
    return "REMOVE" if change.new is None else "MODIFY"
