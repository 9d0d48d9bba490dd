"""Metrics as log lines (CloudWatch embedded metric format): no call, no dependency, nothing a customer wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

NAMESPACE = "Caseline"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def emit(
    counts: Mapping[str, int], source: str, now: datetime, stack: str = "", write: Callable[[str], object] = print, **properties: str | int
) -> None:
    """One line with counts under the dimensions Source and Stack, since an account may hold two; `properties` stand beside them and make no series."""
    dimensions = ["Source", "Stack"] if stack else ["Source"]
    definition = {"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": [{"Name": name, "Unit": "Count"} for name in counts]}
    header = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [definition]}
    write(_encode({"_aws": header, "Source": source, "Stack": stack, **properties, **counts}))
