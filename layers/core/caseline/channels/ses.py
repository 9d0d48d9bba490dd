"""E-mail received by Amazon SES, with bounces and complaints, by SNS over HTTPS or as events of S3, SNS and EventBridge. Credential: SNS's own
signature on messages of the topics in setting `topic_arns`; events of AWS itself come in by IAM.

Facts: docs.aws.amazon.com, "Amazon SES notification contents" (receiving and sending) and "Verifying the signatures of Amazon SNS messages". Certificates come
from setting `signing_certificates` ({url: PEM}), else once from AWS's own host. A subscription is never confirmed by calling the URL that a request names:
it is kept in quarantine with its token, for `aws sns confirm-subscription --topic-arn ... --token ...`. A mail without content is a pointer to its object.
Mails that SES encrypted on the client's side are not read. Tries of SNS carry the time of the first, for at most an hour; a day is allowed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from caseline.certificates import CertificateShelf, fetch_certificate
from caseline.errors import PayloadError, SignatureError
from caseline.mail import BODY_LIMIT as BODY_LIMIT
from caseline.mail import owns, read_failure, read_mail
from caseline.mime import Failure, Mail, MailHeaders, read_mime
from caseline.payloads import Field, read_json, read_time
from caseline.signals import POINTER, Signal, Unreadable
from caseline.signatures import read_header, sign_notification, verify_notification
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "email"
TYPES = frozenset({"Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"})
FAILURES = {"Bounce": ("bounce", "bouncedRecipients"), "Complaint": ("complaint", "complainedRecipients")}
SILENT = frozenset({
    "Delivery", "Send", "Open", "Click", "Reject", "DeliveryDelay", "Rendering Failure", "Subscription", "AmazonSnsSubscriptionSucceeded",
})  # fmt: skip
WINDOW = timedelta(days=1)
SETUP_OBJECT = "AMAZON_SES_SETUP_NOTIFICATION"
Read = Callable[[str, str], bytes]

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
    return _read_notification(message["Message"], source, request.received_at, None)


def parse_event(event: Mapping[str, Any], source: Source, *, received_at: datetime, read: Read) -> list[Signal | Unreadable]:
    """Events of S3 (a mail was stored), SNS, the Lambda action of SES, and EventBridge (from S3 or SES)."""
    body = Field(event, "")
    if "Records" in body:
        return [item for record in body["Records"].each() for item in _read_record(record, source, received_at, read)]
    if body["source"].value == "aws.s3":
        detail = body["detail"]
        created = body["detail-type"].text() == "Object Created"
        return _read_object(detail["bucket"]["name"].text(), detail["object"]["key"].text(), source, received_at, read) if created else []
    if body["source"].value == "aws.ses":
        return _read_told(body["detail"], source, received_at, read)
    return [] if body["Event"].value == "s3:TestEvent" else body["source"].refuse("is not a known source of events")


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The mail that a pointer names; `session.read(bucket, key)` gives the object."""
    where = signal.attributes["object"]
    found = _read_object(where["bucket"], where["key"], source, signal.received_at, session.read, signal.attributes)
    if not found:
        raise PayloadError("holds no mail of a customer", "object")
    mail: Any = found[0]
    return Signal.from_json({**mail.to_json(), "native_id": signal.native_id})


def _read_record(record: Field, source: Source, received_at: datetime, read: Read) -> list[Signal | Unreadable]:
    service = record["eventSource"].value or record["EventSource"].value
    if service == "aws:s3":
        place = record["s3"]
        created = record["eventName"].text().startswith("ObjectCreated:")
        return _read_object(place["bucket"]["name"].text(), unquote_plus(place["object"]["key"].text()), source, received_at, read) if created else []
    if service == "aws:sns":
        return _read_notification(record["Sns"]["Message"], source, received_at, read)
    if service != "aws:ses":
        record["eventSource"].refuse("is not a known source of events")
    return _read_received(record["ses"], source, received_at, read)


def _read_notification(message: Field, source: Source, received_at: datetime, read: Read | None) -> list[Signal | Unreadable]:
    text = message.text()
    if text.startswith("Successfully validated SNS topic"):
        return []  # SES tries the topic it was given
    told = Field(read_json(text.encode("utf-8", "surrogatepass")).object(), message.path)
    if read and "Records" in told:  # S3 told the topic that a mail was stored
        return [item for record in told["Records"].each() for item in _read_record(record, source, received_at, read)]
    return _read_told(told, source, received_at, read)


def _read_told(told: Field, source: Source, received_at: datetime, read: Read | None) -> list[Signal | Unreadable]:
    field = told["notificationType"] if "notificationType" in told else told["eventType"]
    kind = field.text()
    if kind == "Received":
        return _read_received(told, source, received_at, read)
    if kind in FAILURES:
        return _read_failures(told, kind, source, received_at)
    return [] if kind in SILENT else field.refuse("is not a known type")


