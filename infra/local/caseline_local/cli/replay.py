"""`caseline replay`: a file of messages, mapped to generic signals, signed and posted in the order of their times."""

from __future__ import annotations

import csv
import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from caseline.config_text import read_yaml
from caseline.errors import ConfigError
from caseline.signals import isoformat, parse_time

from caseline_local.cli.mapping import MappingError, check_mapping, columns_of, map_row, shift_times
from caseline_local.cli.sources import Sender, find_sender
from caseline_local.cli.terminal import FindingsError, UnreachableError, home_option, read_file, say, show
from caseline_local.world import world_of

_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries when the product does not take it
_SHOWN = 10
_GIVE_UP = {401, 404}
Signal = dict[str, Any]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "map_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="How a row becomes a signal (YAML).")
@click.option("--source", default="default", show_default=True, help="The source of standard_webhooks to post to.")
@click.option("--rebase", type=click.Choice(["now", "none"]), default="now", show_default=True, help="now: shift all times alike, so that the last is now.")
@click.option("--backfill", is_flag=True, help="History: keep the times, and open no cases.")
@click.option("--limit", type=click.IntRange(min=1), help="The first N rows alone.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many signals a second.")
@click.option("--connections", type=click.IntRange(1, 16), default=4, show_default=True)
@click.option("--dry-run", is_flag=True, help="Map and check; print the signals as JSON lines, post nothing.")
@home_option
def replay(
    file: Path, map_file: Path, source: str, rebase: str, backfill: bool, limit: int | None, rate: float | None, connections: int, dry_run: bool, home: Path
) -> None:
    """Post FILE (.csv or .jsonl) as signals. Posting it again changes nothing: a signal is known by its id.

    The map has the shape of the signal; events/scenarios/posts_map.yaml is an example.
    """
    signals, faults = load_signals(file, read_mapping(map_file), limit)
    if not signals and not faults:
        raise FindingsError(f"{file.name} has no rows")
    for fault in faults[:_SHOWN]:
        say(f"{file.name}:{fault}", fg="red")
    if len(faults) > _SHOWN:
        say(f"... and {len(faults) - _SHOWN} more rows that cannot be mapped", fg="red")
    prepared = prepare(signals, world_of(home).now(), rebase == "now" and not backfill, backfill)
    if dry_run:
        for signal in prepared:
            show(json.dumps(signal, ensure_ascii=False))
    else:
        tally = post_all(prepared, find_sender(home, "standard_webhooks", source), rate, connections)
        for line in tally.describe():
            show(line)
        if tally.refused:
            raise FindingsError(f"{sum(tally.refused.values())} signals were refused")
    if faults:
        raise FindingsError(f"{len(faults)} rows could not be mapped; the others went on")


def read_mapping(file: Path) -> Mapping[str, Any]:
    try:
        return check_mapping(read_yaml(read_file(file), file.name))
    except (ConfigError, MappingError) as error:
        raise FindingsError(str(error) if isinstance(error, ConfigError) else f"{file.name}: {error}") from None


def load_signals(file: Path, mapping: Mapping[str, Any], limit: int | None = None) -> tuple[list[Signal], list[str]]:
    """The signals in the order of their times, and `LINE: what is wrong` of the rows that cannot be mapped."""
    signals, faults = [], []
    for number, (line, row) in enumerate(read_rows(file)):
        if limit is not None and number >= limit:
            break
        try:
            if isinstance(row, str):
                raise MappingError(row)
            if number == 0:
                check_columns(file, mapping, row)
            signals.append(map_row(mapping, row))
        except MappingError as error:
            faults.append(f"{line}: {error}")
    return sorted(signals, key=lambda signal: str(signal["occurred_at"])), faults


