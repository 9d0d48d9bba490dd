"""API Gateway's REST proxy integration: the event a function gets of a request, and the answer made of its result."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl

from caseline_local.engine.environment import Outcome
from caseline_local.engine.routes import Match

_PORTS = {"https": 443, "http": 80}
_LARGEST_EVENT = 6 * 1024 * 1024


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came: `path` and `query` still percent-encoded, headers in order and as written."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    client: str

    def header(self, name: str) -> str:
        return next((value for given, value in reversed(self.headers) if given.lower() == name), "")


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


def answer_message(status: int, message: str) -> HttpAnswer:
    """An answer of API Gateway's own."""
    return answer_json(status, {"message": message})


def answer_json(status: int, document: Any) -> HttpAnswer:
    return HttpAnswer(status, [("Content-Type", "application/json")], json.dumps(document).encode())


def build_event(request: HttpRequest, match: Match, public_url: SplitResult, authorizer: Mapping[str, Any] | None) -> dict[str, Any]:
    """The proxy event, version 1.0. Bodies are base64: the API takes every media type as binary, so that signatures see raw bytes."""
    query = parse_qsl(request.query, keep_blank_values=True)
    trace = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    forwarded = [
        ("X-Forwarded-For", request.client),
        ("X-Forwarded-Proto", public_url.scheme),
        ("X-Forwarded-Port", str(public_url.port or _PORTS[public_url.scheme])),
        ("X-Amzn-Trace-Id", trace),
    ]
    headers = [*request.headers, *forwarded]
    return {
        "resource": match.route.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": _gather(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _gather(query) or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": None,
        "requestContext": _build_context(request, match, public_url.netloc, authorizer),
        "body": base64.b64encode(request.body).decode() if request.body else None,
        "isBase64Encoded": bool(request.body),
    }


def _build_context(request: HttpRequest, match: Match, host: str, authorizer: Mapping[str, Any] | None) -> dict[str, Any]:
    now = time.time()
    context = {
        "resourceId": "local",
        "resourcePath": match.route.path,
        "httpMethod": request.method,
        "extendedRequestId": secrets.token_urlsafe(11),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "path": request.path,
        "accountId": "123456789012",
        "protocol": "HTTP/1.1",
        "stage": "local",
        "domainName": host,
        "domainPrefix": host.split(".")[0],
        "requestId": str(uuid.uuid4()),
        "apiId": "local",
        "identity": {"sourceIp": request.client, "userAgent": request.header("user-agent") or None, "user": None, "caller": None, "accountId": None},
    }
    return {**context, "authorizer": dict(authorizer)} if authorizer else context


def _gather(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return gathered


def encode_event(event: Mapping[str, Any]) -> bytes | None:
    """The event as the function's payload; None where Lambda would refuse it for its size."""
    payload = json.dumps(event).encode()
    return payload if len(payload) <= _LARGEST_EVENT else None


def read_answer(outcome: Outcome) -> HttpAnswer:
    """What the caller gets of a function's result: errors and malformed results are 502, a timeout 504."""
    if outcome.error == "Sandbox.Timedout":
        return answer_message(504, "Endpoint request timed out")
    try:
        return _read_result(json.loads(outcome.payload)) if not outcome.error else answer_message(502, "Internal server error")
    except (ValueError, TypeError, KeyError, AttributeError):
        return answer_message(502, "Internal server error")


def _read_result(result: Mapping[str, Any]) -> HttpAnswer:
    headers = {name.lower(): [(name, str(value))] for name, value in (result.get("headers") or {}).items()}
    for name, values in (result.get("multiValueHeaders") or {}).items():
        headers[name.lower()] = [(name, str(value)) for value in values]
    headers.setdefault("content-type", [("Content-Type", "application/json")])
    body = result.get("body") or ""
    content = base64.b64decode(body) if result.get("isBase64Encoded") else str(body).encode()
    return HttpAnswer(int(result["statusCode"]), [pair for pairs in headers.values() for pair in pairs], content)
