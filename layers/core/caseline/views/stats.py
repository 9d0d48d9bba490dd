"""Counts and the balance: accepted = recorded + revised + duplicates + quarantined + in flight.

`accepted` and `rejected` are metrics of the door (CloudWatch); what became of each signal is counted from the table's stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caseline.cases.waiting import due_rows
from caseline.errors import UnavailableError
from caseline.signals import isoformat
from caseline.table import Table

OUTCOMES = ("recorded", "revised", "duplicates", "quarantined")
NAMESPACE = "Caseline"
DAY = 86_400
_KEPT = timedelta(days=455)  # how long CloudWatch keeps sums of an hour and more
_FRESH = timedelta(minutes=3)
_QUERIES = 500  # metrics a GetMetricData call takes
_PAGES = 5


@dataclass(frozen=True)
class Gauges:
    """Where the moving parts can be read: clients of CloudWatch and Step Functions, and the names of what they watch.

    `stack` tells the metrics of one stack from those of another in the same account.
    """

    cloudwatch: Any
    step_functions: Any
    state_machine: str
    stream_functions: Sequence[str]
    stack: str = ""


def read_stats(table: Table, gauges: Gauges, sources: Iterable[str], now: datetime) -> dict[str, Any]:
    """`{"total": {...}, "sources": {"<channel>/<source>": {...}}, "as_of"}`.

    The outcomes are read before `accepted`, so that arrivals in between show as in flight and never hide one that is;
    then the stages in the order of the way through, so that a moving item is seen at one of them.
    """
    counted = read_counts(table, sources)
    accepted = _sum_metric(gauges, "Accepted", counted, now)
    by_source = {source: _balance(accepted[source], counts) for source, counts in counted.items()}
    pending = _backlog(gauges, now) + _running(gauges) + _unsynced(table)
    names = ("accepted", *OUTCOMES, "in_flight")
    total = {name: sum(source[name] for source in by_source.values()) for name in names} | {"pending": pending}
    return {"total": total, "sources": by_source, "as_of": isoformat(now)}


def list_channels(table: Table, gauges: Gauges, sources: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """`{"channels": [...], "as_of"}`: each source with its brand and counts. `sources` maps `<channel>/<source>` to the brand."""
    counted = read_counts(table, sources)
    accepted, rejected = (_sum_metric(gauges, metric, counted, now) for metric in ("Accepted", "Rejected"))
    rows = [
        {"channel": name.partition("/")[0], "source": name.partition("/")[2], "brand": sources.get(name), "configured": name in sources}
        | _balance(accepted[name], counts) | {"rejected": rejected[name], "last_event": counts["last_event"]}
        for name, counts in sorted(counted.items())
    ]
    return {"channels": rows, "as_of": isoformat(now)}


def read_counts(table: Table, sources: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What became of the signals of each source: the sum over the stream's shards, and the last event's time."""
    counted = {name: _nothing() for name in sources}
    for shard in table.query("COUNTS"):
        for name, counts in (shard.get("sources") or {}).items():
            _add(counted.setdefault(name, _nothing()), counts)
    return counted


def _nothing() -> dict[str, Any]:
    return dict.fromkeys((*OUTCOMES, "replayed"), 0) | {"last_event": None}


def _add(total: dict[str, Any], counts: Mapping[str, Any]) -> None:
    for name in (*OUTCOMES, "replayed"):
        total[name] += int(counts.get(name, 0))
    total["last_event"] = max(filter(None, (total["last_event"], counts.get("last_event"))), default=None)


def _balance(accepted: int, counts: Mapping[str, Any]) -> dict[str, Any]:
    """What a replay brought beyond the one that was kept counts as accepted, too."""
    known, accepted = {name: counts[name] for name in OUTCOMES}, accepted + counts["replayed"]
    return {"accepted": accepted, **known, "in_flight": accepted - sum(known.values())}


def _sum_metric(gauges: Gauges, metric: str, sources: Iterable[str], now: datetime) -> dict[str, int]:
    """The metric's sum for each source over all the time CloudWatch remembers."""
    names, own = sorted(sources), {"Stack": gauges.stack} if gauges.stack else {}
    sums = dict.fromkeys(names, 0)
    for start in range(0, len(names), _QUERIES):
        chunk = names[start : start + _QUERIES]
        queries = [_query(f"m{i}", NAMESPACE, metric, {"Source": name, **own}, DAY, "Sum") for i, name in enumerate(chunk)]
        for result in _metric_data(gauges, queries, now - _KEPT, now):
            sums[chunk[int(result["Id"][1:])]] += round(sum(result["Values"]))
    return sums


def _backlog(gauges: Gauges, now: datetime) -> int:
    """How many stream consumers have records they did not finish yet."""
    queries = [_query(f"f{i}", "AWS/Lambda", "IteratorAge", {"FunctionName": name}, 60, "Maximum") for i, name in enumerate(gauges.stream_functions)]
    latest: dict[str, float] = {}
    for result in _metric_data(gauges, queries, now - _FRESH, now) if queries else ():
        if result["Values"]:
            latest.setdefault(result["Id"], result["Values"][0])
    return sum(age >= 1 for age in latest.values())


def _running(gauges: Gauges) -> int:
    """Executions under way, counted up to a few thousand."""
    request: dict[str, Any] = {"stateMachineArn": gauges.state_machine, "statusFilter": "RUNNING", "maxResults": 1000}
    found = 0
    for _ in range(_PAGES):
        answer = _ask(gauges.step_functions, "list_executions", **request)
        found += len(answer["executions"])
        if not answer.get("nextToken"):
            break
        request["nextToken"] = answer["nextToken"]
    return found


def _unsynced(table: Table) -> int:
    """Cases that the CRM does not have as they are, and runs that are not finished; both stand in the index of what is due."""
    return sum(str(row["PK"]).startswith(("CASE#", "RUN#")) for row in due_rows(table))


def _query(query_id: str, namespace: str, metric: str, dimensions: Mapping[str, str], period: int, stat: str) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Id": query_id, "MetricStat": {"Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named}, "Period": period, "Stat": stat}}


def _metric_data(gauges: Gauges, queries: list[dict[str, Any]], start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    # The minute under way counts: CloudWatch leaves out what lies after the end.
    request: dict[str, Any] = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end + timedelta(minutes=1), "ScanBy": "TimestampDescending"}
    while True:
        answer = _ask(gauges.cloudwatch, "get_metric_data", **request)
        yield from answer["MetricDataResults"]
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _ask(client: Any, operation: str, **request: Any) -> Any:
    try:
        return getattr(client, operation)(**request)
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"{operation} was not answered") from error
