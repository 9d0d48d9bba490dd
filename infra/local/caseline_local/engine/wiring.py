"""From a stack to what runs: its functions for the sandboxes, its event sources for the pollers, its schedules for the clock."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from caseline_local.engine.environment import Function, Outcome
from caseline_local.engine.queue_source import QueueMapping
from caseline_local.engine.resources import Resource, Stack
from caseline_local.engine.schedules import Schedule
from caseline_local.engine.stream_source import StreamMapping
from caseline_local.engine.transform import code_path

_CORES = os.cpu_count() or 2
_MOST_AT_ONCE = max(2, min(4, _CORES))
_POLLERS = 2
_VISIBILITY_FACTOR = 1.5


def read_functions(stack: Stack, root: Path, services: Mapping[str, str]) -> list[Function]:
    """The stack's functions, their code under `root`; `services` are the variables that lead clients to the local services."""
    return [_read_function(resource, stack, root, services) for resource in stack.of_kind("AWS::Lambda::Function")]


def _read_function(resource: Resource, stack: Stack, root: Path, services: Mapping[str, str]) -> Function:
    properties = resource.properties
    memory, timeout, handler = int(properties.get("MemorySize", 128)), float(properties.get("Timeout", 3)), str(properties["Handler"])
    code = root / code_path(properties["Code"])
    own = properties.get("Environment", {}).get("Variables", {})
    environment = {**_base_environment(resource.name, handler, memory, code, stack), **services, **{name: str(value) for name, value in own.items()}}
    reserved = int(properties.get("ReservedConcurrentExecutions", _MOST_AT_ONCE))
    return Function(
        resource.name, stack.attribute(resource.logical_id, "Arn"), code, handler, timeout, memory, environment, max(1, min(reserved, _MOST_AT_ONCE))
    )


def _base_environment(name: str, handler: str, memory: int, code: Path, stack: Stack) -> dict[str, str]:
    """What Lambda sets; tracing is off, for nothing here receives it."""
    return {
        "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}", "AWS_LAMBDA_LOG_STREAM_NAME": "local", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13", "AWS_REGION": stack.place.region, "AWS_DEFAULT_REGION": stack.place.region,
        "LAMBDA_TASK_ROOT": str(code), "_HANDLER": handler, "TZ": ":UTC", "LANG": "en_US.UTF-8", "PATH": os.environ.get("PATH", ""),
        "AWS_XRAY_SDK_ENABLED": "false", "POWERTOOLS_TRACE_DISABLED": "true", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


def read_mappings(stack: Stack) -> tuple[list[QueueMapping], list[StreamMapping]]:
    """The event source mappings of queues and of streams; one that is disabled is left out."""
    queues: list[QueueMapping] = []
    streams: list[StreamMapping] = []
    for resource in stack.of_kind("AWS::Lambda::EventSourceMapping"):
        if resource.properties.get("Enabled", True):
            if ":sqs:" in resource.properties["EventSourceArn"]:
                queues.append(_read_queue_mapping(resource.properties, stack))
            else:
                streams.append(_read_stream_mapping(resource.properties, stack))
    return queues, streams


def _read_queue_mapping(properties: Mapping[str, Any], stack: Stack) -> QueueMapping:
    """A message is hidden for as long as its batch may run and a little more, so that a killed function's work soon comes back."""
    function = _function_name(properties)
    wanted = int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", _POLLERS))
    return QueueMapping(
        queue=_last(properties["EventSourceArn"]),
        function=function,
        batch_size=int(properties.get("BatchSize", 10)),
        window=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        partial=_is_partial(properties),
        concurrency=min(wanted, _POLLERS),
        visibility=_timeout(stack, function) * _VISIBILITY_FACTOR + 60,
    )


def _read_stream_mapping(properties: Mapping[str, Any], stack: Stack) -> StreamMapping:
    filters = properties.get("FilterCriteria", {}).get("Filters", ())
    function = _function_name(properties)
    return StreamMapping(
        stream=properties["EventSourceArn"],
        function=function,
        function_arn=f"arn:aws:lambda:{stack.place.region}:{stack.place.account}:function:{function}",
        batch_size=int(properties.get("BatchSize", 100)),
        window=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        patterns=[json.loads(each["Pattern"]) for each in filters],
        bisect=bool(properties.get("BisectBatchOnFunctionError", False)),
        retries=int(properties.get("MaximumRetryAttempts", -1)),
        partial=_is_partial(properties),
        on_failure=properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""),
    )


def read_schedules(stack: Stack, invoke: Callable[[str, bytes], Outcome], clock: Callable[[], datetime]) -> Iterator[Schedule]:
    """Rules with a schedule and schedules of their own, for the functions among their targets."""
    for resource in stack.of_kind("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        expression, properties = resource.properties.get("ScheduleExpression"), resource.properties
        targets = properties.get("Targets") or ([properties["Target"]] if "Target" in properties else [])
        if expression and properties.get("State", "ENABLED") == "ENABLED":
            for target in (target for target in targets if ":function:" in target["Arn"]):
                yield Schedule(resource.name, expression, _scheduled_call(target, stack, resource, invoke, clock))


def _scheduled_call(
    target: Mapping[str, Any], stack: Stack, resource: Resource, invoke: Callable[[str, bytes], Outcome], clock: Callable[[], datetime]
) -> Callable[[], None]:
    def run() -> None:
        event = {
            "version": "0", "id": os.urandom(8).hex(), "detail-type": "Scheduled Event", "source": "aws.events", "account": stack.place.account,
            "time": clock().strftime("%Y-%m-%dT%H:%M:%SZ"), "region": stack.place.region, "detail": {},
            "resources": [f"arn:aws:events:{stack.place.region}:{stack.place.account}:rule/{resource.name}"],
        }  # fmt: skip
        invoke(_last(target["Arn"]), str(target["Input"]).encode() if "Input" in target else json.dumps(event).encode())

    return run


def _function_name(properties: Mapping[str, Any]) -> str:
    return _last(properties["FunctionName"])


def _last(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _is_partial(properties: Mapping[str, Any]) -> bool:
    return "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ())


def _timeout(stack: Stack, function: str) -> float:
    return next(float(resource.properties.get("Timeout", 3)) for resource in stack.of_kind("AWS::Lambda::Function") if resource.name == function)
