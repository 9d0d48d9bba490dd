"""What Meta's platforms share: one signature, one handshake, one envelope.

Credential: the App Secret; for the handshake the setting `verify_token`.
"""

from __future__ import annotations

import json

from caseline.errors import SignatureError
from caseline.payloads import Field
from caseline.schemes import BodyScheme
from caseline.signals import Signal, Unreadable
from caseline.signatures.tokens import verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

BODY_LIMIT = 3_000_000
_SCHEME = BodyScheme("x-hub-signature-256", "sha256=")
verify, sign = _SCHEME.verify, _SCHEME.sign


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The subscription handshake: the challenge as plain text if the verify token is ours."""
    query = request.query
    if request.method != "GET" or "hub.challenge" not in query:
        return None
    try:
        verify_token(query.get("hub.verify_token"), [str(source.settings.get("verify_token") or "")])
    except SignatureError:
        return WebhookResponse(403)
    return WebhookResponse(200, query["hub.challenge"], {"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff"})


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """The platform asks for 200."""
    return WebhookResponse(200, json.dumps({"accepted": len(signals)}), {"Content-Type": "application/json"})


def list_entries(body: Field) -> list[Field]:
    """What a request brings, by account."""
    return list(body["entry"].each()) or body["entry"].refuse("is empty")
