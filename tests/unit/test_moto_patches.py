"""Each change we make to moto, seen from outside: these fail when a new moto behaves differently."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest
from botocore.exceptions import ClientError
from caseline_local.cloud.writes import parse_insert

from tests.kit.aws import FakeCloud, aws

ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture()
def cloud() -> Iterator[FakeCloud]:
    with aws() as running:
        yield running


@pytest.fixture()
def dynamodb(cloud: FakeCloud) -> Any:
    return cloud.client("dynamodb")


def put(client: Any, pk: str, sk: str = "1", **attributes: Any) -> None:
    client.put_item(TableName="Caseline", Item=image(pk, sk, **attributes))


def image(pk: str, sk: str = "1", **attributes: Any) -> dict[str, Any]:
    return {"PK": {"S": pk}, "SK": {"S": sk}, **{name: {"S": value} if isinstance(value, str) else value for name, value in attributes.items()}}


def get(client: Any, pk: str, sk: str = "1") -> Any:
    return client.get_item(TableName="Caseline", Key=image(pk, sk)).get("Item")


def update(client: Any, pk: str, expression: str, **rest: Any) -> Any:
    return client.update_item(TableName="Caseline", Key=image(pk), UpdateExpression=expression, **rest)


def code(refused: Any) -> str:
    return str(refused.value.response["Error"]["Code"])


def statement(**attributes: Any) -> dict[str, Any]:
    fields = ", ".join(f"'{name}': ?" for name in attributes)
    return {
        "Statement": f'INSERT INTO "Caseline" VALUE {{{fields}}}',
        "Parameters": [{"S": value} if isinstance(value, str) else value for value in attributes.values()],
    }


def test_moto_is_the_version_that_was_patched() -> None:
    assert version("moto") == "5.2.5"


def test_one_of_many_conditional_puts_wins(dynamodb: Any) -> None:
    def attempt(_: int) -> bool:
        try:
            dynamodb.put_item(TableName="Caseline", Item=image("A"), ConditionExpression="attribute_not_exists(PK)")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 1


def test_counters_lose_nothing_to_threads(dynamodb: Any) -> None:
    def add(_: int) -> None:
        update(dynamodb, "A", "ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(100)))
    assert get(dynamodb, "A")["n"] == {"N": "100"}


def test_a_failed_condition_gives_the_item(dynamodb: Any) -> None:
    put(dynamodb, "A", name="first")
    with pytest.raises(ClientError) as refused:
        dynamodb.put_item(TableName="Caseline", Item=image("A"), ConditionExpression="attribute_not_exists(PK)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert refused.value.response["Item"]["name"] == {"S": "first"}
    with pytest.raises(ClientError) as refused:
        update(
            dynamodb,
            "A",
            "SET x = :x",
            ConditionExpression="attribute_not_exists(PK)",
            ExpressionAttributeValues={":x": {"S": "y"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Item"]["name"] == {"S": "first"}


def test_a_failed_update_leaves_nothing_behind(cloud: FakeCloud, dynamodb: Any) -> None:
    with pytest.raises(ClientError):
        update(dynamodb, "new", "SET n = n + :one", ExpressionAttributeValues={":one": {"N": "1"}})
    assert get(dynamodb, "new") is None
    assert cloud.stream_records() == []


def test_an_update_does_not_touch_what_was_read_before(cloud: FakeCloud, dynamodb: Any) -> None:
    put(dynamodb, "A", tags={"SS": ["a"]}, m={"M": {"x": {"L": [{"S": "1"}]}}})
    update(dynamodb, "A", "ADD tags :t SET m.x[0] = :two", ExpressionAttributeValues={":t": {"SS": ["b"]}, ":two": {"S": "2"}})
    last = cloud.stream_records()[-1]["dynamodb"]
    assert last["OldImage"]["tags"] == {"SS": ["a"]} and last["NewImage"]["tags"] == {"SS": ["a", "b"]}
    assert last["OldImage"]["m"] != last["NewImage"]["m"]


def test_a_failed_transaction_writes_nothing(cloud: FakeCloud, dynamodb: Any) -> None:
    put(dynamodb, "A", name="first")
    cloud.stream_records()
    writes = [
        {"Put": {"TableName": "Caseline", "Item": image("B", identity="i", at="1")}},
        {"Update": {"TableName": "Caseline", "Key": image("A"), "UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "y"}}}},
        {"Delete": {"TableName": "Caseline", "Key": image("C"), "ConditionExpression": "attribute_exists(PK)"}},
    ]
    with pytest.raises(ClientError) as refused:
        dynamodb.transact_write_items(TransactItems=writes)
    assert [reason["Code"] for reason in refused.value.response["CancellationReasons"]] == ["None", "None", "ConditionalCheckFailed"]
    assert get(dynamodb, "B") is None and "x" not in get(dynamodb, "A")
    assert query(dynamodb, "identity", "i", index="timeline")["Items"] == []
    assert cloud.stream_records() == []


def test_what_cannot_be_kept_is_not_written(cloud: FakeCloud, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(changes: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(cloud, "commit_changes", fail)
        with pytest.raises(OSError, match="disk full"):
            put(dynamodb, "A", identity="i", at="1")
    assert get(dynamodb, "A") is None
    assert query(dynamodb, "identity", "i", "timeline")["Items"] == []


def test_scans_and_projections_read_stored_items(dynamodb: Any) -> None:
    put(dynamodb, "A", m={"M": {"x": {"B": b"1"}, "y": {"S": "2"}}})
    projected = {"ProjectionExpression": "#m.x", "ExpressionAttributeNames": {"#m": "m"}}
    assert dynamodb.scan(TableName="Caseline", **projected)["Items"] == [{"m": {"M": {"x": {"B": b"1"}}}}]
    assert query(dynamodb, "PK", "A", ProjectionExpression="SK")["Items"] == [{"SK": {"S": "1"}}]
    everything = dynamodb.batch_get_item(RequestItems={"Caseline": {"Keys": [image("A")]}})
    assert everything["Responses"]["Caseline"] == [image("A", m={"M": {"x": {"B": b"1"}, "y": {"S": "2"}}})]


def test_an_update_that_returns_binary_returns_it_once_encoded(dynamodb: Any) -> None:
    put(dynamodb, "A", blob={"B": b"\x00"})
    answer = update(dynamodb, "A", "SET x = :x", ExpressionAttributeValues={":x": {"S": "y"}}, ReturnValues="ALL_NEW")
    assert answer["Attributes"]["blob"] == {"B": b"\x00"}
    answer = dynamodb.delete_item(TableName="Caseline", Key=image("A"), ReturnValues="ALL_OLD")
    assert answer["Attributes"]["blob"] == {"B": b"\x00"}


def test_stream_records_look_as_lambda_sees_them(cloud: FakeCloud, dynamodb: Any) -> None:
    update(dynamodb, "A", "SET x = :x", ExpressionAttributeValues={":x": {"B": b"\x00\x01"}})
    put(dynamodb, "A", x="2")
    put(dynamodb, "A", x="2")
    dynamodb.delete_item(TableName="Caseline", Key=image("A"))
    records = cloud.stream_records()
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert numbers == sorted(numbers) and len(set(numbers)) == 3 and all(number.isdigit() for number in numbers)
    assert records[0]["dynamodb"]["NewImage"] == image("A", x={"B": "AAE="})
    assert "OldImage" not in records[0]["dynamodb"] and "NewImage" not in records[2]["dynamodb"]
    assert records[0]["dynamodb"]["Keys"] == image("A")
    assert records[0]["eventSourceARN"].startswith("arn:aws:dynamodb:eu-central-1:123456789012:table/Caseline/stream/")
    json.dumps(records)


def query(client: Any, name: str, value: str, index: str | None = None, **rest: Any) -> Any:
    where = {"KeyConditionExpression": "#k = :k", "ExpressionAttributeNames": {"#k": name}, "ExpressionAttributeValues": {":k": {"S": value}}}
    return client.query(TableName="Caseline", **where, **({"IndexName": index} if index else {}), **rest)


def test_queries_are_sorted_paged_and_leave_moved_items(dynamodb: Any) -> None:
    for number in range(7):
        put(dynamodb, f"S{number}", identity="i", at=f"{9 - number}")
    first = query(dynamodb, "identity", "i", "timeline", Limit=4, ScanIndexForward=False)
    rest = query(dynamodb, "identity", "i", "timeline", Limit=4, ScanIndexForward=False, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [item["at"]["S"] for item in first["Items"] + rest["Items"]] == list("9876543")
    assert "LastEvaluatedKey" not in rest
    update(dynamodb, "S0", "SET #at = :at", ExpressionAttributeNames={"#at": "at"}, ExpressionAttributeValues={":at": {"S": "0"}})
    dynamodb.delete_item(TableName="Caseline", Key=image("S1"))
    assert [item["at"]["S"] for item in query(dynamodb, "identity", "i", "timeline")["Items"]] == list("034567")


def test_sort_key_conditions(dynamodb: Any) -> None:
    for sk in ("a", "ab", "b", "c"):
        put(dynamodb, "P", sk)

    def found(condition: str, *values: str) -> list[str]:
        names = {f":v{place}": {"S": value} for place, value in enumerate(values)}
        answer = dynamodb.query(TableName="Caseline", KeyConditionExpression=f"PK = :p AND {condition}", ExpressionAttributeValues={":p": {"S": "P"}, **names})
        return [item["SK"]["S"] for item in answer["Items"]]

    assert found("SK < :v0", "b") == ["a", "ab"]
    assert found("SK >= :v0", "b") == ["b", "c"]
    assert found("begins_with(SK, :v0)", "a") == ["a", "ab"]
    assert found("SK BETWEEN :v0 AND :v1", "ab", "b") == ["ab", "b"]
    assert found("SK = :v0", "c") == ["c"]


def test_a_limit_counts_before_the_filter(dynamodb: Any) -> None:
    for number in range(4):
        put(dynamodb, "P", str(number), odd=str(number % 2))
    answer = dynamodb.query(
        TableName="Caseline",
        KeyConditionExpression="PK = :p",
        FilterExpression="odd = :o",
        ExpressionAttributeValues={":p": {"S": "P"}, ":o": {"S": "1"}},
        Limit=3,
    )
    assert (answer["Count"], answer["ScannedCount"], answer["LastEvaluatedKey"]["SK"]["S"]) == (1, 3, "2")


def test_large_partitions_answer_quickly(dynamodb: Any) -> None:
    for start in range(0, 3000, 25):
        dynamodb.batch_execute_statement(Statements=[statement(PK=f"S{n}", SK="1", identity="i", at=f"{n:05}") for n in range(start, start + 25)])
    before = time.process_time()
    for _ in range(10):
        assert len(query(dynamodb, "identity", "i", "timeline", Limit=20, ScanIndexForward=False)["Items"]) == 20
    assert time.process_time() - before < 1.0  # reading the table each time took 10 s


def test_an_insert_statement_refuses_what_exists(cloud: FakeCloud, dynamodb: Any) -> None:
    put(dynamodb, "A", name="first")
    answers = dynamodb.batch_execute_statement(
        Statements=[statement(PK="A", SK="1", name="second"), statement(PK="B", SK="1", m={"M": {"it's": {"N": "1"}}}), statement(PK="", SK="1")],
    )["Responses"]
    assert [answer.get("Error", {}).get("Code") for answer in answers] == ["DuplicateItem", None, "ValidationError"]
    assert get(dynamodb, "A")["name"] == {"S": "first"}
    assert get(dynamodb, "B")["m"] == {"M": {"it's": {"N": "1"}}}
    assert [record["eventName"] for record in cloud.stream_records()] == ["INSERT", "INSERT"]


def test_insert_statements_are_read_whole_or_not_at_all() -> None:
    assert parse_insert("""INSERT INTO "T" VALUE {'PK': ?, 'it''s': ?}""") == ("T", ["PK", "it's"])
    assert parse_insert("""INSERT INTO "T" VALUE {'PK': 'literal'}""") is None
    assert parse_insert("""SELECT * FROM "T" WHERE PK = ?""") is None


@pytest.mark.parametrize(
    "value",
    [{"S": "x" * 409_600}, {"N": "1" * 39}, json.loads('{"L":[' * 33 + '{"S": ""}' + "]}" * 33)],
    ids=["too large", "too many digits", "too deep"],
)
def test_items_beyond_the_limits_are_refused(dynamodb: Any, value: Any) -> None:
    with pytest.raises(ClientError) as refused:
        put(dynamodb, "A", x=value)
    assert code(refused) == "ValidationException"
    assert get(dynamodb, "A") is None


def test_messages_with_bad_characters_are_refused(cloud: FakeCloud) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.client("sqs").send_message(QueueUrl=cloud.signals_queue, MessageBody="a\x00b")
    assert code(refused) == "InvalidMessageContents"


def run_machine(cloud: FakeCloud, states: dict[str, Any], text: str = "{}", name: str = "run") -> Any:
    client = cloud.client("stepfunctions")
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    arn = client.create_state_machine(name="machine", definition=definition, roleArn=ROLE)["stateMachineArn"]
    started = client.start_execution(stateMachineArn=arn, name=name, input=text)["executionArn"]
    for _ in range(500):
        if (found := client.describe_execution(executionArn=started))["status"] != "RUNNING":
            return found
        time.sleep(0.01)
    raise AssertionError("still running")


def task(function: str, **rest: Any) -> dict[str, Any]:
    parameters = {"FunctionName": function, "Payload.$": "$"}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "OutputPath": "$.Payload", **rest}


def create_function(cloud: FakeCloud, name: str, call: Any) -> None:
    cloud.functions[name] = call
    role = cloud.client("iam").create_role(RoleName=f"role-{name}", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    cloud.client("lambda").create_function(FunctionName=name, Runtime="python3.13", Role=role, Handler="app.handler", Code={"ZipFile": b"-"})


def test_state_machines_call_functions_and_catch_their_errors(cloud: FakeCloud) -> None:
    tries: list[bytes] = []

    def fail_once(payload: bytes) -> tuple[bool, bytes]:
        tries.append(payload)
        return (True, b'{"done": true}') if len(tries) > 1 else (False, b'{"errorType": "CrmUnavailableError", "errorMessage": "away"}')

    create_function(cloud, "flaky", fail_once)
    create_function(cloud, "broken", lambda payload: (False, b'{"errorType": "CrmAuthError", "errorMessage": "no"}'))
    states = {
        "Flaky": task("flaky", Retry=[{"ErrorEquals": ["CrmUnavailableError"], "IntervalSeconds": 1, "MaxAttempts": 2}], Next="Broken"),
        "Broken": task("broken", Catch=[{"ErrorEquals": ["CrmAuthError"], "ResultPath": "$.error", "Next": "Done"}], End=True),
        "Done": {"Type": "Succeed"},
    }
    found = run_machine(cloud, states, '{"a": 1}')
    assert found["status"] == "SUCCEEDED" and len(tries) == 2
    assert json.loads(found["output"])["error"]["Error"] == "CrmAuthError"


def test_the_clients_of_tasks_are_kept(cloud: FakeCloud) -> None:
    from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for

    assert boto_client_for("eu-central-1", "sns") is boto_client_for("eu-central-1", "sns")


def test_jsonata_is_evaluated(cloud: FakeCloud) -> None:
    states = {"Only": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"sum": "{% $states.input.a + 1 %}"}, "End": True}}
    found = run_machine(cloud, states, '{"a": 1}')
    assert json.loads(found["output"]) == {"sum": 2}


def test_one_definition_serves_executions_that_overlap(cloud: FakeCloud) -> None:
    release = threading.Event()

    def wait(payload: bytes) -> tuple[bool, bytes]:
        release.wait(5)
        return True, payload

    create_function(cloud, "wait", wait)
    states = {"Wait": task("wait", Next="Pick"), "Pick": {"Type": "Pass", "Parameters": {"number.$": "$.number"}, "End": True}}
    definition = json.dumps({"StartAt": "Wait", "States": states})
    client = cloud.client("stepfunctions")
    machine = client.create_state_machine(name="machine", definition=definition, roleArn=ROLE)["stateMachineArn"]
    started = [client.start_execution(stateMachineArn=machine, name=f"n{n}", input=json.dumps({"number": n}))["executionArn"] for n in range(8)]
    release.set()
    deadline = time.monotonic() + 10
    while any(client.describe_execution(executionArn=arn)["status"] == "RUNNING" for arn in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [json.loads(client.describe_execution(executionArn=arn)["output"])["number"] for arn in started] == list(range(8))


def test_functions_are_invoked_by_name(cloud: FakeCloud) -> None:
    create_function(cloud, "echo", lambda payload: (True, payload))
    answer = cloud.client("lambda").invoke(FunctionName="echo", Payload=b'{"a": 1}')
    assert answer["Payload"].read() == b'{"a": 1}'


def test_alerts_and_events_are_handed_on(cloud: FakeCloud) -> None:
    cloud.client("sns").publish(TopicArn=cloud.alert_topic, Subject="P1", Message="one case")
    cloud.client("events").put_events(Entries=[{"Source": "caseline", "DetailType": "Case Opened", "Detail": "{}", "EventBusName": cloud.event_bus}])
    assert cloud.alerts == [("P1", "one case")]
    assert [event["DetailType"] for event in cloud.events] == ["Case Opened"]


def test_a_rule_whose_target_is_a_function_invokes_it(cloud: FakeCloud) -> None:
    called = threading.Event()
    cloud.functions["hear"] = lambda payload: (called.set() is None, payload)
    events = cloud.client("events")
    events.put_rule(Name="rule", EventBusName=cloud.event_bus, EventPattern='{"source": ["caseline"]}')
    target = {"Id": "1", "Arn": "arn:aws:lambda:eu-central-1:123456789012:function:hear"}
    events.put_targets(Rule="rule", EventBusName=cloud.event_bus, Targets=[target])
    answer = events.put_events(Entries=[{"Source": "caseline", "DetailType": "Case Opened", "Detail": "{}", "EventBusName": cloud.event_bus}])
    assert answer["FailedEntryCount"] == 0 and called.wait(1)


def test_metrics_are_asked_of_the_hooks(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud, "metric_sum", lambda namespace, name, dimensions: 7.0)
    monkeypatch.setattr(cloud, "list_metrics", lambda namespace, name: [("Caseline", "Accepted", {"Source": "x/acme"})])
    client, now = cloud.client("cloudwatch"), datetime.now(UTC)
    metric = {"Namespace": "Caseline", "MetricName": "Accepted", "Dimensions": [{"Name": "Source", "Value": "x/acme"}]}
    asked = [{"Id": "a", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}]
    found = client.get_metric_data(MetricDataQueries=asked, StartTime=now - timedelta(hours=1), EndTime=now)
    assert found["MetricDataResults"][0]["Values"] == [7.0]
    assert client.list_metrics(Namespace="Caseline")["Metrics"] == [metric]
