"""E-mail received by Amazon SES, with bounces and complaints, by SNS over HTTPS or as events of S3, SNS and EventBridge. Credential: SNS's own
signature on messages of the topics in setting `topic_arns`; events of AWS itself come in by IAM.

Facts: docs.aws.amazon.com, "Amazon SES notification contents" (receiving and sending) and "Verifying the signatures of Amazon SNS messages". Certificates come
from setting `signing_certificates` ({url: PEM}), else once from AWS's own host. A subscription is never confirmed by calling the URL that a request names:
it is kept in quarantine with its token, for `aws sns confirm-subscription --topic-arn ... --token ...`. A mail without content is a pointer to its object.
Mails that SES encrypted on the client's side are not read. Tries of SNS carry the time of the first, for at most an hour; a day is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from caseline.certificates import CertificateShelf, fetch_certificate
from caseline.channels._ses_notices import Read, Reader
from caseline.errors import PayloadError, SignatureError
from caseline.mail import BODY_LIMIT as BODY_LIMIT
from caseline.payloads import Field, read_json, read_time
from caseline.signals import Signal, Unreadable
from caseline.signatures import read_header
from caseline.signatures.keys import sign_notification, verify_notification
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "email"
TYPES = frozenset({"Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"})
WINDOW = timedelta(days=1)

shelf = CertificateShelf(fetch_certificate)


def verify(request: WebhookRequest, source: Source) -> None:
    try:
        message = read_json(request.body).object()
        sent_at = read_time(str(message.get("Timestamp")))
    except PayloadError as error:
        raise SignatureError("the body is no message of SNS") from error
    if str(message.get("Type")) not in TYPES or read_header(request.headers, "x-amz-sns-message-type") != message["Type"]:
        raise SignatureError("the type is not one of SNS")
    if message.get("TopicArn") not in _topics(source):
        raise SignatureError("the topic is not expected")
    if abs(request.received_at - sent_at) > WINDOW:
        raise SignatureError("the message is stale")
    known = source.settings.get("signing_certificates")
    verify_notification(message, shelf.find(message.get("SigningCertURL"), known if isinstance(known, Mapping) else {}, request.received_at))


def _topics(source: Source) -> list[str]:
    named: Any = source.settings.get("topic_arns") or ()
    return [named] if isinstance(named, str) else list(named)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The message signed with a private key (PEM) of yours as the newest secret, whose certificate stands in `signing_certificates`; for samples."""
    message = sign_notification({**json.loads(request.body), "SignatureVersion": "2"}, source.secrets[0])
    return replace(request, body=json.dumps(message).encode()).with_headers({"x-amz-sns-message-type": message["Type"]})


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """SNS sends again what is not answered with a 2xx."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    message = read_json(request.body)
    if message["Type"].text() == "SubscriptionConfirmation":
        raise PayloadError("confirm the subscription of this topic with this token, if it is yours", "Token")
    if message["Type"].value != "Notification":
        return []
    return Reader(source, request.received_at).read_notification(message["Message"])


def parse_event(event: Mapping[str, Any], source: Source, *, received_at: datetime, read: Read) -> list[Signal | Unreadable]:
    """Events of S3 (a mail was stored), SNS, the Lambda action of SES, and EventBridge (from S3 or SES)."""
    return Reader(source, received_at, read).read_event(Field(event, ""))


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The mail that a pointer names; `session.read(bucket, key)` gives the object."""
    where = signal.attributes["object"]
    found = Reader(source, signal.received_at, session.read).read_object(where["bucket"], where["key"], signal.attributes)
    if not found:
        raise PayloadError("holds no mail of a customer", "object")
    mail: Any = found[0]
    return Signal.from_json({**mail.to_json(), "native_id": signal.native_id})
