"""Channels: one module each; the module's name is its registration."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from caseline.errors import UnknownChannelError
from caseline.signals import Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest

PROOFS = {
    "signature": "headers prove the body",
    "token": "a token in the URL or a header proves the sender; the body is not signed",
    "body": "the proof stands in the body",
    "none": "nothing comes by webhook: it is polled, or AWS has authenticated it",
}
"""What a module may declare as PROOF."""


class Channel(Protocol):
    """What every channel module is. `challenge`, `acknowledge`, `sign`, `parse_event`, `complete` and `fetch` are optional.

    Constants it may have: PROOF (a key of PROOFS, `signature` by default), NAMESPACE, BODY_LIMIT (bytes), MIN_SECRET (characters), REQUIRED_SETTINGS,
    KEPT_HEADERS (what a replay needs), BARE_SIGNATURES (taken without their prefix too), FIRST_PARTY, HOSTS (that fetch and complete may call),
    POLL_SECONDS, ANSWER_SECONDS (how long the platform waits), and the usual places of events, as caseline.arrivals names them (EVENT_SOURCES,
    DEVICE_TOPICS...).
    """

    def verify(self, request: WebhookRequest, source: Source) -> None:
        """Raise SignatureError, and nothing else, unless the request is the platform's."""

    def parse(self, request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
        """Pure. Raises PayloadError naming the field when nothing is readable."""


def channel_names() -> list[str]:
    return sorted(p.stem for p in Path(__file__).parent.iterdir() if _is_channel(p))


def open_channel(name: str) -> Any:
    """The module of that name. It is looked up on disk first, so that no other name can be imported."""
    if not (name.isidentifier() and name.isascii() and _known(name)):
        raise UnknownChannelError(f"no channel named {name!r}")
    return import_module(f"{__name__}.{name}")


def proof_of(channel: Any) -> str:
    """How a request proves that it is the platform's: a key of PROOFS."""
    return str(getattr(channel, "PROOF", "signature" if getattr(channel, "SIGNS_BODY", True) else "token"))


def _known(name: str) -> bool:
    folder = Path(__file__).parent
    if name.startswith("_"):
        return False
    return f"{__name__}.{name}" in sys.modules or (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()


def _is_channel(path: Path) -> bool:
    return not path.stem.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").is_file())
