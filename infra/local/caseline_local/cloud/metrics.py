"""Sums of the product's metrics, kept across restarts, and the figures CloudWatch would have of queue and stream."""

from __future__ import annotations

import json
from collections.abc import Callable

from caseline_local.cloud.database import Database

NAMESPACE = "Caseline"


class Metrics:
    """`accepted` is the durable queue's own record by source; `stream_age` gives milliseconds for a function name."""

    def __init__(self, database: Database, accepted: Callable[[], dict[str, int]], stream_age: Callable[[str], float]) -> None:
        self._database, self._accepted, self._stream_age = database, accepted, stream_age

    def add(self, namespace: str, name: str, dimensions: dict[str, str], value: float) -> None:
        with self._database.write() as write:
            write.execute(
                "INSERT INTO metrics VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (namespace, name, json.dumps(dimensions, sort_keys=True), value),
            )

    def sum(self, namespace: str, name: str, dimensions: dict[str, str]) -> float | None:
        """The cumulative sum; None for what is not ours to answer."""
        if namespace == "AWS/Lambda" and name == "IteratorAge":
            return self._stream_age(dimensions.get("FunctionName", ""))
        if namespace != NAMESPACE:
            return None
        if name == "Accepted":
            return float(self._sum_accepted(dimensions))
        return self._sum_stored(name, dimensions)

    def list(self, namespace: str | None, name: str | None) -> list[tuple[str, str, dict[str, str]]]:
        """(namespace, name, dimensions) of every metric that has a value."""
        rows = self._database.read("SELECT namespace, name, dimensions FROM metrics WHERE name != 'Accepted' ORDER BY name, dimensions")
        found = [(each, metric, json.loads(dimensions)) for each, metric, dimensions in rows]
        found += [(NAMESPACE, "Accepted", {"Source": source}) for source in sorted(self._accepted())]
        return [each for each in found if namespace in (None, each[0]) and name in (None, each[1])]

    def _sum_accepted(self, dimensions: dict[str, str]) -> int:
        accepted = self._accepted()
        return accepted.get(dimensions["Source"], 0) if "Source" in dimensions else sum(accepted.values())

    def _sum_stored(self, name: str, dimensions: dict[str, str]) -> float:
        rows = self._database.read("SELECT dimensions, value FROM metrics WHERE namespace = ? AND name = ?", NAMESPACE, name)
        return float(sum(value for text, value in rows if dimensions.items() <= json.loads(text).items()))
