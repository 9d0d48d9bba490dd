"""Zoom: transcripts of phone calls and voicemails, and text messages. Credential: the app's secret token; to fetch transcripts also an object
`{"account_id", "client_id", "client_secret"}` of a server-to-server app among the secrets.

Facts: developers.zoom.us, "Using webhooks", "Zoom Phone events". The timestamp is in seconds or milliseconds: sources differ, both are read. The URL is
validated by a challenge when it is set and, not confirmed, every 72 hours. Not confirmed: fields of text messages. No event with a rating of the
contact centre is documented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import Item, read_batch
from caseline.calls import webhook_secrets
from caseline.channels.zoom.transcripts import HOSTS, complete
from caseline.errors import PayloadError
from caseline.identity import is_own, normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import TimedScheme
from caseline.signals import DELETED, OUTBOUND, Signal, Unreadable
from caseline.signatures.hmacs import sign_challenge
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

__all__ = ["HOSTS", "challenge", "complete", "parse", "sign", "verify"]
NAMESPACES = ("phone", "zoom")
ANSWER_SECONDS = 3
VALIDATION = "endpoint.url_validation"
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}\Z")  # never what a body's signature is made of, which has colons
DELETIONS = frozenset({"phone.recording_deleted", "phone.recording_permanently_deleted", "phone.voicemail_deleted", "phone.voicemail_permanently_deleted"})
SILENT = (
    "app_deauthorized", "phone.caller_", "phone.callee_", "phone.recording_", "phone.voicemail_received", "phone.call_", "phone.ai_call_summary_",
    "phone.transfer_", "phone.blind_transfer_", "phone.warm_transfer_", "phone.conference_", "phone.sms_sent_failed", "phone.sms_campaign_", "phone.device_",
    "phone.peering_", "phone.account_", "phone.generic_", "contact_center.engagement_", "contact_center.task_", "contact_center.user_",
    "contact_center.recording_", "contact_center.voice_rtms_",
)
_SCHEME = TimedScheme("x-zm-request-timestamp", "x-zm-signature")
verify, sign = _SCHEME.verify, _SCHEME.sign


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The validation of the URL, within 3 s: the token, and its HMAC with the secret in hex."""
    if request.method != "POST" or VALIDATION.encode() not in request.body:
        return None
    try:
        body = read_json(request.body)
        token = body["payload"]["plainToken"].text() if body["event"].value == VALIDATION else ""
    except PayloadError:
        return None
    if not TOKEN.match(token):
        return None
    answer = {"plainToken": token, "encryptedToken": sign_challenge(webhook_secrets(source), token).hex()}
    return WebhookResponse(200, json.dumps(answer), {"Content-Type": "application/json"})


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """200 or 204 within 3 s."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    event, reader = body["event"].text(), _Reader(body, source, request.received_at)
    thing = body["payload"]["object"]
    if event == "phone.recording_transcript_completed":
        return read_batch(reader.recordings(thing["recordings"]))
    if event == "phone.voicemail_transcript_completed":
        return [reader.read_voicemail(thing)]
    if event in ("phone.sms_received", "phone.sms_sent"):
        return [reader.read_message(thing, event == "phone.sms_sent")]
    if event in DELETIONS:
        return read_batch(reader.deletions(thing))
    if event.startswith(SILENT):
        return []
    raise PayloadError(f"{event!r} is not a known event", "event")


class _Reader:
    def __init__(self, body: Field, source: Source, received_at: datetime) -> None:
        self.body, self.source, self.received_at = body, source, received_at

    def recordings(self, recordings: Field) -> Iterator[Item]:
        if recordings.value is None:
            recordings.refuse("is required")
        for recording in recordings.each():
            yield recording, partial(self._read_recording, recording)

    def deletions(self, thing: Field) -> Iterator[Item]:
        """One thing, or a list of them."""
        name = next((name for name in ("recordings", "voice_mails", "voicemails") if name in thing), None)
        for each in thing[name].each() if name else [thing]:
            yield each, partial(self._read_deletion, each)

    def _read_deletion(self, thing: Field) -> Signal:
        return self._signal(thing, "call", self._time(thing), action=DELETED, thread_id=thing["call_id"].id_or_none())

    def _read_recording(self, recording: Field) -> Signal:
        """The notice that a transcript can be fetched."""
        outgoing = recording["direction"].text_or_none() == "outbound"
        customer, agent = ("callee", "caller") if outgoing else ("caller", "callee")
        facts = {"agent": recording["owner"]["name"].text_or_none() or recording[f"{agent}_name"].text_or_none(), "duration": recording["duration"].value}
        return self._signal(
            recording, "pointer", self._time(recording), thread_id=recording["call_id"].id_or_none(),
            attributes={name: value for name, value in facts.items() if value is not None},
            **self._speaker(recording[f"{customer}_number"], recording[f"{customer}_name"]),
        )

    def read_voicemail(self, voicemail: Field) -> Signal:
        return self._signal(
            voicemail, "call", self._time(voicemail), thread_id=voicemail["call_id"].id_or_none(), text=voicemail["transcription"]["content"].text(),
            attributes={"voicemail": True}, **self._speaker(voicemail["caller_number"], voicemail["caller_name"]),
        )

    def read_message(self, message: Field, sent: bool) -> Signal:
        """A message of the brand's goes to customers, whoever of them is named."""
        sender, recipients = message["sender"], [member["phone_number"] for member in message["to_members"].each()]
        who = self._speaker(sender["phone_number"], sender["display_name"], sent)
        if "direction" in who:
            who["identities"] = tuple(each for each in _phones(*recipients) if not is_own(each, self.source.own_ids))
        return self._signal(
            message, "message", self._time(message), id_field="message_id", text=message["message"].text_or_none(),
            thread_id=message["session_id"].id_or_none(), **who,
        )

    def _speaker(self, number: Field, name: Field, ours: bool = False) -> dict[str, Any]:
        """Who is heard, or writes: a customer, unless the number is the brand's own."""
        identities, said = _phones(number), name.text_or_none()
        if ours or any(is_own(each, self.source.own_ids) for each in identities):
            return {"direction": OUTBOUND, "agent": said or number.text_or_none() or self.source.brand}
        return {"identities": identities, "author_name": said}

    def _time(self, thing: Field) -> datetime:
        """When it was, else when the platform told of it."""
        moment = thing["date_time"].time_or_none() if isinstance(thing.value, dict) else None
        return moment or (self.body["event_ts"].moment() if "event_ts" in self.body else self.received_at)

    def _signal(self, thing: Field, kind: str, moment: datetime, id_field: str = "id", **facts: Any) -> Signal:
        return Signal(
            channel="zoom", source=self.source.name, native_id=thing[id_field].id(), kind=kind, received_at=self.received_at,
            occurred_at=settle_time(moment, self.received_at, thing["date_time"].path), **facts,
        )


def _phones(*numbers: Field) -> tuple[str, ...]:
    return normalise_identities(f"phone:{number.text()}" for number in numbers if number.value)
