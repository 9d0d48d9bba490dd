"""How times, money, moods and names are said on a page. Pure; `now` is a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from caseline.signals import parse_time

BAND_WORDS = {"P1": "Urgent", "P2": "High", "P3": "Normal", "P4": "Low"}
SYNC_WORDS = {"synced": "in the CRM", "pending": "on its way", "failed": "not saved"}
TOLD_WORDS = {"sync": "CRM", "joined": "Another signal", "merged": "Another case", "parted": "Split", "override": "Band"}
DIFFERENCE_WORDS = {
    "missing": "Not in the CRM", "unknown": "Not known here", "doubled": "Twice in the CRM", "status": "Another status", "version": "An older version",
}  # fmt: skip
_TROUBLES = {
    "CrmAuthError": "it refuses our credentials: put a new secret, or give its user the rights it had",
    "CrmUnavailableError": "it does not answer: look at its status page",
    "CrmRateLimitError": "it wants to be called less",
    "CrmRejectedError": "it refuses a value of the case: the CRM check says which fields are missing or too short",
    "CrmConflictError": "somebody else was writing the same record",
}
_CURRENCIES = {"EUR": "€", "USD": "$", "GBP": "£"}
_ACRONYMS = frozenset({"sla", "smb", "crm", "nps", "csat", "ces"})
_MAGNITUDES = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))


def say_span(seconds: float) -> str:
    """A span in its largest fitting unit: 40 s is "now", then minutes, hours, days."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def say_since(moment: str | None, now: datetime) -> str:
    return say_span((now - parse_time(moment)).total_seconds()) if moment else "–"


def say_ago(moment: str | None, now: datetime) -> str:
    span = say_since(moment, now)
    return {"now": "just now", "–": "never"}.get(span, f"{span} ago")


def say_day(moment: str, now: datetime) -> str:
    """The heading of a day in a timeline."""
    day = parse_time(moment).date()
    near = {0: "Today", 1: "Yesterday"}.get((now.date() - day).days)
    return f"{near}, {day.day} {day:%B}" if near else f"{day:%A}, {day.day} {day:%B %Y}"


def say_clock(moment: str) -> str:
    return f"{parse_time(moment):%H:%M}"


def say_moment(moment: str | None) -> str:
    """In full, for titles."""
    return f"{parse_time(moment):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def say_renewal(day: Any, now: datetime) -> str:
    """A date as people plan by it: in 27 d, today, 12 d ago."""
    try:
        days = (date.fromisoformat(str(day)[:10]) - now.date()).days
    except ValueError:
        return str(day)
    return "today" if days == 0 else f"in {days} d" if days > 0 else f"{-days} d ago"


def say_money(value: Any, currency: Any = "") -> str:
    """€2.5M; the exact figure is for the account's own card."""
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return str(value)
    sign = _CURRENCIES.get(str(currency), f"{currency} " if currency else "")
    for size, letter in _MAGNITUDES:
        if amount >= size:
            return f"{sign}{amount / size:.1f}".removesuffix(".0") + letter
    return f"{sign}{amount:.0f}"


def say_amount(value: Any, currency: Any) -> str:
    """EUR 2,500,000: in full, for the account's card."""
    try:
        return f"{currency or ''} {float(value):,.0f}".strip()
    except (TypeError, ValueError):
        return f"{value} {currency or ''}".strip()


def say_fact(name: str, fact: Mapping[str, Any], now: datetime) -> str:
    """The value of an account fact in full."""
    value = fact["value"]
    if name == "renewal_date" and value:
        return f"{value} ({say_renewal(value, now)})"
    return "–" if value in (None, "") else str(value)


def name_of(word: Any) -> str:
    """A name of ours in plain words: how_to, google_play, sla."""
    if str(word) in _ACRONYMS:
        return str(word).upper()
    text = str(word or "").replace("_", " ").replace("-", " ")
    return text[:1].upper() + text[1:]


def say_sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


def say_channel(name: Any) -> str:
    return str(name or "").replace("_", " ").title()


def mood_of(assessment: Mapping[str, Any] | None) -> dict[str, str]:
    """`{word, number, tone}`: a word and a signed number, never a colour alone."""
    found = assessment or {}
    if not found.get("sentiment"):
        return {"word": "unscored", "number": "", "tone": "none", "why": str(found.get("unscored") or "not analysed")}
    balance = float(found.get("positive", 0)) - float(found.get("negative", 0))
    sentiment, number = str(found["sentiment"]), f"{balance:+.2f}".replace("-", "−") if round(balance, 2) else "0"
    return {"word": sentiment, "number": number, "tone": sentiment, "why": f"confidence {float(found.get('confidence', 0)):.2f}"}


def say_trouble(error: str | None) -> str:
    """What an error class of the CRM means to people, and what to do."""
    return _TROUBLES.get(error or "", "the logs of save_case say why")


def say_rating(rating: Mapping[str, Any] | None) -> str:
    if not rating:
        return ""
    value, high = (f"{number:g}" for number in (rating["value"], rating["high"]))
    if rating["metric"] == "stars":
        return f"{'★' * int(rating['value'])}{'☆' * int(rating['high'] - rating['value'])} {value} of {high}"
    return f"{str(rating['metric']).upper()} {value} of {high}"


def safe_url(url: Any) -> str | None:
    """A link that a browser may follow from here; anything but http and https is text."""
    try:
        parts = urlsplit(str(url or ""))
    except ValueError:
        return None
    return str(url) if parts.scheme in ("http", "https") and parts.netloc else None
