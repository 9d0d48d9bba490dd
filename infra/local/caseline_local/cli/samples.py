"""Sample requests of channels (events/channels): which there are, and what is sent of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from caseline.channels import channel_names, open_channel

from caseline_local.cli.terminal import FindingsError

SAMPLES = Path(__file__).resolve().parents[4] / "events" / "channels"


def sample_names(channel: str) -> list[str]:
    """Those that can be posted: with signals to come of them, and no handshake. Raw bodies where the channel has no others."""
    kept = {name: read_sample(channel, name) for name in _names(channel)}
    signs = signing_setting(channel) is not None
    names = [name for name, sample in kept.items() if _is_postable(sample, {"json", "form"}, signs)]
    return names or [name for name, sample in kept.items() if _is_postable(sample, {"body"}, signs)]


def event_names(channel: str) -> list[str]:
    """Those that AWS would hand to a function, with signals to come of them."""
    kept = {name: read_sample(channel, name) for name in _names(channel)}
    return [name for name, sample in kept.items() if "event" in sample and sample["expected"].get("signals")]


def all_names(channel: str) -> list[str]:
    return [*sample_names(channel), *event_names(channel)]


def response_names(channel: str) -> list[str]:
    """Those that show an answer of the platform's own."""
    return [name for name in _names(channel) if "response" in (read_sample(channel, name).get("expected") or {})]


def read_sample(channel: str, name: str) -> dict[str, Any]:
    return dict(json.loads((SAMPLES / channel / f"{name}.json").read_text()))


def _names(channel: str) -> list[str]:
    return sorted(file.stem for file in (SAMPLES / channel).glob("*.json"))


def load_sample(channel: str, name: str) -> dict[str, Any]:
    names = all_names(channel)
    if name not in names:
        raise FindingsError(f"no sample {channel}.{name}; `caseline trigger --list` lists them" if names else f"no samples in events/channels/{channel}")
    return read_sample(channel, name)


def first_sample(channel: str) -> str:
    """The one to take where none is named: one signal that somebody wrote, the longest text; else any, where a platform sends no words."""
    known = sample_names(channel) or event_names(channel)
    names = [name for name in known if _is_plain(load_sample(channel, name))] or known
    if not names:
        raise FindingsError(f"no samples in events/channels/{channel}")
    return max(names, key=lambda name: len(load_sample(channel, name)["expected"]["signals"][0].get("text") or ""))


def set_value(request: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a dotted path (`data.author.name`, `events.0.eventData.stars`) of the request's JSON or form."""
    *parents, last = path.split(".")
    place: Any = request.get("json", request.get("form", request.get("event")))
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    except (LookupError, ValueError, TypeError):
        raise FindingsError(f"there is no {path} in the sample") from None


def body_of(request: Mapping[str, Any]) -> bytes:
    if "form" in request:
        return urlencode(request["form"]).encode()
    return json.dumps(request["json"], ensure_ascii=False).encode() if "json" in request else str(request.get("body", "")).encode()


def signing_setting(channel: str) -> str | None:
    """The setting that samples are signed with, where the platform's own secret is not ours to have."""
    return getattr(open_channel(channel), "SIGNS_WITH", None) if channel in channel_names() else None


def _is_postable(sample: Mapping[str, Any], shapes: Collection[str], signs_by_setting: bool) -> bool:
    request = sample.get("request") or {}
    posts = request.get("method") == "POST" and "/webhooks/" in request.get("url", "") and bool(request.keys() & set(shapes))
    return posts and (signs_by_setting or bool(sample.get("secrets"))) and bool((sample.get("expected") or {}).get("signals"))


def _is_plain(sample: Mapping[str, Any]) -> bool:
    signals = sample["expected"]["signals"]
    wanted = {"direction": "inbound", "action": "created"}
    return len(signals) == 1 and not sample["expected"].get("unreadable") and wanted.items() <= signals[0].items() and bool(signals[0].get("text"))


def list_samples(channels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(`channel.sample`, what it is)."""
    for channel in channels:
        for name in all_names(channel):
            yield f"{channel}.{name}", str(load_sample(channel, name).get("about") or "")
