"""The generic signal: what first parties send, by whatever envelope it comes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import is_own, normalise_identity
from caseline.payloads import Field, settle_time
from caseline.signals import CREATED, DELETED, INBOUND, KINDS, METRICS, OUTBOUND, PRIVATE_KINDS, UPDATED, Rating, Signal, isoformat
from caseline.sources import Source

ACTIONS = {"signal.created": CREATED, "signal.updated": UPDATED, "signal.deleted": DELETED}
SCALES = {"stars": (1.0, 5.0), "nps": (0.0, 10.0), "csat": (1.0, 5.0), "ces": (1.0, 7.0)}


def read_signal(event: Field, source: Source, received_at: datetime, channel: str, time_field: str = "timestamp") -> Signal:
    """`type`, the time it was sent (in `time_field`) and the object under `data`. Raises PayloadError with the path of what is wrong."""
    action, sent_at = _one_of(event["type"], ACTIONS), event[time_field].time_or_none()
    data = Field(event["data"].object(), "data")
    happened = data["occurred_at"]
    moment = (happened.time_or_none() or sent_at or received_at) if action == DELETED else happened.time()
    common: dict[str, Any] = {
        "channel": channel, "source": source.name, "native_id": data["id"].id(), "kind": _one_of(data["kind"], KINDS) if "kind" in data else "post",
        "action": action, "received_at": received_at, "occurred_at": settle_time(moment, received_at, happened.path),
    }
    if action == DELETED:
        return Signal(**common, identities=_read_author(data, source, channel) if "id" in data["author"] else ())
    revision = isoformat(sent_at) if action == UPDATED and sent_at else ""
    facts = {**_read_people(data, source, channel), **_read_details(data)}
    return Signal(**common, revision=revision, text=_read_text(data), public=_read_public(data), rating=_read_rating(data["rating"]), **facts)


def _one_of(field: Field, known: Collection[str]) -> str:
    """The text if it is known, or what it stands for where `known` is a mapping."""
    value = field.text()
    if value not in known:
        field.refuse(f"must be one of {', '.join(sorted(known))}")
    return known[value] if isinstance(known, dict) else value


def _read_text(data: Field) -> str | None:
    text = data["text"].text_or_none()
    if not (text and text.strip()) and data["rating"].value is None:
        raise PayloadError("is required unless there is a rating", "data.text")
    return text


def _read_public(data: Field) -> bool:
    kind = data["kind"].text_or_none() or "post"
    said = data["public"].boolean_or_none()
    return kind not in PRIVATE_KINDS and said is not False


def _read_rating(field: Field) -> Rating | None:
    if field.value is None:
        return None
    metric = _one_of(field["metric"], METRICS)
    low, high = (field[end].number() if end in field else usual for end, usual in zip(("low", "high"), SCALES[metric], strict=True))
    value = field["value"].number()
    if low >= high:
        field["high"].refuse("must be above low")
    if not low <= value <= high:
        field["value"].refuse(f"must be between {low:g} and {high:g}")
    return Rating(metric, value, low, high)


def _read_people(data: Field, source: Source, channel: str) -> dict[str, Any]:
    """Of an outbound signal the author is the agent, and the customer stands under `to`, or is found by parent or thread."""
    author, identities = data["author"], _read_author(data, source, channel)
    said = _one_of(data["direction"], (INBOUND, OUTBOUND)) if "direction" in data else None
    addressees = _read_identities(data["to"]["identities"], source.region)
    if said == OUTBOUND and not addressees and not ("parent_id" in data or "thread_id" in data):
        raise PayloadError("is required of an outbound signal, unless parent_id or thread_id is there", "data.to")
    if said == OUTBOUND or (said is None and any(is_own(identity, source.own_ids) for identity in identities)):
        return {"direction": OUTBOUND, "agent": author["name"].text_or_none() or author["id"].id(), "identities": addressees}
    return {"identities": identities, "author_name": author["name"].text_or_none(), "reach": author["reach"].count_or_none()}


def _read_author(data: Field, source: Source, channel: str) -> tuple[str, ...]:
    """The author's own id first, in a namespace of this source, then the identities the sender knows of."""
    namespace = channel if source.name == "default" else f"{channel}.{source.name}"
    author = data["author"]
    return tuple(dict.fromkeys((f"{namespace}:{author['id'].id()}", *_read_identities(author["identities"], source.region))))


def _read_identities(field: Field, region: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_read_identity(item, region) for item in field.each()))


def _read_identity(field: Field, region: str) -> str:
    return normalise_identity(field.text(), region) or field.refuse("must be an identity such as email:ann@example.com, phone:+4930123456 or x:12345")


def _read_details(data: Field) -> dict[str, Any]:
    attributes = dict(data["attributes"].object()) if "attributes" in data else {}
    label = data["channel_label"].text_or_none()
    return {
        "language": data["language"].text_or_none(), "url": data["url"].text_or_none(), "thread_id": data["thread_id"].id_or_none(),
        "parent_id": data["parent_id"].id_or_none(), "engagement": data["engagement"].count_or_none(),
        "attributes": attributes | ({"channel_label": label} if label else {}),
    }
