"""The real Chalice app over REST proxy events; AWS is answered at botocore's last step, where every call is counted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.session
from botocore.awsrequest import AWSResponse

from functions.receive_webhook import app as receive_webhook

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
KEY = b"a secret of the tests, 32 bytes!"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
META, TOKEN, TWILIO, X = "meta-app-secret-of-the-tests", "token-of-the-tests-12345", "twilio-token-of-the-tests", "x-consumer-secret-of-the-tests"
CONFIG = {
    "public_url": "https://hooks.example.com",
    "brands": {"acme": {"own_ids": ["x:111"]}},
    "sources": [
        {"channel": "standard_webhooks", "name": "default", "brand": "acme"},
        {"channel": "meta", "name": "shop", "brand": "acme", "settings": {"verify_token": "hello"}},
        {"channel": "trustpilot", "name": "default", "brand": "acme"},
        {"channel": "twilio", "name": "line", "brand": "acme"},
        {"channel": "x", "name": "default", "brand": "acme"},
        {"channel": "nowhere", "name": "default", "brand": "acme"},
        {"channel": "standard_webhooks", "name": "bare", "brand": "acme"},
    ],
}
ENVIRON = {
    "CONFIG_PARAMETER": "/caseline/config",
    "SECRET_PREFIX": "caseline",
    "SIGNALS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/signals",
    "BUCKET_NAME": "caseline-private",
}
SESSION = botocore.session.get_session()


class Cloud:
    """Answers SSM, Secrets Manager, SQS and S3 over the wire, and keeps what was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.objects: dict[str, bytes] = {}
        self.down: set[str] = set()
        self.secrets = {"standard_webhooks/default": [SECRET], "meta/shop": [META], "trustpilot/default": [TOKEN], "twilio/line": [TWILIO], "x/default": [X]}

    def answer(self, request: Any, event_name: str, **kwargs: Any) -> AWSResponse:
        operation = event_name.split(".")[-1]
        self.calls.append(operation)
        if operation in self.down:
            return respond(400, {"__type": "AccessDeniedException", "message": "no"})
        return getattr(self, f"on_{operation}")(request)

    def on_GetParameter(self, request: Any) -> AWSResponse:  # noqa: N802
        return respond(200, {"Parameter": {"Name": "config", "Value": json.dumps(CONFIG)}})

    def on_GetSecretValue(self, request: Any) -> AWSResponse:  # noqa: N802
        key = json.loads(request.body)["SecretId"].removeprefix("caseline/")
        if key not in self.secrets:
            return respond(400, {"__type": "ResourceNotFoundException"})
        return respond(200, {"Name": key, "SecretString": json.dumps(self.secrets[key])})

    def on_SendMessage(self, request: Any) -> AWSResponse:  # noqa: N802
        message = json.loads(request.body)
        self.sent.append(message)
        return respond(200, {"MessageId": str(len(self.sent)), "MD5OfMessageBody": hashlib.md5(message["MessageBody"].encode()).hexdigest()})

    def on_PutObject(self, request: Any) -> AWSResponse:  # noqa: N802
        body = request.body if isinstance(request.body, bytes) else request.body.read()
        self.objects[urlsplit(request.url).path.lstrip("/")] = body.split(b"\r\n")[1] if "aws-chunked" in str(request.headers) else body
        return AWSResponse(request.url, 200, {}, Raw(b""))

    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(message["MessageBody"]) for message in self.sent]


class Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **kwargs: Any) -> Iterator[bytes]:
        yield self._content


def respond(status: int, body: dict[str, Any]) -> AWSResponse:
    return AWSResponse("https://aws.example", status, {"content-type": "application/x-amz-json-1.0"}, Raw(json.dumps(body).encode()))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def post(path: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST", query: str = "", encoded: bool = False) -> dict[str, Any]:
    parts = path.strip("/").split("/")
    names = {1: [], 2: ["channel"], 3: ["channel", "source"]}[len(parts)]
    resource = (
        "/webhooks/crm/{source}" if parts[:2] == ["webhooks", "crm"] and len(parts) == 3 else "/" + "/".join([parts[0], *(f"{{{name}}}" for name in names)])
    )
    many = {name: [value] for name, value in (headers or {}).items()}
    values = parse_qsl(query, keep_blank_values=True)
    return receive_webhook.handler(
        {
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": headers or {},
            "multiValueHeaders": many,
            "queryStringParameters": dict(values) or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in values} or None,
            "pathParameters": dict(zip(names, parts[1:], strict=True)) if resource != "/webhooks/crm/{source}" else {"source": parts[2]},
            "stageVariables": None,
            "requestContext": {"resourcePath": resource, "httpMethod": method, "path": path, "stage": "live"},
            "body": (base64.b64encode(body).decode() if encoded else body.decode("latin-1")) if body else None,
            "isBase64Encoded": encoded,
        },
        None,
    )


def signed(data: Any, at: datetime = NOW, key: bytes = KEY, message_id: str = "msg_1") -> tuple[bytes, dict[str, str]]:
    body = data if isinstance(data, bytes) else json.dumps({"type": "signal.created", "data": data}).encode()
    stamp = str(int(at.timestamp()))
    digest = hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")
    return body, {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def hub(body: bytes) -> dict[str, str]:
    return {"content-type": "application/json", "x-hub-signature-256": "sha256=" + hmac.digest(META.encode(), body, "sha256").hex()}


GOOD = {"id": "p-1", "occurred_at": "2026-03-14T09:29:00Z", "author": {"id": "u-1"}, "text": "no reply for days"}
