"""How long a platform wants to be left alone, as the headers of its answers say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PATIENCE, MAX_RETRY_AFTER = 60.0, 86_400.0  # seconds


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from now, of a number of seconds or an HTTP date; None for anything else."""
    text = (value or "").strip()
    try:
        seconds = float(text) if text[:1].isdigit() else (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def read_wait(status: int, headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, if the platform says that it was asked often enough, or until when it is away; None if it does not.

    Read from Retry-After, and from X-RateLimit-Remaining with X-RateLimit-Reset in seconds from now.
    """
    told = [parse_retry_after(headers.get(name), now) for name in ("retry-after", "x-ratelimit-reset")]
    if status == 429 or _is_used_up(headers.get("x-ratelimit-remaining")):
        return max((seconds for seconds in told if seconds is not None), default=PATIENCE)
    return told[0] if status >= 500 else None


def _is_used_up(remaining: str | None) -> bool:
    try:
        return float(remaining or "") < 1
    except ValueError:
        return False
