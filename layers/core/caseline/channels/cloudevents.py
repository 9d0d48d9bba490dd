"""CloudEvents 1.0 by HTTP: the generic signal in its three content modes, posted by first parties. Credential: a bearer token (`Authorization: Bearer`, or
`access_token` in the URL), or the same secret as `whsec_<base64>` with which the sender signs by Standard Webhooks; whoever sends a signature is held to it.

Facts: github.com/cloudevents/spec, "HTTP protocol binding", "JSON event format", "HTTP 1.1 web hooks". `type`, `time` and `data` are those of
caseline.generic. A wrong field is answered 422 with its path, a format that is not JSON 415. Setting `allowed_origins`: who may ask to deliver (OPTIONS).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from caseline.batches import Item, read_batch
from caseline.errors import PayloadError, SignatureError
from caseline.generic import read_signal
from caseline.payloads import Field, clean_text, read_json
from caseline.signals import Signal, Unreadable
from caseline.signatures import read_header
from caseline.signatures.standard import verify_standard_webhook
from caseline.signatures.tokens import verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "cloudevents"
PROOF = "token"
FIRST_PARTY = True
MIN_SECRET = 32
ATTRIBUTES = ("id", "source", "type", "specversion", "time")
KEPT_HEADERS = (*(f"ce-{name}" for name in ATTRIBUTES), "ce-datacontenttype")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


def verify(request: WebhookRequest, source: Source) -> None:
    if "webhook-signature" in request.headers or "svix-signature" in request.headers:
        return verify_standard_webhook(request.headers, request.body, source.secrets, request.received_at)
    if "authorization" not in request.headers and "access_token" in request.query:
        return verify_token(request.query["access_token"], source.secrets)
    scheme, _, token = read_header(request.headers, "authorization", 1024).partition(" ")
    if scheme.lower() != "bearer":
        raise SignatureError("the credentials are not a bearer token")
    return verify_token(token, source.secrets)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the sender would send it, with the newest secret; for samples."""
    return request.with_headers({"authorization": f"Bearer {source.secrets[0]}"})


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The handshake against abuse, and the answer to formats that are not read."""
    if request.method == "OPTIONS":
        origin, allowed = request.headers.get("webhook-request-origin", ""), source.settings.get("allowed_origins")
        if not origin or not isinstance(allowed, list) or not {origin, "*"} & {str(each) for each in allowed}:
            return None
        return WebhookResponse(200, "", {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST, OPTIONS"})
    media = _media_type(request)
    unread = media.startswith("application/cloudevents") and media not in (STRUCTURED, BATCH)
    return WebhookResponse(415) if unread and request.method == "POST" else None


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """Structured and batched events say so by their content type; otherwise the headers are the envelope and the body is the data."""
    media = _media_type(request)
    if media != BATCH and "ce-specversion" in request.headers and media != STRUCTURED:
        return [_read_envelope(_read_binary(request, media), source, request)]
    body = read_json(request.body)
    if media == BATCH or isinstance(body.value, list):
        return read_batch(_items(body, source, request))
    return [_read_envelope(body, source, request)]


def _items(body: Field, source: Source, request: WebhookRequest) -> Iterator[Item]:
    if body.value is None:
        body.refuse("must be a list")
    for event in body.each():
        yield event, partial(_read_envelope, event, source, request)


def _read_envelope(event: Field, source: Source, request: WebhookRequest) -> Signal:
    if event["specversion"].text() != "1.0":
        event["specversion"].refuse("must be 1.0")
    event["id"].id()
    event["source"].id()
    known = {name: event[name].value for name in ("type", "time")}
    return read_signal(Field({**known, "data": _read_data(event)}, ""), source, request.received_at, NAMESPACE, time_field="time")


def _read_data(event: Field) -> Any:
    """The data as JSON, whether it stands there or is encoded."""
    media = (event["datacontenttype"].text_or_none() or "application/json").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        event["datacontenttype"].refuse("must be JSON")
    if "data_base64" not in event:
        return event["data"].value
    try:
        content = base64.b64decode(event["data_base64"].text().encode(), validate=True)
    except ValueError:
        event["data_base64"].refuse("must be base64")
    return read_json(content).value


def _read_binary(request: WebhookRequest, media: str) -> Field:
    """The envelope of headers, percent-decoded."""
    if "ce-datacontenttype" in request.headers:
        raise PayloadError("must not be there; the content type says it", "ce-datacontenttype")
    named = {name: clean_text(unquote(request.headers[f"ce-{name}"])) for name in ATTRIBUTES if f"ce-{name}" in request.headers}
    return Field({**named, "datacontenttype": media or None, "data": read_json(request.body).value}, "")


def _media_type(request: WebhookRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
