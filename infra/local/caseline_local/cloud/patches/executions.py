"""Step Functions: state machines run, each execution once, by the clock that the product lives by."""

from __future__ import annotations

import functools
import logging
import threading
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

from caseline_local.cloud.hooks import current_hooks

_KEPT = 200
_CLIENT_LOCK = threading.Lock()
_CLIENTS: dict[Any, Any] = {}
_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


def quiet_logs() -> None:
    """The interpreter of state machines logs each failed task with its input: the execution's own history has it."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)


def run_state_machines() -> None:
    """Executes state machines; clients and parsed definitions are kept, since moto makes new ones for each task and each execution.
    JSONata needs an evaluator: moto's is None."""
    from moto.core.config import default_user_config
    from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.asl.utils import boto_client

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    boto_client.boto3 = SimpleNamespace(client=_task_client)
    moto_jsonata._eval_jsonata = _evaluate_jsonata
    AmazonStateLanguageParser.parse = staticmethod(functools.lru_cache(maxsize=64)(AmazonStateLanguageParser.parse))


def _task_client(service_name: str, region_name: str, **_: Any) -> Any:
    endpoint = current_hooks().endpoint
    with _CLIENT_LOCK:
        key = (endpoint, region_name, service_name)
        if key not in _CLIENTS:
            config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=900, max_pool_connections=100)
            _CLIENTS[key] = boto3.client(service_name, region_name, endpoint_url=endpoint, config=config, **_CREDENTIALS)
        return _CLIENTS[key]


def _evaluate_jsonata(expression: str) -> Any:
    from jsonata import Jsonata

    return Jsonata(expression).evaluate(None)


def name_executions_once() -> None:
    """An execution's name is taken for 90 days, across restarts; a finished execution leaves memory; one that breaks the interpreter has failed."""
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    start, terminated = StepFunctionsParserBackend.start_execution, BaseExecutionWorkerCommunication.terminated
    lock = threading.RLock()

    def start_execution(self: Any, state_machine_arn: str, name: str | None = None, execution_input: str | None = None, trace_header: Any = None) -> Any:
        name, text = name or str(uuid.uuid4()), execution_input or "{}"
        with lock:
            machine = self.describe_state_machine(state_machine_arn)
            _claim(machine, name, text)
            _forget_finished_executions(machine)
            return start(self, state_machine_arn, name, text, trace_header)

    def finish(self: Any) -> None:
        terminated(self)
        current_hooks().finish_execution(self.execution.exec_arn, self.execution.status)

    StepFunctionsParserBackend.start_execution = start_execution
    BaseExecutionWorkerCommunication.terminated = finish
    _fail_broken_executions()


def _claim(machine: Any, name: str, text: str) -> None:
    from moto.stepfunctions.exceptions import ExecutionAlreadyExists

    arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
    is_running = any(each.name == name and each.status == "RUNNING" for each in machine.executions)
    if not is_running and not current_hooks().claim_execution(arn, machine.arn, name, text):
        raise ExecutionAlreadyExists(f"Execution Already Exists: '{arn}'")


def _fail_broken_executions() -> None:
    from moto.stepfunctions.parser.api import ExecutionStatus
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    run = ExecutionWorker._execution_logic

    def run_or_fail(self: Any) -> None:
        try:
            run(self)
        except Exception as error:
            execution = self._execution_communication.execution
            execution.exec_status, execution.error, execution.cause = ExecutionStatus.FAILED, "States.Runtime", type(error).__name__
            execution.stop_date = datetime.now(UTC)
            current_hooks().finish_execution(execution.exec_arn, "FAILED")

    ExecutionWorker._execution_logic = run_or_fail


def wait_by_the_clock() -> None:
    """Between two tries of a task moto sleeps; here the clock by which the product lives may be moved meanwhile."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

    retrier_decl.time = SimpleNamespace(sleep=lambda seconds: current_hooks().sleep(seconds))


def _forget_finished_executions(machine: Any) -> None:
    """Finished executions hold their history in memory: all but the latest are dropped."""
    over = [each for each in machine.executions if each.status != "RUNNING"][:-_KEPT]
    for each in over:
        machine.executions.remove(each)


PATCHES = (quiet_logs, run_state_machines, name_executions_once, wait_by_the_clock)
