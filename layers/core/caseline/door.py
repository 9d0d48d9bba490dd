"""The door: from an API Gateway event to the platform's answer. The order of the steps is the contract."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from caseline.channels import open_channel
from caseline.errors import PayloadError, SignatureError, UnavailableError, UnknownChannelError
from caseline.intake import Envelope, resolve_trust
from caseline.metrics import emit
from caseline.settings import SourceConfig
from caseline.signatures import MismatchError
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

BODY_LIMIT = 262_144  # bytes; a channel may declare its own
RETRY_SECONDS = 30
JSON = {"Content-Type": "application/json"}


_open = cache(open_channel)  # a name that is no module raises, and is not kept


class RefusedError(Exception):
    """The request is not taken; `reason` goes into the metric, never into the answer."""

    def __init__(self, status: int, reason: str, body: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.response = reason, WebhookResponse(status, body, headers or {})


class Log(Protocol):
    def error(self, msg: object, *, extra: Mapping[str, object]) -> None: ...


class Door:
    """`wiring` gives configuration, secrets, queue and clock, each when it is first needed."""

    def __init__(self, wiring: Any, log: Log) -> None:
        self._wiring, self._log = wiring, log

    def receive(self, channel_name: str, source_name: str, event: Mapping[str, Any]) -> WebhookResponse:
        label = "unknown"
        try:
            config, channel = self._find(channel_name, source_name)
            label = config.key
            return self._receive(config, channel, event)
        except RefusedError as refusal:
            emit({"Rejected": 1}, label, self._wiring.clock(), self._wiring.stack, reason=refusal.reason)
            return refusal.response
        except UnavailableError as error:
            self._log.error("not accepted", extra={"source": label, "reason": str(error)})
            emit({"Rejected": 1}, label, self._wiring.clock(), self._wiring.stack, reason="unavailable")
            return WebhookResponse(503, "", {"Retry-After": str(RETRY_SECONDS)})

    def _find(self, channel_name: str, source_name: str) -> tuple[SourceConfig, ModuleType]:
        config = self._wiring.config.source(channel_name, source_name)
        if config is None:
            raise RefusedError(404, "unknown source")
        try:
            return config, _open(channel_name)
        except UnknownChannelError as error:
            raise RefusedError(404, "unknown channel") from error

    def _receive(self, config: SourceConfig, channel: ModuleType, event: Mapping[str, Any]) -> WebhookResponse:
        body = read_body(event, getattr(channel, "BODY_LIMIT", BODY_LIMIT))
        request = WebhookRequest(event["httpMethod"], self._public_url(event), read_headers(event), body, self._wiring.clock())
        source = self._wiring.source(config.channel, config.name)
        try:
            return self._greet(channel, request, source) or self._take(config, channel, request, source)
        except SignatureError as error:
            raise RefusedError(401, "signature") from error

    def _greet(self, channel: ModuleType, request: WebhookRequest, source: Source) -> WebhookResponse | None:
        """All but POST are handshakes and nothing else."""
        if request.method == "POST":
            return None
        response = _challenge(channel, request, source)
        if response is None:
            raise RefusedError(405, "method", headers={"Allow": "POST"})
        return response

    def _take(self, config: SourceConfig, channel: ModuleType, request: WebhookRequest, source: Source) -> WebhookResponse:
        self._verify(config, channel, request, source)
        response = _challenge(channel, request, source)
        if response is not None:
            return response
        first_party = getattr(channel, "FIRST_PARTY", False)
        trust, envelope_id = resolve_trust(config.trust, channel), self._wiring.new_id()
        envelope = Envelope(envelope_id, config.channel, config.name, config.brand, trust, request.received_at)
        try:
            items = channel.parse(request, source)
        except PayloadError as error:
            if first_party:
                raise RefusedError(422, "payload", _describe(error), JSON) from error
            items = None
            count = self._wiring.intake.keep_whole(envelope, request, error, _kept_headers(channel, request), _kept_url(request, source))
        else:
            count = self._wiring.intake.accept(envelope, items)
        emit({"Accepted": count} if count else {"Ignored": 1}, config.key, request.received_at, self._wiring.stack)
        return _acknowledge(channel, request, source, items, count)

    def _verify(self, config: SourceConfig, channel: ModuleType, request: WebhookRequest, source: Source) -> None:
        """A signature that is well formed and in time but that no secret explains may be the first of a new secret."""
        try:
            channel.verify(request, source)
        except MismatchError:
            if not self._wiring.secret_shelf.refresh(config.key):
                raise
            channel.verify(request, source)

    def _public_url(self, event: Mapping[str, Any]) -> str:
        return public_url(self._wiring.config.public_url, event)


def public_url(base: str, event: Mapping[str, Any]) -> str:
    """The URL the platform was given: `base` is from the configuration, never from Host."""
    many = event.get("multiValueQueryStringParameters") or {name: [value] for name, value in (event.get("queryStringParameters") or {}).items()}
    query = urlencode([(name, value) for name, values in many.items() for value in values], quote_via=quote)
    return f"{base}{event['path']}{'?' + query if query else ''}"


def read_body(event: Mapping[str, Any], limit: int) -> bytes:
    """The body's bytes as they were sent; measured before they are decoded."""
    body = event.get("body") or ""
    encoded = bool(event.get("isBase64Encoded"))
    if (len(body) * 3 // 4 - body[-2:].count("=") if encoded else len(body)) > limit:
        raise RefusedError(413, "size")
    try:
        content = base64.b64decode(body, validate=True) if encoded else body.encode("utf-8", "surrogatepass")
    except (ValueError, binascii.Error) as error:
        raise RefusedError(400, "encoding") from error
    if len(content) > limit:
        raise RefusedError(413, "size")
    return bytes(content)


def read_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """A header sent twice is one with both values, so that a strict reader refuses it."""
    many = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    return {name: ", ".join(values) for name, values in many.items()}


def _challenge(channel: ModuleType, request: WebhookRequest, source: Source) -> WebhookResponse | None:
    response: WebhookResponse | None = channel.challenge(request, source) if hasattr(channel, "challenge") else None
    return response


def _acknowledge(channel: ModuleType, request: WebhookRequest, source: Source, items: list[Any] | None, count: int) -> WebhookResponse:
    if hasattr(channel, "acknowledge"):
        response: WebhookResponse = channel.acknowledge(request, source, items if items is not None else [None] * count)
        return response
    return WebhookResponse(202, json.dumps({"accepted": count}), JSON)


def _describe(error: PayloadError) -> str:
    return json.dumps({"error": {"code": "invalid_payload", "message": error.message, "field": error.field}})


def _kept_headers(channel: ModuleType, request: WebhookRequest) -> dict[str, str]:
    """The headers a replay needs: the content type and those the channel names. Never credentials."""
    return {name: request.headers[name] for name in ("content-type", *getattr(channel, "KEPT_HEADERS", ())) if name in request.headers}


def _kept_url(request: WebhookRequest, source: Source) -> str:
    """The URL without what proves the sender."""
    secrets = frozenset(source.secrets)
    query = urlencode([(name, value) for name, value in request.query.items() if value not in secrets])
    return request.url.partition("?")[0] + (f"?{query}" if query else "")
