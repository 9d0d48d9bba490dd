"""AWS answered at botocore's last step before the network, where every attempt is counted. Imports nothing of botocore until it is used."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/signals"
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "CONFIG_PARAMETER": "/caseline/config",
    "SECRET_PREFIX": "caseline",
    "SIGNALS_QUEUE_URL": QUEUE_URL,
    "BUCKET_NAME": "caseline-private",
    "POWERTOOLS_SERVICE_NAME": "caseline",
}


class Content:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Any:
        yield self._content


class Stub:
    """A `before-send` handler: `answers` has the JSON answer of each operation."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.calls: Counter[str] = Counter()
        self._answers = {name: json.dumps(answer).encode() for name, answer in answers.items()}

    def answer(self, request: Any, event_name: str, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        operation = event_name.rpartition(".")[2]
        self.calls[operation] += 1
        return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, Content(self._answers[operation]))