def read_rows(file: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(line, row); in place of a row what is wrong with the line."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        try:
            yield from _read_json_lines(lines) if file.suffix.lower() in (".jsonl", ".ndjson") else _read_csv(lines)
        except UnicodeDecodeError:
            raise FindingsError(f"{file.name} is not UTF-8 text; save it as UTF-8") from None
        except csv.Error as error:
            raise FindingsError(f"{file.name} is no CSV ({error}); a quotation mark that is never closed looks so, too") from None


def check_columns(file: Path, mapping: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """A CSV has all its columns in its header: a name that is not there is a mistake of the map."""
    missing = sorted({name for name in columns_of(mapping) if name not in row}) if file.suffix.lower() == ".csv" else []
    if missing:
        raise FindingsError(f"{file.name} has no column {', '.join(missing)}; it has {', '.join(row)}. A constant is written {{value: ...}}")


def prepare(signals: list[Signal], now: datetime, rebase: bool, backfill: bool) -> list[Signal]:
    """The bodies to post. With `rebase` the last signal happens now; with `backfill` they are history that opens no cases."""
    offset = now - parse_time(signals[-1]["occurred_at"]) if rebase and signals else timedelta()
    marked = [{**signal, "attributes": {**signal.get("attributes", {}), "backfill": True}} if backfill else signal for signal in signals]
    return [{"type": "signal.created", "timestamp": isoformat(now), "data": shift_times(signal, offset)} for signal in marked]


@dataclass
class Tally:
    """What became of the posts."""

    accepted: int = 0
    retried: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def done(self) -> int:
        return self.accepted + sum(self.refused.values())

    def describe(self) -> Iterator[str]:
        again = f", {self.retried} tries again" if self.retried else ""
        yield f"accepted {self.accepted} in {self.seconds:.1f} s ({self.accepted / max(self.seconds, 0.001):.0f} a second){again}"
        for reason, count in self.refused.most_common():
            yield f"refused {count}: {reason}"


class Poster:
    """Posts bodies on kept connections, one of each thread; tries again where the product is not ready."""

    def __init__(self, sender: Sender, tally: Tally, rate: float | None) -> None:
        self._sender, self._tally, self._rate, self._own = sender, tally, rate, threading.local()
        self._started = time.monotonic()
        self.failure: click.ClickException | None = None

    def post(self, number: int, signal: Signal) -> None:
        """Counts what came of it; a failure that the others would meet, too, is kept and ends all."""
        if self._rate:
            time.sleep(max(0.0, self._started + number / self._rate - time.monotonic()))
        if self.failure:
            return
        try:
            status, answer = self._post(json.dumps(signal, ensure_ascii=False).encode())
        except UnreachableError as error:
            self.failure = error
            return
        with self._tally.lock:
            if 200 <= status < 300:
                self._tally.accepted += 1
            elif status in _GIVE_UP:
                self.failure = FindingsError(f"{self._sender.path} answered {status}; is its secret in secrets.json, and the source in config.yaml?")
            else:
                self._tally.refused[f"{status} {_reason(answer)}"] += 1

    def _post(self, body: bytes) -> tuple[int, str]:
        for pause in (*_PAUSES, None):
            try:
                status, answer = self._sender.post_on(self._connection(), body, {"content-type": "application/json"})
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, str(error)
                self._own.connection = None
            if status not in (0, 429, 503):
                return status, answer
            if pause is None:
                break
            with self._tally.lock:
                self._tally.retried += 1
            time.sleep(pause)
        advice = "start it with `caseline dev`, then run this again: nothing is doubled"
        raise UnreachableError(f"{self._sender.local_url} does not take signals ({answer or status}); {advice}")

    def _connection(self) -> http.client.HTTPConnection:
        if getattr(self._own, "connection", None) is None:
            self._own.connection = self._sender.connect()
        connection: http.client.HTTPConnection = self._own.connection
        return connection


def post_all(signals: list[Signal], sender: Sender, rate: float | None, connections: int) -> Tally:
    tally, started = Tally(), time.monotonic()
    poster = Poster(sender, tally, rate)
    bar = click.progressbar(length=len(signals), label=f"posting {len(signals)} signals", file=sys.stderr, show_pos=True)
    with bar, ThreadPoolExecutor(connections) as pool:
        for _ in pool.map(poster.post, range(len(signals)), signals):
            bar.update(1)
    tally.seconds = time.monotonic() - started
    if poster.failure:
        say(next(tally.describe()))
        raise poster.failure
    return tally


def _reason(answer: str) -> str:
    """The field and message of a refusal."""
    try:
        error = json.loads(answer)["error"]
        return f"{error['field']}: {error['message']}"
    except (ValueError, LookupError, TypeError):
        return answer[:100]


def _read_csv(lines: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(lines)
    line = 1 if reader.fieldnames is None else reader.line_num
    for row in reader:
        yield line + 1, {name: value for name, value in row.items() if name is not None}
        line = reader.line_num


def _read_json_lines(lines: Any) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            yield number, f"this is not JSON ({error})"
            continue
        yield number, row if isinstance(row, dict) else "this is no JSON object"
