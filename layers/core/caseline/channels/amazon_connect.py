"""Amazon Connect: what Contact Lens makes of calls and chats. Credential: IAM; nothing comes by webhook.

Facts: docs.aws.amazon.com/connect, "Contact Lens output file locations", "Example Contact Lens output files", "Rules: EventBridge event type"; "Amazon Connect
events" of the EventBridge reference. Two kinds of events are read: an object that was created (by S3's own notification, where keys are URL-encoded, or by
EventBridge, where they are not), whose file holds the contact; and a rule that matched, a pointer without words, which the contact's file completes as both
have the contact's id. Files exist raw and redacted; the redacted one supersedes the raw one. The setting `output: redacted` leaves raw ones unread (`raw` the
others): write it where redaction is on, so that what was taken out never comes in. Only the customer's turns are the text. Files name nobody: the contact is
the person, unless the CRM knows better. Not confirmed: what the time in a file's name is the time of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from caseline.batches import read_batch
from caseline.errors import PayloadError, SignatureError, UnavailableError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_event, read_json, settle_time
from caseline.signals import Signal, Unreadable
from caseline.sources import Source
from caseline.stored import read_stored
from caseline.web import WebhookRequest

NAMESPACE = "amazon_connect"
PROOF = "none"
EVENT_SOURCES = ("aws.connect",)
FILE = re.compile(
    r"(?:.*/)?Analysis/(?:Voice|Chat)/(?:.*/)?(?P<contact>[^/]{1,256}?)_analysis(?P<redacted>_redacted)?_(?P<time>[^/_]{10,40})\.json\Z"
)
RULE = re.compile(r"(?:Rule for )?Contact Lens [A-Za-z ]+ Matched\Z")
SILENT = frozenset({  # the course of contacts and analyses, figures, the work of agents
    "Amazon Connect Contact Event", "Contact Lens Analysis State Change", "Metrics Rules Matched", "Amazon Connect Rules Action Execution Failed",
    "Contact Lens Evaluation Rules Matched", "Contact Lens Evaluation Export Failed", "Contact Lens Automated Evaluation Submission Failed",
    "AWS API Call via CloudTrail",
})  # fmt: skip
KINDS_OF_CHANNEL = {"VOICE": "call", "CHAT": "chat"}
RAW, REDACTED = "1-raw", "2-redacted"  # in this order
EXTREME = 5.0  # of the provider's scores, both ways
Read = Callable[[str, str], bytes]


def verify(request: WebhookRequest, source: Source) -> None:
    """Nothing comes by webhook."""
    raise SignatureError("amazon_connect takes events of AWS only")


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    """An event that was kept, or an analysis file itself."""
    return _Reader(source, request.received_at, _read_nothing).read_event(read_json(request.body))


def parse_event(event: Mapping[str, Any], source: Source, *, received_at: datetime, read: Read) -> list[Signal | Unreadable]:
    return _Reader(source, received_at, read).read_event(read_event(event))


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """What was said comes with the contact's file, some minutes after its end; until then it is waited for."""
    raise UnavailableError("the contact's analysis file has not come yet")


def _read_nothing(bucket: str, key: str) -> bytes:
    raise PayloadError("is not at hand any more; send the event again", "Records")


