"""How each platform proves a request, from the sender's side. A channel module may bring its own: `sign(request, secret, now)`."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from caseline.channels import open_channel
from caseline.signatures import standard_keys
from caseline.web import WebhookRequest

from caseline_local.cli.terminal import FindingsError

Signer = Callable[[WebhookRequest, str, datetime], WebhookRequest]


def sign(channel: str, request: WebhookRequest, secret: str, now: datetime) -> WebhookRequest:
    """The request as the channel's platform would send it."""
    signer: Signer | None = SIGNERS.get(channel) or getattr(open_channel(channel), "sign", None)
    if signer is None:
        raise FindingsError(f"how {channel} signs is not known here; give channels/{channel}.py a function `sign(request, secret, now)`")
    return signer(request, secret, now)


def sign_standard_webhook(request: WebhookRequest, secret: str, now: datetime) -> WebhookRequest:
    message_id, stamp = "msg_" + hashlib.sha256(request.body).hexdigest()[:24], str(int(now.timestamp()))
    keys = standard_keys([secret])
    if not keys:
        raise FindingsError("the secret is no base64; write whsec_ and the base64 of 24 to 64 bytes")
    signature = _base64(hmac.digest(keys[0], f"{message_id}.{stamp}.".encode() + request.body, "sha256"))
    return request.with_headers({"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"})


def sign_x(request: WebhookRequest, secret: str, now: datetime) -> WebhookRequest:
    signature = _base64(hmac.digest(secret.encode(), request.body, "sha256"))
    return request.with_headers({"x-twitter-webhooks-signature": f"sha256={signature}"})


def sign_meta(request: WebhookRequest, secret: str, now: datetime) -> WebhookRequest:
    return request.with_headers({"x-hub-signature-256": "sha256=" + hmac.digest(secret.encode(), request.body, "sha256").hex()})


def sign_twilio(request: WebhookRequest, secret: str, now: datetime) -> WebhookRequest:
    """The URL counts, as the platform was given it."""
    fields = "".join(name + value for name, value in sorted(set(parse_qsl(request.body.decode(), keep_blank_values=True))))
    return request.with_headers({"x-twilio-signature": _base64(hmac.digest(secret.encode(), (request.url + fields).encode(), "sha1"))})


def add_token(request: WebhookRequest, secret: str, now: datetime) -> WebhookRequest:
    """A platform that does not sign carries a token in its URL."""
    joint = "&" if "?" in request.url else "?"
    return WebhookRequest(request.method, request.url + joint + urlencode({"token": secret}), request.headers, request.body, request.received_at)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


SIGNERS: Mapping[str, Signer] = {
    "standard_webhooks": sign_standard_webhook, "x": sign_x, "meta": sign_meta, "twilio": sign_twilio, "trustpilot": add_token,
}
