"""What functions print: metrics to the metrics store, the rest to a log file for each function, errors also to people."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_LARGEST_LOG = 5 * 1024 * 1024
_REPEAT_AFTER = 30.0
_LONGEST_SUMMARY = 200
_COUNTED_BY_QUEUE = {"Accepted"}
AddMetric = Callable[[str, str, dict[str, str], float], None]


class Output:
    """`add_metric(namespace, name, dimensions, value)`; `report(text)` gets one line for an error, once in a while for the same one."""

    def __init__(self, logs: Path, add_metric: AddMetric, report: Callable[[str], None]) -> None:
        self._logs, self._add_metric, self._report = logs, add_metric, report
        self._lock = threading.Lock()
        self._reported: dict[str, float] = {}

    def take(self, function: str, line: str) -> None:
        document = _read_object(line)
        if document and "_aws" in document:
            for metric in read_metrics(document):
                if metric[1] not in _COUNTED_BY_QUEUE:
                    self._add_metric(*metric)
            return
        with self._lock:
            self._write(function, line)
        if summary := _summarise_error(line, document):
            self._announce(f"{function}: {summary}")

    def _write(self, function: str, line: str) -> None:
        file = self._logs / f"{function}.log"
        if file.exists() and file.stat().st_size > _LARGEST_LOG:
            file.replace(file.with_suffix(".log.1"))
        with file.open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def _announce(self, text: str) -> None:
        now = time.monotonic()
        with self._lock:
            recent = now - self._reported.get(text, -_REPEAT_AFTER) < _REPEAT_AFTER
            if len(self._reported) > 1000:
                self._reported.clear()
            self._reported.setdefault(text, now)
            if not recent:
                self._reported[text] = now
        if not recent:
            self._report(text)


def read_metrics(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, str], float]]:
    """(namespace, name, dimensions, value) of each metric in an embedded-metric-format line."""
    for directive in document["_aws"].get("CloudWatchMetrics", ()):
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(document[name]) for name in names if name in document}
            for metric in directive.get("Metrics", ()):
                value = document.get(metric["Name"], 0)
                yield directive["Namespace"], metric["Name"], dimensions, float(sum(value) if isinstance(value, list) else value)


def _read_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _summarise_error(line: str, document: Mapping[str, Any] | None) -> str | None:
    if document is None:
        return line[:_LONGEST_SUMMARY] if line.startswith("[ERROR]") else None
    if document.get("level") not in ("ERROR", "CRITICAL"):
        return None
    parts = (document.get("exception_name"), document.get("errorType"), document.get("message"))
    return " ".join(str(part) for part in parts if part)[:_LONGEST_SUMMARY]
