"""Every change made to moto, in one place. moto is pinned exactly; each function says why it exists, and each has a test that fails when moto changes."""

from __future__ import annotations

import functools
import json
import logging
import threading
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

from caseline_local.cloud.hooks import current_hooks
from caseline_local.cloud.index import query_table
from caseline_local.cloud.items import Changes
from caseline_local.cloud.limits import message_fault
from caseline_local.cloud.stored import LazyAttributes, freeze, plain_image, select
from caseline_local.cloud.writes import insert_item, parse_insert, update_item

DYNAMO_LOCK = threading.RLock()
CHANGES = Changes()


@functools.cache
def install() -> None:
    """Apply all patches, once for the process."""
    for patch in _PATCHES:
        patch()


def run_atomically(call: Any) -> tuple[int, Any, Any]:
    """One DynamoDB call under the lock: (status, headers, body). What a failed call wrote is undone, the rest is kept before the answer."""
    with DYNAMO_LOCK:
        try:
            answer: tuple[int, Any, Any] = call()
            if answer[0] < 400:
                current_hooks().commit_changes(CHANGES.list())
                CHANGES.forget()
            return answer
        finally:
            CHANGES.undo()


def quiet_logs() -> None:
    """The interpreter of state machines logs each failed task with its input: the execution's own history has it."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)


def lock_dynamodb() -> None:
    """moto's store is not safe for threads: conditional puts had two winners. One lock around each call, which is also the transaction."""
    from moto.dynamodb.responses import DynamoHandler

    original = DynamoHandler.call_action
    DynamoHandler.call_action = lambda self: run_atomically(functools.partial(original, self))


def freeze_items() -> None:
    """Stored items never change (an update stores a copy), so a copy of a table, which costs a transaction most of its time, is the table itself."""
    from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict
    from moto.dynamodb.models.table import SecondaryIndex, Table

    Item.__new__ = lambda cls, *args, **rest: object.__new__(cls)  # moto keeps every item ever made for its dashboard
    Table.__deepcopy__ = lambda self, memo: self
    LimitedSizeDict.__setitem__ = dict.__setitem__  # its check is quadratic; ours is made once a write
    SecondaryIndex.project = _project


def _project(index: Any, item: Any) -> Any:
    kind = (index.projection or {}).get("ProjectionType", "ALL")
    if kind == "ALL":
        return item
    names = {*index.table_key_attrs, *index.schema_key_attrs, *(index.projection.get("NonKeyAttributes", []) if kind == "INCLUDE" else [])}
    return select(freeze(item), names)


def record_changes() -> None:
    """Every write passes StreamShard.add: there it joins the changes of the call, from which come indexes, journal and stream records.
    moto's own records double an insert made by an update, and stay in memory for ever."""
    from moto.dynamodb.models.table import StreamShard, Table

    original = Table.set_stream_specification

    def set_stream_specification(self: Any, streams: Any) -> None:
        original(self, streams)
        self.stream_shard = self.stream_shard or StreamShard(self.account_id, self)

    Table.set_stream_specification = set_stream_specification
    StreamShard.add = lambda self, old, new: CHANGES.note(self.table, old, new)


def update_copies() -> None:
    """moto updates the stored item in place, and leaves an empty one behind when the update of a new item fails."""
    from moto.dynamodb.models import DynamoDBBackend

    original = DynamoDBBackend.update_item

    def update(self: Any, table_name: str, key: Any, update_expression: str, *args: Any, **rest: Any) -> Any:
        if not update_expression or args:
            return original(self, table_name, key, update_expression, *args, **rest)
        names, values = rest.pop("expression_attribute_names"), rest.pop("expression_attribute_values")
        return update_item(self, table_name, key, update_expression, names, values, rest)

    DynamoDBBackend.update_item = update


def parse_expressions_once() -> None:
    """moto parses an update expression twice for each call; validation works on a copy, so that the parsed form can be kept."""
    from moto.dynamodb.parsing.expressions import UpdateExpressionParser

    UpdateExpressionParser.make = functools.lru_cache(maxsize=1024)(UpdateExpressionParser.make)


def query_by_index() -> None:
    """moto's Query reads the whole table: half a second at 20,000 items. Sorted partitions answer it; odd requests go to moto's own."""
    from moto.dynamodb.models.table import Table

    original = Table.query

    def query(self: Any, *args: Any, **rest: Any) -> Any:
        hashes, ranges = rest.get("hash_key_conditions") or [], rest.get("range_key_conditions") or []
        odd = set(rest) - {"hash_key_conditions", "range_key_conditions", "index_name", "consistent_read", "filter_expression"}
        if odd or len(hashes) != 1 or len(ranges) > 1 or (args[7:8] and _refused(self, *args[7:9])):
            return original(self, *args, **rest)
        return query_table(self, *args, **rest)

    Table.query = query


