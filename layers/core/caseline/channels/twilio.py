"""Twilio: SMS, WhatsApp and transcribed calls. Credential: the account's Auth Token (the sub-account's own, where one is used).

Facts: twilio.com/docs/usage/webhooks/webhooks-security, "Twilio's request to your incoming message webhook". The URL is signed as configured.
A request carries no time, so the receipt is the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identities
from caseline.payloads import clean_text, read_form, read_json
from caseline.signals import INBOUND, OUTBOUND, Signal, Unreadable
from caseline.signatures.forms import sign_twilio, verify_twilio
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

ANSWER_SECONDS = 15
NAMESPACES = ("phone", "whatsapp", "twilio")
RECEIVED = frozenset({"", "received", "receiving"})  # any other status tells of a message the brand sent
NOBODY = frozenset("anonymous restricted unavailable unknown +266696687 +7378742833 +2562533 +8656696 +86282452253".split())  # who withholds their number
EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
Fields = Mapping[str, str]


def verify(request: WebhookRequest, source: Source) -> None:
    verify_twilio(request.headers, request.url, request.body, source.secrets)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    return request.with_headers(sign_twilio(request.url, request.body, source.secrets[0]))


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """Empty TwiML: nothing to say or to do."""
    return WebhookResponse(200, EMPTY_TWIML, {"Content-Type": "text/xml"})


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    fields = _read_fields(request)
    if "TranscriptionSid" in fields:
        return _read_call(fields, request, source)
    if "MessageSid" in fields or "SmsSid" in fields:
        return _read_message(fields, request, source)
    if "CallSid" in fields:
        return []  # the course of a call; what was said comes as its transcription
    raise PayloadError("is required", "MessageSid")


def _read_fields(request: WebhookRequest) -> Fields:
    """The form's fields by name. A name that comes twice is refused: the scheme does not sign which one counts."""
    if "json" in request.headers.get("content-type", "").lower():
        return {name: value for name, value in read_json(request.body).object().items() if isinstance(value, str)}
    pairs = read_form(request.body)
    fields = {name: clean_text(value) for name, value in pairs}
    if len(fields) != len(pairs):
        raise PayloadError("a field comes twice")
    return fields


def _read_message(fields: Fields, request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    if status.lower() not in RECEIVED:
        return []
    native_id = _require(fields, "MessageSid" if fields.get("MessageSid") else "SmsSid")
    extras = {
        "opt_out": fields.get("OptOutType"), "media": _media(fields), "button": fields.get("ButtonText"), "account": fields.get("AccountSid"),
        "location": [fields[name] for name in ("Latitude", "Longitude") if fields.get(name)], "place": fields.get("Label") or fields.get("Address"),
    }
    signal = _signal(
        fields, request, source, native_id=native_id, kind="message", text=fields.get("Body") or fields.get("ButtonText") or None,
        author_name=fields.get("ProfileName") or None, parent_id=fields.get("OriginalRepliedMessageSid") or None,
        attributes={name: value for name, value in extras.items() if value},
    )
    return [signal]


def _read_call(fields: Fields, request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """The transcription of a call or a voicemail; it does not say who spoke, so all of it is the customer's."""
    if fields.get("TranscriptionStatus", "completed") != "completed":
        return []
    call, transcription = _require(fields, "CallSid"), _require(fields, "TranscriptionSid")
    outgoing = fields.get("Direction", "").startswith("outbound")
    signal = _signal(
        fields, request, source, customer_called=outgoing, native_id=f"{call}/{transcription}", kind="call", text=_require(fields, "TranscriptionText"),
        author_name=fields.get("CallerName") or None, attributes={"recording": fields["RecordingSid"]} if fields.get("RecordingSid") else {},
    )
    return [signal.with_(thread_id=call)]


def _signal(fields: Fields, request: WebhookRequest, source: Source, customer_called: bool = False, **facts: Any) -> Signal:
    """Who is the customer: the sender, or the one called, or the addressee of a number that is the brand's. A call may come without a number."""
    call = facts["kind"] == "call"
    sender, addressee = (fields.get(name, "") if call else _require(fields, name) for name in ("From", "To"))
    ours = _is_own(sender, source)
    customer, mine = addressee if ours or customer_called else sender, ours and not call
    return Signal(
        channel="twilio", source=source.name, occurred_at=request.received_at, received_at=request.received_at, direction=OUTBOUND if mine else INBOUND,
        identities=_identities(customer, "" if mine else fields.get("WaId", "")), agent=sender if mine else None,
        thread_id=f"{sender if mine else addressee}/{customer}", **facts,
    )


def _identities(address: str, whatsapp_id: str) -> tuple[str, ...]:
    """`whatsapp:+49...` has an id of its own and a phone number; a short code or a name is neither."""
    number = address.removeprefix("whatsapp:")
    if number.lower() in NOBODY:
        return ()
    if address != number:
        return normalise_identities([f"whatsapp:{whatsapp_id or number.lstrip('+')}", f"phone:{number}"])
    return normalise_identities([f"phone:{number}"]) or normalise_identities([f"twilio:{number}"])


def _is_own(address: str, source: Source) -> bool:
    number = address.removeprefix("whatsapp:")
    return any(source.owns(namespace, value) for namespace, value in (("phone", number), ("whatsapp", number.lstrip("+")), ("twilio", number)))


def _media(fields: Fields) -> list[str]:
    count = fields.get("NumMedia", "0")
    known = int(count) if count.isascii() and count.isdigit() and len(count) < 4 else 0
    return [fields.get(f"MediaContentType{index}", "") for index in range(min(known, 10))]


def _require(fields: Fields, name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise PayloadError("is required", name)
    return value
