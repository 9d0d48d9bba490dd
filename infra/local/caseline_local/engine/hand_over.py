"""Handing an event over, as AWS would: `POST /local/events` with the home's token, `{"event": {...}, "objects": {"<bucket>/<key>": "<base64>"}}`.

The objects are stored first, in buckets that are made if they are not there; then the function that takes events is invoked. Only this runtime has
such a door: deployed, S3, SNS, EventBridge and IoT invoke the function themselves.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from caseline_local.engine.environment import Outcome
from caseline_local.engine.proxy import HttpAnswer, HttpRequest, answer_json

PATH = "/local/events"
FUNCTION = "ReceiveEventFunction"


class HandOver:
    """`invoke(logical id, payload)` runs a function, `clients` gives the local services' clients."""

    def __init__(self, invoke: Callable[[str, bytes], Outcome], clients: Callable[[str], Any], region: str) -> None:
        self._invoke, self._clients, self._region = invoke, clients, region

    def answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            told = json.loads(request.body)
            event, objects = json.dumps(told["event"]).encode(), {name: base64.b64decode(data, validate=True) for name, data in told.get("objects", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            return answer_json(400, {"message": "write {event, objects}"})
        self._store(objects)
        outcome = self._invoke(FUNCTION, event)
        return answer_json(502 if outcome.error else 202, json.loads(outcome.payload or b"null"))

    def _store(self, objects: Mapping[str, bytes]) -> None:
        store = self._clients("s3")
        for name, content in objects.items():
            bucket, _, key = name.partition("/")
            try:
                store.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self._region})
            except ClientError as error:
                if "BucketAlready" not in error.response["Error"]["Code"]:
                    raise
            store.put_object(Bucket=bucket, Key=key, Body=content)
