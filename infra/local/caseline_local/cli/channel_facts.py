"""What a channel's module says of itself: its docstring, its constants and functions, and its samples where the platform wants an answer of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from caseline.channels import open_channel, proof_of
from caseline.errors import PayloadError, SignatureError
from caseline.polling import POLL_SECONDS
from caseline.signals import parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from caseline_local.cli import samples

_LABELS = re.compile(r"(?:^|\s)(?:Facts|Scheme|Settings|Setting|Not confirmed)\b.*", re.DOTALL)
_SENTENCE = re.compile(r"(.+?[^.])\.(?=\s+[A-Z]|\s*$)", re.DOTALL)
_METHODS = {"POST": "in a POST", "GET": "by GET", "HEAD": "by HEAD", "OPTIONS": "by OPTIONS"}


@dataclass(frozen=True)
class Facts:
    name: str
    about: str
    way: str
    credential: str
    answers: str


def describe(name: str) -> Facts:
    channel = open_channel(name)
    about, _, rest = " ".join((channel.__doc__ or "").split()).partition("Credential:")
    return Facts(name, _LABELS.sub("", about).strip().removesuffix("."), _way(channel), _credential(rest), "; ".join(_answers(name, channel)))


def _credential(text: str) -> str:
    """The first sentence, with the settings that a source must have."""
    found = _SENTENCE.match(_LABELS.sub("", f" {text.strip()}").strip() or text.strip())
    return (found[1] if found else text).strip()


def _way(channel: Any) -> str:
    ways = ["webhook"] if proof_of(channel) != "none" else []
    ways += [f"polled, each {_minutes(getattr(channel, 'POLL_SECONDS', POLL_SECONDS))}"] if hasattr(channel, "fetch") else []
    ways += ["events of AWS"] if hasattr(channel, "parse_event") else []
    return "; ".join(ways) + ("; thin notices are completed" if hasattr(channel, "complete") else "")


def _minutes(seconds: int) -> str:
    return f"{seconds / 60:g} min"


def _answers(name: str, channel: Any) -> Iterator[str]:
    if proof_of(channel) == "none":
        yield "nothing"
        return
    methods = sorted({method for method, _, handshake in _responses(name, channel) if handshake})
    if methods:
        yield "handshake " + ", ".join(_METHODS[method] for method in methods)
    own = sorted({str(status) for _, status, handshake in _responses(name, channel) if not handshake})
    usual = "202, or 422 for a wrong field" if getattr(channel, "FIRST_PARTY", False) else "202"
    waits = getattr(channel, "ANSWER_SECONDS", None)
    yield (" or ".join(own) if hasattr(channel, "acknowledge") and own else usual) + (f" within {waits} s" if waits else "")


def _responses(name: str, channel: Any) -> Iterator[tuple[str, int, bool]]:
    """(method, status, whether it is a handshake) of each sample that has an answer of its own."""
    for case in samples.response_names(name):
        sample = samples.read_sample(name, case)
        answer = sample["expected"]["response"]
        if not answer.get("refused") and int(answer["status"]) < 400:
            yield sample["request"]["method"], int(answer["status"]), _is_handshake(channel, sample)


def _is_handshake(channel: Any, sample: dict[str, Any]) -> bool:
    if sample["request"]["method"] != "POST":
        return True
    sent, described = sample["request"], sample.get("source") or {}
    source = Source("default", "acme", (), sample.get("secrets") or (), described.get("settings") or {})
    request = WebhookRequest("POST", sent["url"], sent.get("headers") or {}, samples.body_of(sent), parse_time(sample["received_at"]))
    try:
        return hasattr(channel, "challenge") and channel.challenge(channel.sign(request, source), source) is not None
    except (SignatureError, PayloadError):
        return False
