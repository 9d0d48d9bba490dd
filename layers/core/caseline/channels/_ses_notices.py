"""What SES tells: of a mail that came, with its content or where that is stored, and of mails of the brand that failed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.mail import owns, read_failure, read_mail
from caseline.mail.headers import MailHeaders
from caseline.mail.mime import Failure, Mail, read_mime
from caseline.payloads import Field, read_json, read_time
from caseline.signals import POINTER, Signal, Unreadable
from caseline.sources import Source
from caseline.stored import read_stored

FAILURES = {"Bounce": ("bounce", "bouncedRecipients"), "Complaint": ("complaint", "complainedRecipients")}
SILENT = frozenset({
    "Delivery", "Send", "Open", "Click", "Reject", "DeliveryDelay", "Rendering Failure", "Subscription", "AmazonSnsSubscriptionSucceeded",
})  # fmt: skip
TRIAL = "Successfully validated SNS topic"  # SES tries the topic it was given
SETUP_OBJECT = "AMAZON_SES_SETUP_NOTIFICATION"
Read = Callable[[str, str], bytes]
Items = list[Signal | Unreadable]


@dataclass(frozen=True)
class Reader:
    """`read(bucket, key)` gives a stored object, where objects can be read."""

    source: Source
    received_at: datetime
    read: Read | None = None

    def read_event(self, event: Field) -> Items:
        if "Records" in event:
            return [item for record in event["Records"].each() for item in self._read_record(record)]
        if event["source"].value == "aws.s3":
            return self._read_stored(event)
        if event["source"].value == "aws.ses":
            return self._read_told(event["detail"])
        return [] if event["Event"].value == "s3:TestEvent" else event["source"].refuse("is not a known source of events")

    def _read_record(self, record: Field) -> Items:
        service = record["eventSource"].value or record["EventSource"].value
        if service == "aws:s3":
            return self._read_stored(record)
        if service == "aws:sns":
            return self.read_notification(record["Sns"]["Message"])
        return self._read_received(record["ses"]) if service == "aws:ses" else record["eventSource"].refuse("is not a known source of events")

    def read_notification(self, message: Field) -> Items:
        """The message of a topic, which SES has written, or S3 that was told to."""
        if message.text().startswith(TRIAL):
            return []
        told = Field(read_json(message.text().encode("utf-8", "surrogatepass")).object(), message.path)
        return self.read_event(told) if self.read and "Records" in told else self._read_told(told)

    def _read_told(self, told: Field) -> Items:
        field = told["notificationType"] if "notificationType" in told else told["eventType"]
        kind = field.text()
        if kind == "Received":
            return self._read_received(told)
        if kind in FAILURES:
            return self._read_failures(told, kind)
        return [] if kind in SILENT else field.refuse("is not a known type")

    def _read_received(self, told: Field) -> Items:
        facts = _read_facts(told)
        if "content" in told:
            return self._read_content(_decode(told["content"].text(), told["receipt"]["action"]), facts)
        place = self._find_object(told)
        if place and self.read:
            return self.read_object(*place, facts)
        headers = [(each["name"].text(), each["value"].text_or_none() or "") for each in told["mail"]["headers"].each()]
        found = self._read_mail(Mail(MailHeaders([*headers, *_common(told["mail"])])), facts)
        if not place:
            return [*found]
        kept = {"object": {"bucket": place[0], "key": place[1]}, "verdicts": facts["verdicts"]}
        return [mail.with_(kind=POINTER, text=None, attributes={**mail.attributes, **kept}) for mail in found]

    def _find_object(self, told: Field) -> tuple[str, str] | None:
        """Where the mail was stored: by the action that tells of it, or by the one before it, as setting `bucket_prefix` (bucket/beginning/of/the/key) says."""
        action, prefix = told["receipt"]["action"], self.source.settings.get("bucket_prefix")
        if action["type"].value == "Lambda" and isinstance(prefix, str):
            bucket, _, beginning = prefix.partition("/")
            return bucket, beginning + told["mail"]["messageId"].id()
        bucket, key = action["bucketName"].text_or_none() or "", action["objectKey"].text_or_none() or ""
        return (bucket, key) if bucket and key else None

    def _read_stored(self, event: Field) -> Items:
        place = read_stored(event)
        return self.read_object(*place, {"provider_id": place[1].rpartition("/")[2]}) if place else []

    def read_object(self, bucket: str, key: str, facts: Mapping[str, Any]) -> Items:
        if self.read is None or key.rpartition("/")[2] == SETUP_OBJECT:
            return []
        return self._read_content(self.read(bucket, key), facts)

    def _read_content(self, content: bytes, facts: Mapping[str, Any]) -> Items:
        return [*self._read_mail(read_mime(content), facts)]

    def _read_mail(self, mail: Mail, facts: Mapping[str, Any]) -> list[Signal]:
        """With SES's verdicts. One that S3 alone told of carries them as headers. An own sender that fails DMARC is somebody else, and spam."""
        stated = {name: mail.headers.raw(f"x-ses-{name}-verdict") for name in ("spam", "virus")}
        failed = {name for name, verdict in {**stated, **(facts.get("verdicts") or {})}.items() if verdict == "FAIL"}
        forged = "dmarc" in failed and any(owns(self.source, identity) for _, identity in mail.headers.addresses("from"))
        known = replace(
            mail, provider_id=facts.get("provider_id") or "", authentic=not forged,
            received=read_time(facts["received"], "mail.timestamp") if facts.get("received") else None,
            attributes={"spam": bool(failed & {"spam", "virus"}) or forged, "virus": "virus" in failed},
        )
        return read_mail(known, "ses", self.source, self.received_at)

    def _read_failures(self, told: Field, kind: str) -> Items:
        """One signal for each recipient: of a mail of the brand that came back, or that was called spam."""
        name, people = FAILURES[kind]
        notice, mail = told[name], told["mail"]
        message_id = next(iter(MailHeaders(_common(mail)).ids("message-id")), None) or mail["messageId"].id_or_none()
        moment = notice["timestamp"].time_or_none() or self.received_at
        kinds = notice["bounceType"].text_or_none() or notice["complaintFeedbackType"].text_or_none(), notice["bounceSubType"].text_or_none()
        said = dict(zip(("type", "subtype"), kinds, strict=True))
        signals: Items = []
        for person in notice[people].each():
            address = person["emailAddress"].text()
            facts = {**said, "status": person["status"].text_or_none(), "diagnostic": (person["diagnosticCode"].text_or_none() or "")[:500]}
            failure = Failure(address, {name: {key: value for key, value in facts.items() if value} or True}, message_id)
            signals.append(read_failure(failure, f"{notice['feedbackId'].id()}/{address}", "ses", self.source, moment, self.received_at))
        return signals


def _read_facts(told: Field) -> dict[str, Any]:
    """What SES knows of the mail and its headers do not say."""
    verdicts = {name: told["receipt"][f"{name}Verdict"]["status"].text_or_none() or "" for name in ("spam", "virus", "dmarc")}
    return {"provider_id": told["mail"]["messageId"].id(), "verdicts": verdicts, "received": told["mail"]["timestamp"].text_or_none()}


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
