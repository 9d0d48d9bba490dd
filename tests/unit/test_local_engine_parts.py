"""The engine's parts by themselves: intrinsics, event patterns, schedules, routes, and the rules for failed batches."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from caseline.errors import ConfigError
from caseline_local.engine.environment import Environment, Function, Invocation, Outcome, failure
from caseline_local.engine.intrinsics import Resolver
from caseline_local.engine.output import Output, read_metrics
from caseline_local.engine.patterns import matches, matches_any
from caseline_local.engine.queue_source import QueueMapping, QueueSource, failed_items
from caseline_local.engine.resources import fill_definition
from caseline_local.engine.schedules import next_time
from caseline_local.engine.settings import read_text
from caseline_local.engine.stream_source import StreamMapping, StreamSource

# ---- intrinsics

TEMPLATE = {
    "Conditions": {
        "Yes": {"Fn::Equals": [{"Ref": "Stage"}, "local"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
        "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
    },
    "Mappings": {"Sizes": {"local": {"Memory": 128}}},
}


@pytest.fixture
def resolver():
    return Resolver(TEMPLATE, {"Stage": "local", "AWS::Region": "here"}, lambda name: f"<{name}>", lambda name, attribute: f"<{name}.{attribute}>")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Queue"}, "<Queue>"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "<Queue.Arn>"),
        ({"Fn::GetAtt": "Table.Stream.Arn"}, "<Table.Stream.Arn>"),
        ({"Fn::Sub": "${AWS::Region}/${Queue}/${Table.Arn}/${!Kept}"}, "here/<Queue>/<Table.Arn>/${Kept}"),
        ({"Fn::Sub": ["${A}-${Stage}", {"A": {"Ref": "Queue"}}]}, "<Queue>-local"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}, 1]]}, "a-local-1"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b,c"]}]}, "b"),
        ({"Fn::If": ["Yes", "then", "otherwise"]}, "then"),
        ({"Fn::If": ["Both", "then", {"Fn::If": ["Either", "inner", "never"]}]}, "inner"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Memory"]}, 128),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Fn::If": ["No", 2, {"Ref": "AWS::NoValue"}]}, 3]}, {"b": [1, 3]}),
    ],
)
def test_intrinsics_are_worked_out(resolver, value, expected):
    assert resolver.resolve(value) == expected


def test_a_definition_gets_its_substitutions_and_keeps_what_is_not_one():
    assert fill_definition('{"a": "${Arn}", "b": "$.x", "c": "${Other}"}', {"Arn": "x"}) == '{"a": "x", "b": "$.x", "c": "${Other}"}'


# ---- patterns

RECORD = {"eventName": "INSERT", "dynamodb": {"NewImage": {"type": {"S": "signal"}, "need": {"S": "due"}, "score": {"N": 7}}}}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({}, True),
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"dynamodb": {"NewImage": {"type": {"S": ["signal"]}, "need": {"S": ["due"]}}}}, True),
        ({"dynamodb": {"NewImage": {"type": {"S": ["signal"]}, "need": {"S": ["none"]}}}}, False),
        ({"dynamodb": {"OldImage": {"need": {"S": ["due"]}}}}, False),
        ({"dynamodb": {"OldImage": [{"exists": False}]}}, True),
        ({"dynamodb": {"NewImage": {"need": {"S": [{"exists": True}]}}}}, True),
        ({"dynamodb": {"NewImage": {"gone": {"S": [{"exists": False}]}}}}, True),
        ({"dynamodb": {"NewImage": {"type": {"S": [{"prefix": "sig"}]}}}}, True),
        ({"dynamodb": {"NewImage": {"type": {"S": [{"suffix": "case"}]}}}}, False),
        ({"dynamodb": {"NewImage": {"type": {"S": [{"anything-but": ["case", "customer"]}]}}}}, True),
        ({"dynamodb": {"NewImage": {"type": {"S": [{"anything-but": {"prefix": "sig"}}]}}}}, False),
        ({"dynamodb": {"NewImage": {"gone": {"S": [{"anything-but": "case"}]}}}}, False),
        ({"dynamodb": {"NewImage": {"score": {"N": [{"numeric": [">", 5, "<=", 7]}]}}}}, True),
        ({"dynamodb": {"NewImage": {"score": {"N": ["7"]}}}}, False),
        ({"$or": [{"eventName": ["REMOVE"]}, {"dynamodb": {"NewImage": {"need": {"S": [{"equals-ignore-case": "DUE"}]}}}}]}, True),
        ({"eventName": [{"wildcard": "IN*T"}]}, True),
    ],
)
def test_patterns_match_as_aws_says(pattern, expected):
    assert matches(pattern, RECORD) is expected


def test_an_empty_filter_lets_all_pass_and_else_one_pattern_is_enough():
    assert matches_any([], RECORD)
    assert matches_any([{"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}], RECORD)
    assert not matches_any([{"eventName": ["REMOVE"]}], RECORD)


# ---- schedules


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", "2026-11-21T10:08:30"),
        ("rate(2 hours)", "2026-11-21T12:07:30"),
        ("cron(0/15 * * * ? *)", "2026-11-21T10:15:00"),
        ("cron(30 6 * * ? *)", "2026-11-22T06:30:00"),
        ("cron(0 9 ? * MON-FRI *)", "2026-11-23T09:00:00"),
        ("cron(0 0 1 JAN,MAR ? *)", "2027-01-01T00:00:00"),
    ],
)
def test_the_next_time_of_a_schedule(expression, expected):
    moment = datetime(2026, 11, 21, 10, 7, 30, tzinfo=UTC)
    assert next_time(expression, moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


# ---- failed batches


@pytest.mark.parametrize(
    ("outcome", "partial", "expected"),
    [
        (Outcome(b"null"), True, set()),
        (Outcome(b'{"batchItemFailures": []}'), True, set()),
        (Outcome(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'), True, {"b"}),
        (Outcome(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'), False, set()),
        (Outcome(b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}'), True, {"a", "b"}),
        (Outcome(b'{"batchItemFailures": [{"itemIdentifier": ""}]}'), True, {"a", "b"}),
        (Outcome(b'{"batchItemFailures": [{"wrong": "b"}]}'), True, {"a", "b"}),
        (Outcome(b"not json"), True, {"a", "b"}),
        (failure("Unhandled", "no"), True, {"a", "b"}),
    ],
)
def test_which_items_of_a_batch_failed(outcome, partial, expected):
    assert failed_items(outcome, ["a", "b"], partial) == expected


class FakeStreams:
    """Keeps what was acknowledged, and gives what comes after."""

    def __init__(self, count):
        self.records = [{"dynamodb": {"SequenceNumber": f"{number:03d}", "NewImage": {"n": number}}} for number in range(count)]
        self.acknowledged = ""

    def read(self, consumer, maximum, wait_seconds):
        return [record for record in self.records if record["dynamodb"]["SequenceNumber"] > self.acknowledged][:maximum]

    def acknowledge(self, consumer, sequence_number):
        assert sequence_number >= self.acknowledged, "acknowledgements go forward"
        self.acknowledged = sequence_number


class Impatient(threading.Event):
    """Stops nothing and waits for nothing."""

    def wait(self, timeout=None):
        return self.is_set()


def deliver(count, poison, *, bisect=True, partial=True, retries=2, name_failures=False, patterns=()):
    """Runs one batch over a function that fails for `poison`; what it handled, what was given up, what was acknowledged."""
    streams, handled, given_up, calls = FakeStreams(count), [], [], []

    def invoke(function, payload):
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in json.loads(payload)["Records"]]
        calls.append(numbers)
        failing = [number for number in numbers if number in poison]
        if failing and name_failures:
            handled.extend(number for number in numbers if number not in poison)
            return Outcome(json.dumps({"batchItemFailures": [{"itemIdentifier": f"{number:03d}"} for number in failing]}).encode())
        if failing:
            return failure("Unhandled", "poison")
        handled.extend(numbers)
        return Outcome(b"{}")

    mapping = StreamMapping("arn:stream", "f", "arn:f", 100, 0, list(patterns), bisect, retries, partial, "arn:failures")
    StreamSource(mapping, streams, invoke, lambda queue, body: given_up.append(json.loads(body)["DDBStreamBatchInfo"]), Impatient()).poll()
    return set(handled), [(each["startSequenceNumber"], each["endSequenceNumber"]) for each in given_up], streams.acknowledged, calls


def test_a_batch_that_raises_is_halved_until_the_poison_stands_alone():
    handled, given_up, acknowledged, _ = deliver(8, {5}, retries=5)
    assert handled == {0, 1, 2, 3, 4, 6, 7}
    assert given_up == [("005", "005")]
    assert acknowledged == "007"


def test_a_batch_that_cannot_be_halved_is_given_up_after_its_retries():
    handled, given_up, acknowledged, calls = deliver(4, {1}, bisect=False, retries=2)
    assert (handled, given_up, acknowledged, len(calls)) == (set(), [("000", "003")], "003", 3)


def test_a_named_failure_is_tried_again_from_there_in_order():
    handled, given_up, acknowledged, calls = deliver(4, {1}, name_failures=True, retries=1)
    assert handled == {0, 2, 3}
    assert calls[:2] == [[0, 1, 2, 3], [1, 2, 3]]
    assert acknowledged == "003"
    assert given_up


def test_what_a_filter_drops_is_acknowledged_without_a_call():
    handled, given_up, acknowledged, calls = deliver(3, set(), patterns=[{"dynamodb": {"NewImage": {"n": [1]}}}])
    assert (handled, given_up, acknowledged, calls) == ({1}, [], "002", [[1]])


class FakeQueues:
    def __init__(self, bodies):
        self.waiting = [{"messageId": body, "receiptHandle": f"r-{body}", "body": body, "attributes": {"ApproximateReceiveCount": "1"}} for body in bodies]
        self.deleted, self.released = [], []

    def receive(self, queue, maximum, wait_seconds, visibility):
        taken, self.waiting = self.waiting[:maximum], self.waiting[maximum:]
        return taken

    def delete(self, queue, receipts):
        self.deleted += receipts

    def release(self, queue, receipts, delay):
        self.released += [(receipt, delay) for receipt in receipts]


def test_of_a_queue_batch_only_what_failed_comes_back():
    queues = FakeQueues(["a", "b", "c"])
    mapping = QueueMapping("q", "f", 25, 1.0, True, 1, 30)
    source = QueueSource(mapping, queues, lambda function, payload: Outcome(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'), threading.Event())
    source.poll()
    assert queues.deleted == ["r-a", "r-c"]
    assert queues.released == [("r-b", 0.5)]


# ---- output

METRIC_LINE = {
    "_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "Caseline", "Dimensions": [["Source"]], "Metrics": [{"Name": "Rejected", "Unit": "Count"}]}]},
    "Source": "x/acme",
    "Rejected": [1, 1],
}


def test_metric_lines_are_read():
    assert list(read_metrics(METRIC_LINE)) == [("Caseline", "Rejected", {"Source": "x/acme"}, 2.0)]


def test_output_goes_where_it_belongs(tmp_path):
    metrics, reports = [], []
    output = Output(tmp_path, lambda *metric: metrics.append(metric), reports.append)
    for line in (
        json.dumps(METRIC_LINE),
        "START",
        '{"level": "ERROR", "message": "no answer"}',
        '{"level": "ERROR", "message": "no answer"}',
        '{"level": "INFO"}',
    ):
        output.take("receive", line)
    assert len(metrics) == 1
    assert reports == ["receive: no answer"]
    assert len((tmp_path / "receive.log").read_text().splitlines()) == 4


# ---- the stand-in for awslambdaric


def test_the_standard_library_loop_serves_as_the_runtime_client_does(tmp_path):
    (tmp_path / "app.py").write_text(
        "def handler(event, context):\n"
        "    if event.get('raise'):\n"
        "        raise KeyError('gone')\n"
        "    return {'name': context.function_name, 'left': context.get_remaining_time_in_millis(), 'echo': event}\n"
    )
    function = Function("f", "arn:f", tmp_path, "app.handler", 5.0, 128, {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}, 1)
    children = []

    def spawn(request, output):
        own = request["environment"]
        command = "import sys; from caseline_local.engine.runtime_loop import run; run('app.handler', sys.argv[1])"
        path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        children.append(
            subprocess.Popen([sys.executable, "-c", command, own["AWS_LAMBDA_RUNTIME_API"]], stdout=output, stderr=output, env={**own, "PYTHONPATH": path})
        )
        return children[0].pid

    environment = Environment(function, spawn, [], lambda line: None, lambda ended: None)
    answer = json.loads(environment.run(Invocation('{"text": "ü"}'.encode())).payload)
    assert (answer["name"], answer["echo"]) == ("f", {"text": "ü"})
    assert 0 < answer["left"] <= 5000
    failed = environment.run(Invocation(b'{"raise": true}'))
    assert failed.error
    assert json.loads(failed.payload)["errorType"] == "KeyError"
    environment.kill()
    assert children[0].wait(5) is not None


# ---- settings


def test_a_byte_that_is_no_utf8_is_named_by_its_place(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(b"brands: {}\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"^config.yaml:2:6: this byte is not UTF-8"):
        read_text(file)
    file.write_bytes(b"\xef\xbb\xbfbrands: {}\n")
    assert read_text(file) == "brands: {}\n"
