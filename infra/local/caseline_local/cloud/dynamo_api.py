"""DynamoDB's JSON protocol straight to moto's handler: its web framework and its generic parsing would cost more than the call."""

from __future__ import annotations

import base64
import functools
import json
from datetime import datetime
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

from caseline_local.cloud.patches.dynamodb import run_atomically

_HEADERS = {"Content-Type": "application/x-amz-json-1.0"}


class DynamoApi:
    def __init__(self, region: str, account: str) -> None:
        self._region, self._account = region, account

    def answer(self, action: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of one call; the answer is given after what it wrote is kept."""
        handler = DynamoHandler()
        handler.body = json.loads(body or b"{}")
        handler.region, handler.current_account = self._region, self._account
        method = getattr(handler, _method_name(action))
        status, headers, result = run_atomically(lambda: _call(method))
        return status, headers, result if isinstance(result, bytes) else json.dumps(result, default=_encode).encode()


@functools.cache
def _method_name(action: str) -> str:
    return camelcase_to_underscores(action)


def _call(method: Any) -> tuple[int, dict[str, str], Any]:
    try:
        return 200, _HEADERS, method().result
    except HTTPException as error:
        return error.code or 400, _HEADERS, (error.description or "").encode()


def _encode(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return value.timestamp() if isinstance(value, datetime) else str(value)
