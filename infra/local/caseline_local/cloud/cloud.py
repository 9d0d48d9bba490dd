"""The local AWS: one process-wide set of services on one loopback port."""

from __future__ import annotations

import functools
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from moto.backends import get_backend
from moto.moto_api._internal.models import moto_api_backend

from caseline_local.cloud.cloud_hooks import CloudHooks
from caseline_local.cloud.database import Database
from caseline_local.cloud.dynamo_api import DynamoApi
from caseline_local.cloud.event_log import EventLog
from caseline_local.cloud.executions import Executions
from caseline_local.cloud.expiry import Expiry
from caseline_local.cloud.hooks import Hooks, use_hooks
from caseline_local.cloud.journal import Journal
from caseline_local.cloud.metrics import Metrics
from caseline_local.cloud.moto_api import MotoApi, service_of
from caseline_local.cloud.patches import install
from caseline_local.cloud.queues import Queues
from caseline_local.cloud.server import Answer, Request, Server
from caseline_local.cloud.sqs_api import SqsApi
from caseline_local.cloud.streams import Streams

REGION, ACCOUNT = "eu-central-1", "123456789012"
Invoke = Callable[[str, bytes, bool], tuple[bool, bytes]]
_FUNCTIONS = "/2015-03-31/functions/"


def _no_functions(function: str, payload: bytes, asynchronous: bool) -> tuple[bool, bytes]:
    return False, json.dumps({"errorType": "ResourceNotFoundException", "errorMessage": f"no function {function}"}).encode()


@functools.cache
def _session() -> Any:
    """One for the process: each reads all of AWS's endpoints and the models of its services anew."""
    return boto3.Session("local", "local", region_name=REGION)


class Cloud:
    """`home/data` holds all state. `invoke(function, payload, asynchronous)` gives (ok, payload or error JSON).
    `on_alert(subject, message)` hears what topics are told."""

    def __init__(self, home: Path, invoke: Invoke = _no_functions) -> None:
        self.invoke = invoke
        self.on_alert: Callable[[str | None, str], None] = lambda subject, message: None
        self.sleep: Callable[[float], None] = time.sleep  # between the tries of a state machine's task
        data = Path(home) / "data"
        self.database = Database(data / "caseline.db")
        self.queues = Queues(self.database, REGION, ACCOUNT)
        self.streams = Streams(self.database)
        self.metrics = Metrics(self.database, self.queues.accepted, self.streams.age)
        self.executions = Executions(self.database)
        self.journal = Journal(self.database, self.streams)
        self.events = EventLog(data / "events.jsonl")
        self.expiry = Expiry(self.database, self._tables, lambda body: self._dynamo.answer("DeleteItem", body))
        self._server = Server(self._answer)
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Takes over this process's moto: one cloud at a time."""
        install()
        moto_api_backend.reset()
        os.environ |= {"MOTO_PORT": str(self._server.port), "MOTO_ACCOUNT_ID": ACCOUNT}
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        use_hooks(CloudHooks(self))
        self._dynamo, self._moto = DynamoApi(REGION, ACCOUNT), MotoApi()
        self._sqs = SqsApi(self.queues, lambda: self.endpoint, ACCOUNT)
        self._server.start()
        self.expiry.start()

    def stop(self) -> None:
        """Executions that are still running will run again after the next start."""
        self.executions.freeze()
        self.expiry.stop()
        self._server.stop()
        use_hooks(Hooks())
        self.database.close()

    def restore(self) -> None:
        """Puts back items and objects, and runs unfinished executions again: once the resources exist and functions can be invoked."""
        self.journal.restore_items(self._tables())
        self.journal.restore_objects(get_backend("s3")[ACCOUNT]["aws"])
        self.executions.restart(self.client("stepfunctions"))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """For child processes: these endpoints, and no way to a real account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_SQS": self.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def client(self, service: str) -> Any:
        """A client of this cloud, kept; safe for threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _tables(self) -> dict[str, Any]:
        tables: dict[str, Any] = get_backend("dynamodb")[ACCOUNT][REGION].tables
        return tables

    def _make_client(self, service: str) -> Any:
        config = Config(
            max_pool_connections=50, retries={"total_max_attempts": 2}, read_timeout=900, account_id_endpoint_mode="disabled", s3={"addressing_style": "path"}
        )
        return _session().client(service, endpoint_url=self.endpoint, config=config)

    def _answer(self, request: Request) -> Answer:
        service, _, action = request.headers.get("x-amz-target", "").partition(".")
        if service == "AmazonSQS":
            return self._sqs.answer(action, request.body)
        if service == "DynamoDB_20120810":
            return self._dynamo.answer(action, request.body)
        if request.target.startswith(_FUNCTIONS) and request.method == "POST" and request.target.endswith("/invocations"):
            return self._answer_invocation(request)
        return self._moto.answer(request, service_of(request))

    def _answer_invocation(self, request: Request) -> Answer:
        function = unquote(urlsplit(request.target).path.removeprefix(_FUNCTIONS).removesuffix("/invocations")).split(":function:")[-1].split(":")[0]
        if request.headers.get("x-amz-invocation-type") == "Event":
            self.invoke(function, request.body, True)
            return 202, {}, b""
        ok, payload = self.invoke(function, request.body or b"{}", False)
        return 200, {"Content-Type": "application/json"} | ({} if ok else {"X-Amz-Function-Error": "Unhandled"}), payload