class _Reader:
    def __init__(self, source: Source, received_at: datetime, read: Read) -> None:
        self.source, self.received_at, self.read = source, received_at, read

    def read_event(self, event: Field) -> list[Signal | Unreadable]:
        if "Records" in event:
            return read_batch((record, partial(self._read_stored, record)) for record in event["Records"].each())
        if "Transcript" in event or "JobStatus" in event:
            return read_batch([(event, partial(self._read_file, event, None))])
        if "contactId" in event and "eventType" in event:
            return []  # the course of a contact
        kind = event["detail-type"].text()
        if kind == "Object Created":
            return read_batch([(event, partial(self._read_stored, event))])
        if kind in SILENT:
            return []
        if RULE.match(kind):
            return [self._read_pointer(event, kind)]
        raise PayloadError(f"{kind!r} is not a known event", "detail-type")

    def _read_stored(self, event: Field) -> Signal | None:
        """A file of the analysis; recordings and whatever else stands in the bucket say nothing."""
        place = read_stored(event)
        name = FILE.match(place[1]) if place else None
        if place is None or name is None:
            return None
        wanted = self.source.settings.get("output")
        if wanted in ("raw", "redacted") and (wanted == "redacted") != bool(name["redacted"]):
            return None
        return self._read_file(read_json(self.read(*place)), name)

    def _read_file(self, file: Field, name: re.Match[str] | None) -> Signal | None:
        status = file["JobStatus"].text_or_none()
        if status == "FAILED":
            return None
        channel, metadata = file["Channel"].text(), file["CustomerMetadata"]
        if channel not in KINDS_OF_CHANNEL:
            file["Channel"].refuse(f"must be one of {', '.join(KINDS_OF_CHANNEL)}")
        contact = metadata["ContactId"].id_or_none() or (name["contact"] if name else metadata["ContactId"].id())
        turns, output = _customer_turns(file), file["ContentMetadata"]["Output"].text_or_none()
        redacted = output == "Redacted" or bool(name and name["redacted"])
        score = _find_score(file["ConversationCharacteristics"]["Sentiment"])
        return self._signal(
            contact, KINDS_OF_CHANNEL[channel], self._read_moment(turns, name), revision=REDACTED if redacted else RAW,
            text="\n".join(words for turn in turns if (words := turn["Content"].text_or_none())) or None, language=file["LanguageCode"].text_or_none(),
            author_name=_find_name(turns), provider_sentiment=score, attributes=_read_facts(file, redacted),
        )

    def _read_moment(self, turns: list[Field], name: re.Match[str] | None) -> datetime:
        """A chat's turns have times; a call has that in the name of its file."""
        first = next((turn["AbsoluteTime"].time() for turn in turns if "AbsoluteTime" in turn), None)
        return first or (Field(name["time"], "key").time() if name else self.received_at)

    def _read_pointer(self, event: Field, kind: str) -> Signal:
        detail = event["detail"]
        contact = detail["contactArn"].text().rpartition("/")[2]
        facts = {"rule": detail["ruleName"].text_or_none(), "action": detail["actionName"].text_or_none(), "event": kind}
        facts |= {part: detail[f"{part}Arn"].text_or_none() for part in ("agent", "queue", "instance")}
        if not contact:
            detail["contactArn"].refuse("must end with the contact's id")
        return self._signal(contact, "pointer", event["time"].time(), attributes={name: value for name, value in facts.items() if value})

    def _signal(self, contact: str, kind: str, moment: datetime, **facts: Any) -> Signal:
        who = normalise_identities([f"amazon_connect:{contact}"])
        return Signal(
            channel="amazon_connect", source=self.source.name, native_id=Field(contact, "contact").id(), kind=kind, received_at=self.received_at,
            occurred_at=settle_time(moment, self.received_at, "time"), identities=who, thread_id=contact, **facts,
        )


def _customer_turns(file: Field) -> list[Field]:
    """Who is the customer stands with the participants, or with each turn, as in redacted chats."""
    roles = {who["ParticipantId"].id(): who["ParticipantRole"].text_or_none() for who in file["Participants"].each()}
    spoken = [turn for turn in file["Transcript"].each() if turn["Type"].text_or_none() != "EVENT"]
    return [turn for turn in spoken if _find_role(turn, roles) == "CUSTOMER"]


def _find_role(turn: Field, roles: Mapping[str, str | None]) -> str:
    who = turn["ParticipantId"].id()
    return turn["ParticipantRole"].text_or_none() or roles.get(who) or who


def _find_name(turns: list[Field]) -> str | None:
    """What the customer is called in a chat; `[PII]` where that was taken out."""
    names = (turn["DisplayName"].text_or_none() or "" for turn in turns)
    return next((name for name in names if name and not name.startswith("[")), None)


def _find_score(sentiment: Field) -> float | None:
    """The customer's overall score, from -1 to 1; calls and chats keep it in different places."""
    overall = sentiment["OverallSentiment"]
    for place in (overall, overall["DetailsByParticipantRole"], sentiment["DetailsByParticipantRole"]):
        if "CUSTOMER" in place:
            return _scale(place["CUSTOMER"])
    return None


def _scale(field: Field) -> float:
    score = field.number()
    return round(score / EXTREME, 4) if abs(score) <= EXTREME else field.refuse("must be between -5 and 5")


def _read_facts(file: Field, redacted: bool) -> dict[str, Any]:
    """Facts about how the contact went, beside its words. Times are in milliseconds, the sentiment at the end from -1 to 1."""
    said = file["ConversationCharacteristics"]
    quarters = list(said["Sentiment"]["SentimentByPeriod"]["QUARTER"]["CUSTOMER"].each())
    facts = {
        "talk_over_ms": said["Interruptions"]["TotalTimeMillis"].count_or_none(), "interruptions": said["Interruptions"]["TotalCount"].count_or_none(),
        "silence_ms": said["NonTalkTime"]["TotalTimeMillis"].count_or_none(), "duration_ms": said["TotalConversationDurationMillis"].count_or_none(),
        "sentiment_at_end": _scale(quarters[-1]["Score"]) if quarters else None, "redacted": redacted,
        "categories": [category.text() for category in file["Categories"]["MatchedCategories"].each()] or None,
    }
    return {name: value for name, value in facts.items() if value is not None}
