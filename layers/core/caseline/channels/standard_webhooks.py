"""Standard Webhooks: the generic signal, posted by first parties. Credential: a shared secret `whsec_<base64>` of 24 to 64 bytes.

Scheme: https://www.standardwebhooks.com (1.0.0). A wrong field is answered 422 with its path.
A source with the setting `form` takes the answers of a form as they are (see caseline.forms).
"""

from __future__ import annotations

import hashlib

from caseline.forms import read_form_response
from caseline.generic import read_signal
from caseline.payloads import read_json
from caseline.signals import Signal, Unreadable
from caseline.signatures.standard import sign_standard_webhook, verify_standard_webhook
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "standard_webhooks"
FIRST_PARTY = True
MIN_SECRET = 32  # characters: 24 bytes in base64


def verify(request: WebhookRequest, source: Source) -> None:
    verify_standard_webhook(request.headers, request.body, source.secrets, request.received_at)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    message_id = "msg_" + hashlib.sha256(request.body).hexdigest()[:24]
    return request.with_headers(sign_standard_webhook(message_id, request.body, source.secrets[0], request.received_at))


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    read = read_form_response if source.settings.get("form") else read_signal
    return [read(read_json(request.body), source, request.received_at, NAMESPACE)]
