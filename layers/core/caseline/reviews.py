"""What reviews have in common on every platform: stars, a title above the words, and the brand's answer below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from caseline.payloads import Field
from caseline.signals import OUTBOUND, Rating, Signal
from caseline.sources import Source


def read_stars(field: Field) -> Rating:
    """One to five."""
    stars = field.number()
    return Rating("stars", stars, 1.0, 5.0) if 1 <= stars <= 5 else field.refuse("must be between 1 and 5")


def join_words(*parts: str | None) -> str | None:
    """A title, and the words below it; of either what is there."""
    return "\n\n".join(part.strip() for part in parts if part and part.strip()) or None


def make_reply(
    channel: str, source: Source, review: str, identities: Sequence[str], text: str | None, moment: datetime, received_at: datetime,
    revision: str = "", native_id: str = "",
) -> Signal:  # fmt: skip
    """The brand's answer to the customer of a review. Where answers have no ids of their own a review has at most one."""
    return Signal(
        channel=channel, source=source.name, native_id=native_id or f"{review}/reply", kind="review", direction=OUTBOUND, public=True,
        occurred_at=moment, received_at=received_at, revision=revision, identities=tuple(identities), agent=source.brand, text=text, parent_id=review,
    )