def _read_received(told: Field, source: Source, received_at: datetime, read: Read | None) -> list[Signal | Unreadable]:
    mail, action = told["mail"], told["receipt"]["action"]
    facts = _read_facts(told)
    if "content" in told:
        return _read_content(_decode(told["content"].text(), action), source, received_at, facts)
    bucket, key = _find_object(told, source)
    if bucket and key and read:
        return _read_object(bucket, key, source, received_at, read, facts)
    headers = [(each["name"].text(), each["value"].text_or_none() or "") for each in mail["headers"].each()]
    found = read_mail(_mail(Mail(MailHeaders([*headers, *_common(mail)])), source, facts), "ses", source, received_at)
    pointer = {"kind": POINTER, "text": None} if bucket and key else {}
    where = {"object": {"bucket": bucket, "key": key}} if pointer else {}
    return [signal.with_(**pointer, attributes={**signal.attributes, **where, **({"verdicts": facts["verdicts"]} if pointer else {})}) for signal in found]


def _find_object(told: Field, source: Source) -> tuple[str | None, str | None]:
    """Where the mail was stored: by the action that tells of it, or by the one before it, as setting `bucket_prefix` (bucket/beginning/of/the/key) says."""
    action, prefix = told["receipt"]["action"], source.settings.get("bucket_prefix")
    if action["type"].value == "Lambda" and isinstance(prefix, str):
        bucket, _, beginning = prefix.partition("/")
        return bucket, beginning + told["mail"]["messageId"].id()
    return action["bucketName"].text_or_none(), action["objectKey"].text_or_none()


def _common(mail: Field) -> list[tuple[str, str]]:
    """The headers that SES reads itself; they stand behind those that were sent."""
    common = mail["commonHeaders"]
    lists = [(name, ", ".join(each.text() for each in common[name].each())) for name in ("from", "to", "cc")]
    plain = [(name, common[field].text_or_none() or "") for name, field in (("subject", "subject"), ("date", "date"), ("message-id", "messageId"))]
    return [(name, value) for name, value in [*lists, *plain] if value]


def _decode(content: str, action: Field) -> bytes:
    """As the rule's encoding says: the mail itself, or its base64."""
    if (action["encoding"].text_or_none() or "").upper() != "BASE64" and ":" in content[:2000]:
        return content.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(content, validate=False)
    except ValueError as error:
        raise PayloadError("is neither a mail nor base64", "content") from error


def _read_object(
    bucket: str, key: str, source: Source, received_at: datetime, read: Read, facts: Mapping[str, Any] | None = None,
) -> list[Signal | Unreadable]:
    if key.rpartition("/")[2] == SETUP_OBJECT:
        return []
    return _read_content(read(bucket, key), source, received_at, facts or {"provider_id": key.rpartition("/")[2]})


def _read_content(content: bytes, source: Source, received_at: datetime, facts: Mapping[str, Any]) -> list[Signal | Unreadable]:
    return [*read_mail(_mail(read_mime(content), source, facts), "ses", source, received_at)]


def _read_facts(told: Field) -> dict[str, Any]:
    """What SES knows of the mail and its headers do not say."""
    verdicts = {name: told["receipt"][f"{name}Verdict"]["status"].text_or_none() or "" for name in ("spam", "virus", "dmarc")}
    return {"provider_id": told["mail"]["messageId"].id(), "verdicts": verdicts, "received": told["mail"]["timestamp"].text_or_none()}


def _mail(mail: Mail, source: Source, facts: Mapping[str, Any]) -> Mail:
    """With SES's verdicts. One that S3 alone told of carries them as headers. An own sender that fails DMARC is somebody else, and spam."""
    stated = {name: mail.headers.raw(f"x-ses-{name}-verdict") for name in ("spam", "virus")}
    failed = {name for name, verdict in {**stated, **(facts.get("verdicts") or {})}.items() if verdict == "FAIL"}
    forged = "dmarc" in failed and any(owns(source, identity) for _, identity in mail.headers.addresses("from"))
    received = read_time(facts["received"], "mail.timestamp") if facts.get("received") else None
    return replace(
        mail, provider_id=facts.get("provider_id") or "", received=received, authentic=not forged,
        attributes={"spam": bool(failed & {"spam", "virus"}) or forged, "virus": "virus" in failed},
    )


def _read_failures(told: Field, kind: str, source: Source, received_at: datetime) -> list[Signal | Unreadable]:
    """One signal for each recipient: of a mail of the brand that came back, or that was called spam."""
    name, people = FAILURES[kind]
    notice, mail = told[name], told["mail"]
    message_id = next(iter(MailHeaders(_common(mail)).ids("message-id")), None) or mail["messageId"].id_or_none()
    moment = notice["timestamp"].time_or_none() or received_at
    said = {"type": notice["bounceType"].text_or_none() or notice["complaintFeedbackType"].text_or_none(), "subtype": notice["bounceSubType"].text_or_none()}
    signals: list[Signal | Unreadable] = []
    for person in notice[people].each():
        address = person["emailAddress"].text()
        facts = {**said, "status": person["status"].text_or_none(), "diagnostic": (person["diagnosticCode"].text_or_none() or "")[:500]}
        failure = Failure(address, {name: {key: value for key, value in facts.items() if value} or True}, message_id)
        signals.append(read_failure(failure, f"{notice['feedbackId'].id()}/{address}", "ses", source, moment, received_at))
    return signals
