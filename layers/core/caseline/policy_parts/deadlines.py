"""Until when: targets of replies and resolutions, and the business time they count in."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import field_validator

from caseline.calendars import Calendar, read_week
from caseline.policy_parts import Minutes, Part, Points

ALWAYS = "always"  # the calendar by which all time counts


class Targets(Part):
    """Minutes to the first reply, by band."""

    P1: Minutes
    P2: Minutes
    P3: Minutes
    P4: Minutes


class Aim(Part):
    """Targets of one clock, by band; those of a channel come first."""

    targets: Targets | None = None
    channels: dict[str, Targets] = {}


class BrandSla(Part):
    first: Aim = Aim()
    next: Aim = Aim()
    resolution: Aim = Aim()


class Sla(Part):
    """`targets` and `channels` are of the first reply. The next reply has the same, and a resolution none, unless they have their own."""

    max: Points
    targets: Targets
    channels: dict[str, Targets] = {}
    next: Aim = Aim()
    resolution: Aim = Aim()
    brands: dict[str, BrandSla] = {}

    def aims(self, clock: str, brand: str) -> list[Aim]:
        """Where to look for a clock's targets, the brand's own first."""
        general = Aim(targets=self.targets, channels=self.channels) if clock == "first" else getattr(self, clock)
        return [getattr(self.brands[brand], clock), general] if brand in self.brands else [general]


class BusinessHours(Part):
    """By day of the week, the intervals of a wall clock: `mon: ["09:00-12:00", "13:00-17:00"]`."""

    zone: str
    hours: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], list[str]]
    holidays: list[date] = []

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("there is no such time zone; write one as Europe/Berlin") from None
        return zone

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, hours: dict[str, list[str]]) -> dict[str, list[str]]:
        read_week(hours)
        return hours

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.zone, read_week(self.hours), frozenset(self.holidays))


class Calendars(Part):
    """Which time counts for deadlines: that of a named calendar, or all (`always`)."""

    default: str = ALWAYS
    brands: dict[str, str] = {}
    named: dict[str, BusinessHours] = {}

    def find(self, brand: str) -> Calendar | None:
        chosen = self.named.get(self.brands.get(brand, self.default))
        return chosen.calendar if chosen else None
