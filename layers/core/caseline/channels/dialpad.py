"""Dialpad: transcribed calls, scores after calls, and text messages. Credential: the webhook's secret; the body is a JWT that it signs (HS256).

Facts: developers.dialpad.com, "Create a webhook", "Call events", "SMS events". A webhook without a secret sends bare JSON, which is refused. Not confirmed,
and read if they are there: the names of a transcription (`transcription_text`), of a score (`csat_score`, 1 to 5 unless the setting `csat_high` says
otherwise) and of a message's members; whether a transcription holds the agent's words too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import is_own, normalise_identities
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import OUTBOUND, Rating, Signal, Unreadable
from caseline.signatures.jwts import read_jwt, sign_jwt, verify_jwt
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "dialpad"
PROOF = "body"
STATES = frozenset((
    "admin admin_recording barge blocked call_transcription calling connected csat disposition dispositions eavesdrop hangup hold merged missed monitor "
    "parked pcsat postcall preanswer queued recap_action_items recap_outcome recap_purposes recap_summary recording ringing takeover transcription "
    "transfer voicemail voicemail_uploaded"
).split())


def verify(request: WebhookRequest, source: Source) -> None:
    verify_jwt(request.body, source.secrets, request.received_at)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples, whose body is the claims."""
    return replace(request, body=sign_jwt(request.body, source.secrets[0]))


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    event = read_json(request.body) if request.body.lstrip().startswith(b"{") else read_jwt(request.body)
    reader = _Reader(event, source, request)
    if "call_id" in event:
        return [*reader.read_call()]
    if "text" in event or "from_number" in event:
        return [reader.read_message()]
    raise PayloadError("is required, unless it is a message", "call_id")


class _Reader:
    def __init__(self, event: Field, source: Source, request: WebhookRequest) -> None:
        self.event, self.source, self.received_at = event, source, request.received_at

    def read_call(self) -> list[Signal]:
        """What was said, as one signal, and the score given afterwards, as another; the course of a call says nothing."""
        event, call = self.event, self.event["call_id"].id()
        said, score = event["transcription_text"].text_or_none(), event["csat_score"]
        facts = {"thread_id": call, "attributes": self._facts(), **self._people()}
        signals = [self._signal(call, "call", "date_started", text=said, **facts)] if said and said.strip() else []
        if score.value is not None:
            signals.append(self._signal(f"{call}/csat", "survey_response", "event_timestamp", rating=self._rate(score), parent_id=call, **facts))
        state = event["state"]
        if not signals and state.text() not in STATES:
            state.refuse(f"{state.text()!r} is not a known state")
        return signals

    def read_message(self) -> Signal:
        event, contact = self.event, self.event["contact"]
        outgoing = event["direction"].text() == "outbound" or self.source.owns("phone", event["from_number"].text_or_none())
        recipients = event["to_number"].each() if isinstance(event["to_number"].value, list) else [event["to_number"]]
        numbers = [number.text_or_none() for number in recipients] if outgoing else [event["from_number"].text_or_none()]
        customers = [number for number in numbers if number and not self.source.owns("phone", number)]
        who: dict[str, Any] = {"author_name": contact["name"].text_or_none()}
        if outgoing:
            who = {"direction": OUTBOUND, "agent": event["target"]["name"].text_or_none() or self.source.brand}
        return self._signal(
            event["id"].id(), "message", "created_date", text=event["text"].text_or_none(), thread_id=customers[0] if customers else None,
            identities=normalise_identities([*self._contact(), *(f"phone:{number}" for number in customers)]), **who,
        )

    def _contact(self) -> list[str]:
        contact = self.event["contact"]
        named = (("dialpad", contact["id"].id_or_none()), ("email", contact["email"].text_or_none()), ("phone", contact["phone"].text_or_none()))
        return [f"{namespace}:{value}" for namespace, value in named if value]

    def _people(self) -> dict[str, Any]:
        """The other end of the call, whoever called: a customer, unless it is a colleague."""
        number, name = self.event["external_number"].text_or_none(), self.event["contact"]["name"].text_or_none()
        identities = normalise_identities([*self._contact(), *([f"phone:{number}"] if number else [])])
        if any(is_own(each, self.source.own_ids) for each in identities):
            return {"direction": OUTBOUND, "agent": name or self.source.brand}
        return {"identities": identities, "author_name": name}

    def _facts(self) -> dict[str, Any]:
        event = self.event
        facts = {
            "direction": event["direction"].text_or_none(), "target": event["target"]["name"].text_or_none(), "duration": event["duration"].value,
            "voicemail": True if event["state"].text_or_none() in ("voicemail", "voicemail_uploaded") else None,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _rate(self, score: Field) -> Rating:
        high = self.source.settings.get("csat_high")
        top = float(high) if isinstance(high, int | float) and high > 1 else 5.0
        value = score.number()
        return Rating("csat", value, 1.0, top) if 1 <= value <= top else score.refuse(f"must be between 1 and {top:g}")

    def _signal(self, native_id: str, kind: str, when: str, **facts: Any) -> Signal:
        moment = next((self.event[name] for name in (when, "event_timestamp", "date_started") if name in self.event), None)
        occurred_at = settle_time(moment.moment(), self.received_at, moment.path) if moment else self.received_at
        return Signal(
            channel="dialpad", source=self.source.name, native_id=native_id, kind=kind, occurred_at=occurred_at, received_at=self.received_at, **facts,
        )
