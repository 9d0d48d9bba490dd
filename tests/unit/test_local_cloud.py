"""The local AWS services: nothing answered is lost, queues and streams behave as AWS's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from caseline.table import ConditionFailed, Table
from caseline_local.cloud import Cloud
from caseline_local.cloud.database import Database

from tests.kit.writer import open_cloud, send

ROOT = Path(__file__).parents[2]


@pytest.fixture()
def start(tmp_path: Path) -> Iterator[Callable[[], Cloud]]:
    """Starts a cloud on the same home; the one before is stopped first."""
    running: list[Cloud] = []

    def restart() -> Cloud:
        if running:
            running.pop().stop()
        running.append(open_cloud(tmp_path))
        running[0].restore()
        return running[0]

    yield restart
    for cloud in running:
        cloud.stop()


@pytest.fixture()
def cloud(start: Callable[[], Cloud]) -> Cloud:
    return start()


def table_of(cloud: Cloud) -> Table:
    return Table(cloud.client("dynamodb"), "Caseline")


def url_of(cloud: Cloud) -> str:
    return str(cloud.client("sqs").get_queue_url(QueueName="signals")["QueueUrl"])


def bodies(records: list[dict[str, Any]]) -> list[str]:
    return [record["body"] for record in records]


def receipts(records: list[dict[str, Any]]) -> list[str]:
    return [record["receiptHandle"] for record in records]


def test_nothing_answered_is_lost_to_a_kill(tmp_path: Path) -> None:
    paths = os.pathsep.join(str(ROOT / part) for part in ("layers/core", "infra/local", "."))
    command = [sys.executable, str(ROOT / "tests/kit/writer.py"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}) as writer:
        assert writer.stdout
        said = [writer.stdout.readline().strip() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.read().split("\n")[:-1]
    items, messages = ({line for line in said if line.startswith(kind)} for kind in ("item", "message"))
    cloud = open_cloud(tmp_path)
    try:
        cloud.restore()
        cloud.streams.register("triage")
        found = {item["PK"]["S"] for page in cloud.client("dynamodb").get_paginator("scan").paginate(TableName="Caseline") for item in page["Items"]}
        streamed = {record["dynamodb"]["Keys"]["PK"]["S"] for record in cloud.streams.read("triage", 100_000, 0)}
        assert items and items <= found and found == streamed
        waiting = set(bodies(cloud.queues.receive("signals", 100_000)))
        assert messages and messages <= waiting and cloud.queues.accepted() == {"x/acme": len(waiting)}
    finally:
        cloud.stop()


def test_a_restart_keeps_everything(start: Callable[[], Cloud]) -> None:
    cloud = start()
    cloud.streams.register("triage")
    table_of(cloud).put({"PK": "A", "SK": "1", "identity": "i", "at": "1", "blob": b"\x00", "tags": {"b", "a"}, "n": 1.5})
    table_of(cloud).put({"PK": "B", "SK": "1"})
    table_of(cloud).delete("B", "1")
    send(cloud.client("sqs"), url_of(cloud), "hello", signals=3)
    cloud.metrics.add("Caseline", "Rejected", {"Source": "x/acme"}, 2)
    cloud.client("s3").put_object(Bucket="private", Key="intake/a b.json", Body=b"{}")
    cloud.client("s3").put_object(Bucket="private", Key="gone", Body=b"{}")
    cloud.client("s3").delete_object(Bucket="private", Key="gone")
    cloud = start()
    cloud.streams.register("triage")
    [item] = table_of(cloud).query("i", index="timeline")
    assert (item["blob"].value, item["tags"], item["n"]) == (b"\x00", {"a", "b"}, 1.5)
    assert table_of(cloud).get("B", "1") is None
    assert [record["eventName"] for record in cloud.streams.read("triage", 9, 0)] == ["INSERT", "INSERT", "REMOVE"]
    assert bodies(cloud.queues.receive("signals")) == ["hello"] and cloud.queues.accepted() == {"x/acme": 3}
    assert cloud.metrics.sum("Caseline", "Rejected", {"Source": "x/acme"}) == 2
    keys = [entry["Key"] for entry in cloud.client("s3").list_objects_v2(Bucket="private")["Contents"]]
    assert keys == ["intake/a b.json"]


def test_binary_comes_back_as_it_went(cloud: Cloud) -> None:
    table = table_of(cloud)
    table.put({"PK": "A", "SK": "1", "blob": b"\x00\xff"})
    assert table.update("A", "1", "SET x = :x", x=1)["blob"].value == b"\x00\xff"
    with pytest.raises(ConditionFailed) as lost:
        table.put({"PK": "A", "SK": "1"}, "attribute_not_exists(PK)")
    assert lost.value.item and lost.value.item["blob"].value == b"\x00\xff"


def test_an_item_that_stood_before_a_restart_is_a_duplicate_after(start: Callable[[], Cloud]) -> None:
    items = [{"PK": "A", "SK": "1"}, {"PK": "B", "SK": "1"}]
    statements = [{"Statement": "INSERT INTO \"Caseline\" VALUE {'PK': ?, 'SK': ?}", "Parameters": [{"S": item["PK"]}, {"S": item["SK"]}]} for item in items]
    start().client("dynamodb").batch_execute_statement(Statements=statements[:1])
    answers = start().client("dynamodb").batch_execute_statement(Statements=statements)["Responses"]
    assert [answer.get("Error", {}).get("Code") for answer in answers] == ["DuplicateItem", None]


def test_sequence_numbers_go_on_after_a_restart(start: Callable[[], Cloud]) -> None:
    cloud = start()
    cloud.streams.register("triage")
    table_of(cloud).put({"PK": "A", "SK": "1"})
    first = cloud.streams.read("triage", 1, 0)[0]["dynamodb"]["SequenceNumber"]
    cloud.streams.acknowledge("triage", first)
    cloud = start()
    cloud.streams.register("triage")
    table_of(cloud).put({"PK": "A", "SK": "2"})
    [second] = cloud.streams.read("triage", 9, 0)
    assert second["dynamodb"]["SequenceNumber"] > first


def test_what_has_expired_is_deleted(cloud: Cloud) -> None:
    cloud.streams.register("triage")
    cloud.client("dynamodb").update_time_to_live(TableName="Caseline", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    for sk, expires in (("old", 1_000), ("new", 2_000)):
        table_of(cloud).put({"PK": "A", "SK": sk, "expires": expires})
    table_of(cloud).put({"PK": "A", "SK": "kept"})
    cloud.expiry.sweep(1_500)
    assert [item["SK"] for item in table_of(cloud).query("A")] == ["kept", "new"]
    assert cloud.streams.read("triage", 9, 0)[-1]["eventName"] == "REMOVE"


def test_each_consumer_reads_until_it_acknowledges(cloud: Cloud) -> None:
    for consumer in ("triage", "publish"):
        cloud.streams.register(consumer)
    for number in range(3):
        table_of(cloud).put({"PK": "A", "SK": str(number)})
    read = cloud.streams.read("triage", 2, 0)
    assert read == cloud.streams.read("triage", 2, 0)
    cloud.streams.acknowledge("triage", read[-1]["dynamodb"]["SequenceNumber"])
    assert (cloud.streams.backlog("triage"), cloud.streams.backlog("publish"), cloud.streams.backlog("nobody")) == (1, 3, 0)
    assert cloud.metrics.sum("AWS/Lambda", "IteratorAge", {"FunctionName": "publish"}) >= 1
    assert cloud.metrics.sum("AWS/Lambda", "IteratorAge", {"FunctionName": "nobody"}) == 0


def test_a_record_is_read_as_soon_as_it_is_written(cloud: Cloud) -> None:
    cloud.streams.register("triage")
    seen: list[float] = []
    waiting = threading.Thread(target=lambda: seen.append(time.monotonic()) if cloud.streams.read("triage", 1, 5) else None)
    waiting.start()
    table_of(cloud).put({"PK": "A", "SK": "1"})
    written = time.monotonic()
    waiting.join()
    assert seen[0] - written < 0.5


def test_queues_take_turns_between_groups(cloud: Cloud) -> None:
    for number in range(6):
        cloud.queues.send("signals", f"noisy{number}", group="noisy")
    cloud.queues.send("signals", "quiet", group="quiet")
    assert "quiet" in bodies(cloud.queues.receive("signals", 2))


def test_a_message_comes_again_until_it_is_deleted(cloud: Cloud) -> None:
    cloud.queues.send("signals", "hello")
    first = cloud.queues.receive("signals", visibility=0.05)
    assert cloud.queues.receive("signals") == []
    second = cloud.queues.receive("signals", wait_seconds=2)
    assert second[0]["attributes"]["ApproximateReceiveCount"] == "2"
    cloud.queues.delete("signals", receipts(first))
    assert cloud.queues.depth("signals") == 1  # an old receipt deletes nothing
    cloud.queues.delete("signals", receipts(second))
    assert cloud.queues.depth("signals") == 0


def test_a_released_message_comes_after_its_delay(cloud: Cloud) -> None:
    cloud.queues.send("signals", "hello")
    cloud.queues.release("signals", receipts(cloud.queues.receive("signals")), 0.1)
    assert cloud.queues.receive("signals") == []
    assert bodies(cloud.queues.receive("signals", wait_seconds=2)) == ["hello"]


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(start: Callable[[], Cloud]) -> None:
    cloud = start()
    cloud.queues.send("signals", "poison", {"source": {"DataType": "String", "StringValue": "x/acme"}})
    cloud.queues.receive("signals", visibility=0)
    cloud = start()  # receives are counted across restarts
    cloud.queues.receive("signals", visibility=0)
    assert cloud.queues.receive("signals") == []
    cloud = start()
    assert cloud.queues.depth("signals") == 0
    [dead] = cloud.queues.receive("dead")
    assert dead["body"] == "poison" and dead["attributes"]["DeadLetterQueueSourceArn"].endswith(":signals")
    assert dead["messageAttributes"]["source"]["stringValue"] == "x/acme"


def test_only_door_and_poll_count_as_accepted(cloud: Cloud) -> None:
    for origin, signals in (("door", 2), ("poll", 3), ("retry", 5), ("replay", 7)):
        send(cloud.client("sqs"), url_of(cloud), "x", origin=origin, signals=signals)
    assert cloud.queues.accepted() == {"x/acme": 5}
    assert cloud.metrics.sum("Caseline", "Accepted", {"Source": "x/acme"}) == 5


def test_the_sqs_protocol(cloud: Cloud) -> None:
    sqs, url = cloud.client("sqs"), url_of(cloud)
    sent = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "one"}, {"Id": "b", "MessageBody": "\x00"}])
    assert [entry["Id"] for entry in sent["Successful"]] == ["a"]
    assert [(entry["Id"], entry["Code"]) for entry in sent["Failed"]] == [("b", "InvalidMessageContents")]
    [message] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "1")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
    sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert {each.rsplit("/", 1)[-1] for each in sqs.list_queues()["QueueUrls"]} == {"dead", "signals"}


@pytest.mark.parametrize(("body", "code"), [("\ufffe", "InvalidMessageContents"), ("x" * 1_048_577, "InvalidParameterValue")])
def test_sqs_refuses_what_aws_refuses(cloud: Cloud, body: str, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.client("sqs").send_message(QueueUrl=url_of(cloud), MessageBody=body)
    assert refused.value.response["Error"]["Code"] == code


def test_an_unknown_queue_is_an_error(cloud: Cloud) -> None:
    with pytest.raises(cloud.client("sqs").exceptions.QueueDoesNotExist):
        cloud.client("sqs").get_queue_url(QueueName="missing")


def machine_of(cloud: Cloud) -> str:
    states = {"Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "call", "Payload.$": "$"}, "End": True}}
    definition = json.dumps({"StartAt": "Call", "States": states})
    created = cloud.client("stepfunctions").create_state_machine(name="open_case", definition=definition, roleArn="arn:aws:iam::123456789012:role/any")
    return str(created["stateMachineArn"])


def wait_until_done(cloud: Cloud) -> None:
    deadline = time.monotonic() + 10
    while cloud.executions.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert cloud.executions.running() == 0


def test_the_name_of_an_execution_is_taken_for_good(tmp_path: Path) -> None:
    for attempt in range(2):
        cloud = open_cloud(tmp_path)
        cloud.invoke = lambda function, payload, asynchronous: (True, payload)
        machine, client = machine_of(cloud), cloud.client("stepfunctions")
        cloud.restore()
        try:
            if attempt == 0:
                client.start_execution(stateMachineArn=machine, name="once", input="{}")
                wait_until_done(cloud)
            with pytest.raises(client.exceptions.ExecutionAlreadyExists):
                client.start_execution(stateMachineArn=machine, name="once", input="{}")
        finally:
            cloud.stop()


def test_an_execution_that_a_stop_interrupts_runs_again(tmp_path: Path) -> None:
    cloud = open_cloud(tmp_path)
    entered, release = threading.Event(), threading.Event()
    cloud.invoke = lambda function, payload, asynchronous: (entered.set() or release.wait(5), payload)
    client, machine = cloud.client("stepfunctions"), machine_of(cloud)
    first = client.start_execution(stateMachineArn=machine, name="run", input='{"a": 1}')
    assert entered.wait(5) and cloud.executions.running() == 1
    assert client.start_execution(stateMachineArn=machine, name="run", input='{"a": 1}')["executionArn"] == first["executionArn"]
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=machine, name="run", input='{"a": 2}')
    cloud.stop()
    release.set()
    again = open_cloud(tmp_path)
    try:
        payloads: list[bytes] = []
        again.invoke = lambda function, payload, asynchronous: (payloads.append(payload) is None, payload)
        machine_of(again)
        assert again.executions.running() == 1
        again.restore()
        wait_until_done(again)
        assert payloads == [b'{"a": 1}']
    finally:
        again.stop()


def test_topics_and_rules_reach_our_queues(cloud: Cloud) -> None:
    queue = cloud.queues.find("signals")
    assert queue
    sns, events = cloud.client("sns"), cloud.client("events")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    heard: list[tuple[str | None, str]] = []
    cloud.on_alert = lambda subject, message: heard.append((subject, message))
    sns.publish(TopicArn=topic, Subject="P1", Message="one case")
    events.put_rule(Name="rule", EventPattern='{"source": ["caseline"]}')
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": queue.arn}])
    events.put_events(Entries=[{"Source": "caseline", "DetailType": "Case Opened", "Detail": '{"a": 1}'}])
    first, second = (json.loads(body) for body in bodies(cloud.queues.receive("signals")))
    assert heard == [("P1", "one case")] and first["Message"] == "one case" and second["detail"] == {"a": 1}


def test_events_are_kept_as_lines(cloud: Cloud, tmp_path: Path) -> None:
    cloud.client("events").put_events(Entries=[{"Source": "caseline", "DetailType": "Case Opened", "Detail": '{"a": 1}'}])
    [line] = (tmp_path / "data/events.jsonl").read_text().splitlines()
    assert json.loads(line)["detail-type"] == "Case Opened" and json.loads(line)["detail"] == {"a": 1}


def test_functions_are_invoked_without_moto(cloud: Cloud) -> None:
    calls: list[tuple[str, bytes, bool]] = []

    def invoke(function: str, payload: bytes, asynchronous: bool) -> tuple[bool, bytes]:
        calls.append((function, payload, asynchronous))
        return False, b'{"errorType": "KeyError", "errorMessage": "a"}'

    cloud.invoke = invoke
    client = cloud.client("lambda")
    answer = client.invoke(FunctionName="save_case", Payload=b'{"a": 1}')
    assert answer["FunctionError"] == "Unhandled" and json.loads(answer["Payload"].read())["errorType"] == "KeyError"
    later = client.invoke(FunctionName="arn:aws:lambda:eu-central-1:123456789012:function:save_case", InvocationType="Event", Payload=b"{}")
    assert later["StatusCode"] == 202
    assert calls == [("save_case", b'{"a": 1}', False), ("save_case", b"{}", True)]


def test_children_reach_nothing_but_this_machine(cloud: Cloud) -> None:
    environment = cloud.environment
    assert environment["AWS_ENDPOINT_URL"] == environment["AWS_ENDPOINT_URL_SQS"] == cloud.endpoint
    assert cloud.endpoint.startswith("http://127.0.0.1:")
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true" and environment["AWS_ACCOUNT_ID_ENDPOINT_MODE"] == "disabled"


def test_what_was_deleted_is_in_no_file(tmp_path):
    database = Database(tmp_path / "caseline.db")
    with database.write() as write:
        write.executemany("INSERT INTO objects VALUES ('b', ?, ?)", [(f"o-{i}", f"marmalade {i}" * 300) for i in range(30)])
    with database.write() as write:
        write.execute("DELETE FROM objects WHERE name < 'o-2'")
        write.execute("UPDATE objects SET body = 'nothing'")
    database.tidy()
    assert not [file for file in tmp_path.iterdir() if b"marmalade" in file.read_bytes()]
    database.close()