def _refused(table: Any, index: str | None, consistent: bool = False) -> bool:
    return bool(index) and (consistent or index not in {each.name for each in table.all_indexes()})


def answer_stored_items() -> None:
    """Answers are made of an item's JSON, not value by value."""
    from moto.dynamodb import responses

    plain = responses.dynamo_to_dict

    def to_plain(value: Any) -> Any:
        if type(value) is LazyAttributes:
            return plain_image(value.image)
        if type(value) is dict:
            return {name: to_plain(each) for name, each in value.items()}
        return [to_plain(each) for each in value] if type(value) is list else plain(value)

    responses.dynamo_to_dict = to_plain


def insert_by_statement() -> None:
    """moto's PartiQL reads all tables at each statement, loses parameters of maps, and overwrites where AWS answers DuplicateItem."""
    from moto.dynamodb.exceptions import MockValidationException
    from moto.dynamodb.models import DynamoDBBackend

    original = DynamoDBBackend.batch_execute_statement

    def batch_execute_statement(self: Any, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(statements) > 25:
            raise MockValidationException("Member must have length less than or equal to 25")
        parsed = [parse_insert(statement["Statement"]) for statement in statements]
        if not all(parsed):
            return list(original(self, statements))
        return [insert_item(self, *insert, statement.get("Parameters") or []) for insert, statement in zip(parsed, statements, strict=True) if insert]

    DynamoDBBackend.batch_execute_statement = batch_execute_statement


def invoke_functions() -> None:
    """moto's Lambda wants Docker, or echoes: invocations go to the hooks."""
    from moto.awslambda_simple.models import LambdaSimpleBackend
    from moto.core.config import default_user_config

    default_user_config["lambda"] = {"use_docker": False}

    def invoke(self: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any) -> bytes:
        payload = body.encode() if isinstance(body, str) else body or b"{}"
        asynchronous = dict(headers or {}).get("X-Amz-Invocation-Type") == "Event"
        ok, answer = current_hooks().invoke(function_name.split(":function:")[-1].split(":")[0], payload, asynchronous)
        if not ok:
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer

    LambdaSimpleBackend.invoke = invoke


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


_CLIENT_LOCK = threading.Lock()
_CLIENTS: dict[Any, Any] = {}
_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


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
    from moto.stepfunctions.exceptions import ExecutionAlreadyExists
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    start, terminated = StepFunctionsParserBackend.start_execution, BaseExecutionWorkerCommunication.terminated
    lock = threading.RLock()

    def start_execution(self: Any, state_machine_arn: str, name: str | None = None, execution_input: str | None = None, trace_header: Any = None) -> Any:
        name, text = name or str(uuid.uuid4()), execution_input or "{}"
        with lock:
            machine = self.describe_state_machine(state_machine_arn)
            arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
            running = next((each for each in machine.executions if each.name == name and each.status == "RUNNING"), None)
            if running is None and not current_hooks().claim_execution(arn, machine.arn, name, text):
                raise ExecutionAlreadyExists(f"Execution Already Exists: '{arn}'")
            forget_finished_executions(machine)
            return start(self, state_machine_arn, name, text, trace_header)

    def finish(self: Any) -> None:
        terminated(self)
        current_hooks().finish_execution(self.execution.exec_arn, self.execution.status)

    StepFunctionsParserBackend.start_execution = start_execution
    BaseExecutionWorkerCommunication.terminated = finish
    _fail_broken_executions()


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


def forget_finished_executions(machine: Any, keep: int = 200) -> None:
    """Finished executions hold their history in memory: all but the latest are dropped."""
    over = [each for each in machine.executions if each.status != "RUNNING"][:-keep]
    for each in over:
        machine.executions.remove(each)


def deliver_messages() -> None:
    """SNS and EventBridge put into moto's queues: they go to ours, and moto's own take only what AWS would take."""
    from moto.sqs.exceptions import InvalidParameterValue
    from moto.sqs.models import SQSBackend

    original = SQSBackend.send_message

    def send_message(self: Any, queue_name: str, message_body: str, message_attributes: Any = None, *args: Any, **rest: Any) -> Any:
        if current_hooks().send_message(queue_name, message_body, rest.get("group_id")):
            return None
        if fault := message_fault(message_body, message_attributes):
            refusal = InvalidParameterValue(fault[1])
            refusal.code = fault[0]
            raise refusal
        return original(self, queue_name, message_body, message_attributes, *args, **rest)

    SQSBackend.send_message = send_message


def announce_alerts() -> None:
    """What is published to a topic is shown to whoever runs the product; moto would keep it in memory only."""
    from moto.sns.models import Topic

    original = Topic.publish

    def publish(self: Any, message: str, subject: str | None = None, *args: Any, **rest: Any) -> Any:
        current_hooks().publish(subject, message)
        answer = original(self, message, subject, *args, **rest)
        del self.sent_notifications[:-100]
        return answer

    Topic.publish = publish


def route_events() -> None:
    """Events are kept in a file; a rule's function target, which moto answers with an error, is invoked."""
    from moto.events.models import EventsBackend, Rule

    put_events, send_to_targets = EventsBackend.put_events, Rule.send_to_targets

    def keep_events(self: Any, events: list[dict[str, Any]]) -> Any:
        current_hooks().put_events(events)
        return put_events(self, events)

    def send(self: Any, original_event: Any, *args: Any, **rest: Any) -> None:
        kept = self.targets
        self.targets = [target for target in kept if target["Arn"].split(":")[2] == "sqs"]
        try:
            send_to_targets(self, original_event, *args, **rest)
        finally:
            self.targets = kept
        if self.event_pattern.matches_event(original_event):
            for target in (target for target in kept if target["Arn"].split(":")[2] == "lambda"):
                current_hooks().invoke(target["Arn"].split(":function:")[-1], json.dumps(original_event, default=str).encode(), True)

    EventsBackend.put_events, Rule.send_to_targets = keep_events, send


def answer_metrics() -> None:
    """CloudWatch's sums and lists come from our own store; moto has only what was put there by PutMetricData."""
    from moto.cloudwatch.models import CloudWatchBackend

    original, original_list = CloudWatchBackend.get_metric_data, CloudWatchBackend.list_metrics

    def get_metric_data(self: Any, queries: list[dict[str, Any]], start_time: datetime, end_time: datetime, scan_by: str = "TimestampAscending") -> Any:
        answers = [_metric_answer(query, start_time) for query in queries]
        if all(answers):
            return answers
        return original(self, queries, start_time, end_time, scan_by)

    def list_metrics(self: Any, next_token: str | None, namespace: str, metric_name: str, dimensions: Any) -> Any:
        own = [_Metric(*each) for each in current_hooks().list_metrics(namespace, metric_name)]
        token, others = original_list(self, next_token, namespace, metric_name, dimensions)
        return token, own + list(others)

    CloudWatchBackend.get_metric_data, CloudWatchBackend.list_metrics = get_metric_data, list_metrics


def _metric_answer(query: dict[str, Any], start: datetime) -> dict[str, Any] | None:
    metric = query.get("MetricStat", {}).get("Metric")
    if not metric:
        return None
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
    value = current_hooks().metric_sum(metric["Namespace"], metric["MetricName"], dimensions)
    if value is None:
        return None
    label = query.get("Label") or metric["MetricName"]
    return {"id": query["Id"], "label": label, "values": [value], "timestamps": [start], "status_code": "Complete"}


class _Metric:
    """What moto's answer to ListMetrics reads of a metric."""

    def __init__(self, namespace: str, name: str, dimensions: dict[str, str]) -> None:
        from moto.cloudwatch.models import Dimension

        self.namespace, self.name, self.metric_name = namespace, name, name
        self.dimensions = [Dimension(key, value) for key, value in dimensions.items()]


def keep_objects() -> None:
    """moto keeps S3 objects in memory: each is journalled before the call is answered."""
    from moto.s3.models import S3Backend

    put, delete = S3Backend.put_object, S3Backend.delete_object

    def put_object(self: Any, bucket_name: str, key_name: str, value: bytes, *args: Any, **rest: Any) -> Any:
        key = put(self, bucket_name, key_name, value, *args, **rest)
        current_hooks().put_object(bucket_name, key_name, key.value)
        return key

    def delete_object(self: Any, bucket_name: str, key_name: str, *args: Any, **rest: Any) -> Any:
        answer = delete(self, bucket_name, key_name, *args, **rest)
        current_hooks().delete_object(bucket_name, key_name)
        return answer

    S3Backend.put_object, S3Backend.delete_object = put_object, delete_object


_PATCHES = (
    quiet_logs,
    lock_dynamodb,
    freeze_items,
    record_changes,
    update_copies,
    parse_expressions_once,
    query_by_index,
    answer_stored_items,
    insert_by_statement,
    invoke_functions,
    run_state_machines,
    name_executions_once,
    wait_by_the_clock,
    deliver_messages,
    announce_alerts,
    route_events,
    answer_metrics,
    keep_objects,
)
