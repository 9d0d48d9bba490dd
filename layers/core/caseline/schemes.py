"""Signatures that many platforms make in the same way: each scheme verifies a request, and signs one as the platform would; for samples.

Secrets are those of the source that prove webhooks; its newest one signs.
"""

from __future__ import annotations

from dataclasses import dataclass

from caseline.calls import webhook_secrets
from caseline.signatures import decode_base64, decode_hex, encode_base64
from caseline.signatures.hmacs import sign_prefixed, sign_timed, verify_prefixed, verify_timed
from caseline.signatures.tokens import sign_basic, verify_credentials
from caseline.sources import Source
from caseline.web import WebhookRequest


@dataclass(frozen=True)
class BodyScheme:
    """`<prefix><HMAC of the body>` in one header, in hex or in base64."""

    header: str
    prefix: str = ""
    algorithm: str = "sha256"
    base64: bool = False
    bare: bool = False
    """Whether it is taken without its prefix too."""

    def verify(self, request: WebhookRequest, source: Source) -> None:
        decode = decode_base64 if self.base64 else decode_hex
        prefix = "" if self.bare and not (request.headers.get(self.header) or "").startswith(self.prefix) else self.prefix
        verify_prefixed(request.headers, self.header, prefix, request.body, webhook_secrets(source), decode, self.algorithm)

    def sign(self, request: WebhookRequest, source: Source) -> WebhookRequest:
        encode = encode_base64 if self.base64 else bytes.hex
        return request.with_headers(sign_prefixed(self.header, self.prefix, request.body, webhook_secrets(source)[0], encode, self.algorithm))


@dataclass(frozen=True)
class TimedScheme:
    """`v0=<hex HMAC of v0:time:body>` in one header, the time in another."""

    time_header: str
    header: str

    def verify(self, request: WebhookRequest, source: Source) -> None:
        verify_timed(request.headers, self.time_header, self.header, request.body, webhook_secrets(source), request.received_at)

    def sign(self, request: WebhookRequest, source: Source) -> WebhookRequest:
        return request.with_headers(sign_timed(self.time_header, self.header, request.body, webhook_secrets(source)[0], request.received_at))


class TokenScheme:
    """A token as `?token=` in the URL that the platform was given, or as the password of Basic credentials in it."""

    def verify(self, request: WebhookRequest, source: Source) -> None:
        verify_credentials(request.url, request.headers, webhook_secrets(source))

    def sign(self, request: WebhookRequest, source: Source) -> WebhookRequest:
        return request.with_headers(sign_basic(webhook_secrets(source)[0]))
