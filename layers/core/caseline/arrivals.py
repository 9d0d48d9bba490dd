"""Arrivals: events that AWS hands to a function (S3, SNS, SES, EventBridge, IoT rules), and the sources that want them.

AWS has authenticated them, so no secret is read. An event says whose it is in one of four ways, looked at in this order:
- its own field `caseline: "<channel>/<source>"`, beside the payload (IoT SQL: `SELECT *, 'aws_iot/kiosks' AS caseline`) or around it, as an input
  transformer of EventBridge writes it: `{"caseline": "amazon_connect/acme", "event": <aws.events.event.json>}`;
- for an object in the stack's own bucket its key: `inbox/<channel>/<source>/...`;
- the source on an event bus that the CRM names (EVENT_SOURCES): its changes come back by it;
- the settings of sources (WANTED), or what the channel's module names where a source has no such setting.
An event that nobody wants fails: it is tried again, then kept with the dead letters, so that a missing setting loses nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol
from urllib.parse import unquote_plus

from caseline.channels import open_channel
from caseline.crm_events import CrmEvents
from caseline.errors import PayloadError, UnavailableError, UnclaimedError
from caseline.intake import Envelope, resolve_trust
from caseline.metrics import emit
from caseline.settings import Config, SourceConfig
from caseline.web import WebhookRequest

EVENT_URL = "event:"  # in place of an address, for what is kept in quarantine
INBOX = "inbox/"
S3, SNS, MAIL, BUS, DEVICES = "s3", "sns", "ses", "eventbridge", "iot"


@dataclass(frozen=True)
class Want:
    """A source's setting that holds patterns for the place events come from, and the module's constant that stands where the setting is absent."""

    setting: str
    constant: str
    pattern: Callable[[str], str]


def _as_glob(mqtt: str) -> str:
    return mqtt.replace("#", "*").replace("+", "*")


WANTED: Mapping[str, Want] = {
    S3: Want("bucket_prefix", "BUCKET_PREFIXES", lambda prefix: f"{_quote(prefix)}*"),  # bucket/beginning/of/the/key
    SNS: Want("topic_arns", "TOPIC_ARNS", str),
    MAIL: Want("recipients", "RECIPIENTS", str),  # *@care.acme.example: what a receipt rule of SES hands over itself
    BUS: Want("event_source", "EVENT_SOURCES", str),  # aws.connect, aws.partner/genesys.com/*
    DEVICES: Want("topic_filter", "DEVICE_TOPICS", _as_glob),  # stores/+/feedback
}


@dataclass(frozen=True)
class Arrival:
    """One event as AWS hands it over; `place` is bucket/key, a topic's ARN, a recipient, an event's source or an MQTT topic."""

    kind: str
    place: str
    event: Mapping[str, Any]
    address: str = ""  # channel/source, where the event says so itself


class Log(Protocol):
    def error(self, msg: object, *, extra: Mapping[str, object]) -> None: ...


class Arrivals:
    """`wiring` gives configuration, queue, bucket and clock."""

    def __init__(self, wiring: Any, log: Log) -> None:
        self._wiring, self._log, self._changes = wiring, log, CrmEvents(wiring, log)

    def receive(self, event: Mapping[str, Any]) -> int:
        """Queue what the event says; returns how many items that was. UnavailableError and UnclaimedError, once all else is done, for AWS to try again."""
        count, failure = 0, None
        for arrival in split(event):
            try:
                count += self._receive(arrival)
            except (UnavailableError, UnclaimedError) as error:
                failure = error
        if failure:
            raise failure
        return count

    def _receive(self, arrival: Arrival) -> int:
        if arrival.kind == BUS and self._changes.wants(arrival.place):
            return self._changes.take_event(arrival.event)
        sources = claim(self._wiring.config, self._wiring.bucket, arrival)
        if not sources:
            self._log.error("no source wants this event", extra={"kind": arrival.kind, "place": arrival.place, "address": arrival.address})
            emit({"Rejected": 1}, "unknown", self._wiring.clock(), self._wiring.stack, reason="unclaimed")
            raise UnclaimedError(f"no source wants {arrival.kind} events from {arrival.place or 'an unnamed place'}")
        return sum(self._take(arrival, source) for source in sources)

    def _take(self, arrival: Arrival, config: SourceConfig) -> int:
        channel, now, intake = open_channel(config.channel), self._wiring.clock(), self._wiring.intake
        envelope = Envelope(self._wiring.new_id(), config.channel, config.name, config.brand, resolve_trust(config.trust, channel), now)
        try:
            items = channel.parse_event(arrival.event, config.open(()), received_at=now, read=self._wiring.read_from)
        except PayloadError as error:
            count = intake.keep_whole(envelope, as_request(arrival.event, now), error, {"content-type": "application/json"}, EVENT_URL)
        else:
            count = intake.accept(envelope, items)
        emit({"Accepted": count} if count else {"Ignored": 1}, config.key, now, self._wiring.stack)
        return int(count)


def as_request(event: Mapping[str, Any], now: Any) -> WebhookRequest:
    """The event in the shape that quarantine keeps."""
    return WebhookRequest("POST", EVENT_URL, {}, json.dumps(event).encode(), now)


def split(event: Mapping[str, Any]) -> list[Arrival]:
    """The events of one invocation, each in AWS's own shape: a batch becomes one event a record. What is none of AWS's shapes is of no kind."""
    if not isinstance(event, Mapping):
        return [Arrival("", "", {"event": event})]
    address = str(event.get("caseline") or "")
    if address and isinstance(event.get("event"), Mapping):
        return [Arrival(each.kind, each.place, each.event, address) for each in split(event["event"])]
    if isinstance(event.get("Records"), list):
        return [_read_record(record) for record in event["Records"]]
    if "detail-type" in event and isinstance(event.get("detail"), Mapping):
        return [_read_bus_event(event)]
    return [Arrival(DEVICES, str(event.get("topic") or ""), event, address)]


def _read_record(record: Any) -> Arrival:
    """A record without what names its place is wanted by nobody."""
    try:
        service = record.get("eventSource") or record.get("EventSource")
        if service == "aws:s3":
            return Arrival(S3, f"{record['s3']['bucket']['name']}/{unquote_plus(record['s3']['object']['key'])}", {"Records": [record]})
        if service == "aws:sns":
            return Arrival(SNS, str(record["Sns"]["TopicArn"]), {"Records": [record]})
        if service == "aws:ses":
            return Arrival(MAIL, str(record["ses"]["receipt"]["recipients"][0]).lower(), {"Records": [record]})
    except (AttributeError, IndexError, KeyError, TypeError):
        service = "records that name no place"
    return Arrival("", str(service or ""), {"Records": [record]})


def _read_bus_event(event: Mapping[str, Any]) -> Arrival:
    """EventBridge. An object that was created comes this way too; there its key is not URL-encoded."""
    detail, source = event["detail"], str(event.get("source") or "")
    bucket, stored = detail.get("bucket"), detail.get("object")
    if source == "aws.s3" and isinstance(bucket, Mapping) and isinstance(stored, Mapping):
        return Arrival(S3, f"{bucket.get('name')}/{stored.get('key')}", event)
    return Arrival(BUS, source, event)


def claim(config: Config, own_bucket: str, arrival: Arrival) -> list[SourceConfig]:
    """The sources that want the event."""
    takers = [source for source in config.sources if hasattr(open_channel(source.channel), "parse_event")]
    address = arrival.address or _inbox_address(arrival, own_bucket)
    if address:
        return [source for source in takers if source.key == address]
    return [source for source in takers if any(fnmatchcase(arrival.place, pattern) for pattern in _patterns(source, arrival.kind))]


def _inbox_address(arrival: Arrival, own_bucket: str) -> str:
    inside = f"{own_bucket}/{INBOX}"
    return "/".join(arrival.place.removeprefix(inside).split("/")[:2]) if arrival.kind == S3 and arrival.place.startswith(inside) else ""


def _patterns(source: SourceConfig, kind: str) -> Iterator[str]:
    want = WANTED.get(kind)
    if want is None:
        return
    named: Any = source.settings.get(want.setting) or getattr(open_channel(source.channel), want.constant, ())
    listed: Sequence[Any] = [named] if isinstance(named, str) else list(named)
    yield from (want.pattern(str(each)) for each in listed)


def _quote(text: str) -> str:
    """A text in which no character is a wildcard."""
    return re.sub(r"([*?[])", r"[\1]", text)
