"""rate() and cron() expressions, and what keeps to them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_NAMES = {
    name: str(number)
    for names, first in (("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 1), ("SUN MON TUE WED THU FRI SAT", 1))
    for number, name in enumerate(names.split(), first)
}
_FIRST_RUN = timedelta(seconds=2)


@dataclass(frozen=True)
class Schedule:
    """`run` is called at each time of `expression` (in UTC); a rate also runs soon after the start."""

    name: str
    expression: str
    run: Callable[[], None]


def next_time(expression: str, after: datetime) -> datetime:
    """The first time of a schedule expression after the moment given; within a year, else ValueError."""
    kind, argument = re.fullmatch(r"(rate|cron)\((.+)\)", expression.strip()).groups()
    return after + _period(argument) if kind == "rate" else _next_cron(argument, after)


def _period(argument: str) -> timedelta:
    number, unit = argument.split()
    return timedelta(seconds=int(number) * _UNITS[unit.rstrip("s")])


def _next_cron(argument: str, after: datetime) -> datetime:
    minutes, hours, days, months, weekdays, years = argument.split()
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    end = after + timedelta(days=366)
    while moment < end:
        if not (_is_in(years, moment.year) and _is_in(months, moment.month) and _is_in(days, moment.day) and _is_in(weekdays, moment.isoweekday() % 7 + 1)):
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
        elif not _is_in(hours, moment.hour):
            moment = moment.replace(minute=0) + timedelta(hours=1)
        elif not _is_in(minutes, moment.minute):
            moment += timedelta(minutes=1)
        else:
            return moment
    raise ValueError(f"cron({argument}) does not come within a year")


def _is_in(field: str, value: int) -> bool:
    return any(_part_covers(part, value) for part in field.upper().split(","))


def _part_covers(part: str, value: int) -> bool:
    span, _, step = part.partition("/")
    low, _, high = span.partition("-")
    if span in ("*", "?"):
        low, high = "0", "9999"
    first, last = int(_NAMES.get(low, low)), int(_NAMES.get(high or low, high or low))
    if step and not part.partition("-")[1] and span not in ("*", "?"):
        last = 9999
    return first <= value <= last and (value - first) % int(step or 1) == 0


class Keeper:
    """Keeps to one schedule by `clock`; a step waits for the next time and runs it."""

    def __init__(self, schedule: Schedule, stopping: threading.Event, clock: Callable[[], datetime]) -> None:
        self._schedule, self._stopping, self._clock = schedule, stopping, clock
        self._running = threading.Lock()
        now = clock()
        self._due = now + _FIRST_RUN if schedule.expression.startswith("rate") else next_time(schedule.expression, now)
        self.steps = [(f"schedule-{schedule.name}", self.wait_and_run)]

    def wait_and_run(self) -> None:
        if not self._stopping.wait(max((self._due - self._clock()).total_seconds(), 0)):
            self.catch_up()

    def catch_up(self) -> None:
        """Run it, once, if its time has come; after a clock that was put back it is due as from now."""
        with self._running:
            now = self._clock()
            if self._due <= now:
                self._due = next_time(self._schedule.expression, now)
                self._schedule.run()
            self._due = min(self._due, next_time(self._schedule.expression, now))
