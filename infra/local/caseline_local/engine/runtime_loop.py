"""The Lambda runtime's loop on the standard library alone, for platforms without a wheel of awslambdaric."""

from __future__ import annotations

import http.client
import importlib
import json
import time
import traceback
from collections.abc import Callable
from typing import Any

_PREFIX = "/2018-06-01/runtime"


class Context:
    """What handlers may ask of their context; times in milliseconds."""

    def __init__(self, headers: http.client.HTTPMessage, environment: dict[str, str]) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.function_version, self.log_group_name, self.log_stream_name = "$LATEST", "", ""
        self.identity = self.client_context = None

    def get_remaining_time_in_millis(self) -> int:
        return max(self._deadline - int(time.time() * 1000), 0)


def run(handler: str, address: str) -> None:
    """Serve invocations of `module.function` from the Runtime API at `address` until it goes away."""
    import os

    connection = http.client.HTTPConnection(address)
    try:
        module, name = handler.rsplit(".", 1)
        function = getattr(importlib.import_module(module.replace("/", ".")), name)
    except Exception as error:
        _post(connection, f"{_PREFIX}/init/error", _describe(error))
        raise SystemExit(1) from error
    while True:
        _serve_one(connection, function, dict(os.environ))


def _serve_one(connection: http.client.HTTPConnection, function: Callable[[Any, Context], Any], environment: dict[str, str]) -> None:
    connection.request("GET", f"{_PREFIX}/invocation/next")
    answer = connection.getresponse()
    event = json.loads(answer.read())
    context = Context(answer.headers, environment)
    outcome = f"{_PREFIX}/invocation/{context.aws_request_id}"
    try:
        payload = json.dumps(function(event, context))
    except Exception as error:
        traceback.print_exc()
        _post(connection, f"{outcome}/error", _describe(error))
    else:
        _post(connection, f"{outcome}/response", payload)


def _describe(error: Exception) -> str:
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": traceback.format_tb(error.__traceback__)})


def _post(connection: http.client.HTTPConnection, path: str, body: str) -> None:
    connection.request("POST", path, body.encode(), {"Content-Type": "application/json"})
    connection.getresponse().read()
