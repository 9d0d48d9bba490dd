"""What a row of a timeline says to those who measure. Pure; one definition for reports, health and what the CRM is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.joining import ROUND
from caseline.signals import INBOUND, OWN_CHANNEL, SCORES, Rating, parse_time
from caseline.table import Item
from caseline.timeline import LIVE, read_attributes

UNSCORED = "unscored"
TALK = ("message", "chat")  # kinds of which several make one contact
WAVES = ("wave", "survey_id", "survey", "form_id", "campaign")  # attributes by which platforms name a survey


def is_heard(row: Mapping[str, Any]) -> bool:
    """A customer said it, and it stands."""
    return bool(row.get("type") == "signal" and row.get("state") == LIVE and row["direction"] == INBOUND and row["channel"] != OWN_CHANNEL)


def is_contact(row: Mapping[str, Any]) -> bool:
    """Asks for something: no courtesy, no praise, no news, no spam, no repost, and nothing that the brand or a machine said."""
    return is_heard(row) and row.get("need") == "due" and row.get("case_rule") != ROUND


def first_of_turns(contacts: Iterable[Item], minutes: int) -> list[Item]:
    """Of messages that a customer sent one after the other in a conversation, each within so many minutes of the one before, the first: one contact."""
    last: dict[tuple[str, ...], datetime] = {}
    found = []
    for row in sorted(contacts, key=lambda row: str(row["at"])):
        where, moment = (row["channel"], row["source"], str(row.get("thread_id") or row["identity"])), parse_time(row["occurred_at"])
        if row["kind"] not in TALK or where not in last or moment - last[where] > timedelta(minutes=minutes):
            found.append(row)
        last[where] = moment
    return found


def feeling_of(row: Mapping[str, Any]) -> float | None:
    """From -1 to 1; None for what analysis could not score."""
    said = row.get("assessment") or {}
    return None if said.get("unscored") or not said else float(said.get("positive", 0)) - float(said.get("negative", 0))


def level_of(row: Mapping[str, Any]) -> str:
    """The sentiment of the ask that started a clock; `unscored` is a level of its own."""
    return str((row.get("assessment") or {}).get("sentiment") or UNSCORED)


def moment_of(row: Mapping[str, Any]) -> str:
    return str(row.get("occurred_at") or str(row["at"]).partition("#")[0])


def ratings_of(row: Mapping[str, Any]) -> Iterator[Rating]:
    """The scores of a survey's response: the weightiest is its rating, the others stand beside it."""
    found = [row["rating"], *read_attributes(row).get("ratings", ())] if row.get("rating") and is_heard(row) else []
    for each in found:
        if each.get("metric") in SCORES:
            yield Rating(each["metric"], float(each["value"]), float(each["low"]), float(each["high"]))


def wave_of(row: Mapping[str, Any]) -> str:
    """The survey that was answered: as the platform names it, else the source."""
    told = read_attributes(row)
    return str(next((told[name] for name in WAVES if told.get(name)), f"{row['channel']}/{row['source']}"))
