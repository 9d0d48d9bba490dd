"""What Meta's platforms share: one signature, one handshake, one envelope.

Credential: the App Secret; for the handshake the setting `verify_token`.
"""

from __future__ import annotations

from caseline.calls import webhook_secrets
from caseline.errors import SignatureError
from caseline.payloads import Field
from caseline.signatures import sign_prefixed, verify_prefixed, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

BODY_LIMIT = 3_000_000
HEADER = "x-hub-signature-256"


def verify(request: WebhookRequest, source: Source) -> None:
    verify_prefixed(request.headers, HEADER, "sha256=", request.body, webhook_secrets(source))


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    return request.with_headers(sign_prefixed(HEADER, "sha256=", request.body, webhook_secrets(source)[0]))


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


def list_entries(body: Field) -> list[Field]:
    """What a request brings, by account."""
    return list(body["entry"].each()) or body["entry"].refuse("is empty")
