"""The handlers behind the door, on the clients and the environment a function has."""

from __future__ import annotations

import importlib
import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from caseline.errors import UnavailableError
from caseline.signals import isoformat
from caseline.wiring import wiring

from tests.kit.aws import aws
from tests.kit.pipeline import START, a_signal

CONFIG = {"brands": {"acme": {}}, "sources": [{"channel": "x", "name": "acme", "brand": "acme"}], "crm": {"name": "builtin"}, "analysis": {"name": "embedded"}}
ANGRY = "The service is down again and nobody from support has answered us for days. Really angry."


@pytest.fixture
def cloud(monkeypatch):
    with aws() as running:
        ssm = running.client("ssm")
        ssm.put_parameter(Name="/caseline/config", Value=json.dumps(CONFIG), Type="String")
        ssm.put_parameter(Name="/caseline/policy", Value="default", Type="String")
        environ = {
            "TABLE_NAME": running.table,
            "SIGNALS_QUEUE_URL": running.signals_queue,
            "BUCKET_NAME": running.bucket,
            "EVENT_BUS_NAME": running.event_bus,
            "CONFIG_PARAMETER": "/caseline/config",
            "POLICY_PARAMETER": "/caseline/policy",
            "SECRET_PREFIX": "caseline",
            "CONSOLE_URL": "https://console.example",
            "STATE_MACHINE_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:open_case",
            "POWERTOOLS_SERVICE_NAME": "caseline",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        wiring.cache_clear()
        started = []
        monkeypatch.setattr(type(wiring()), "start_execution", lambda self, name, data: started.append((name, json.loads(data))))
        running.started = started
        yield running
        wiring.cache_clear()


def run(name, event):
    return importlib.import_module(f"functions.{name}.app").handler(event, None)


def message(*signals, message_id="m-1", **more):
    envelope = {"v": 1, "id": f"env-{message_id}", "channel": "x", "source": "acme", "brand": "acme", "trust": "asserted", "received_at": isoformat(START)}
    body = json.dumps(envelope | {"signals": [signal.to_json() for signal in signals], "unreadable": []} | more)
    return {"messageId": message_id, "body": body, "attributes": {"ApproximateReceiveCount": "1"}}


def test_a_message_becomes_a_row_a_run_a_case_and_events(cloud):
    assert run("record_signals", {"Records": [message(a_signal(text=ANGRY))]}) == {"batchItemFailures": []}
    records = cloud.stream_records()
    assert run("triage_signals", {"Records": records}) == {"batchItemFailures": []}
    assert run("publish_events", {"Records": records}) == {"batchItemFailures": []}
    ((_name, state),) = cloud.started
    state = run("look_up_account", state)
    state = run("prioritise_case", state)
    state = run("save_case", state)
    case = wiring().table.get(f"CASE#{state['case']['case_key']}", "CASE")
    assert case["crm"]["sync"] == "synced" and case["crm"]["number"] == "C-000001"
    run("publish_events", {"Records": cloud.stream_records()})
    assert {event["DetailType"] for event in cloud.events} >= {"Signal Recorded", "Case Opened", "Case Saved"}
    assert ANGRY not in json.dumps(state) and ANGRY not in json.dumps(cloud.events, default=str)


def test_publishing_the_same_records_twice_counts_once(cloud):
    run("record_signals", {"Records": [message(a_signal(text=ANGRY))]})
    records = cloud.stream_records()
    for _ in range(3):
        run("publish_events", {"Records": records})
    assert wiring().table.get("COUNTS", "ALL")["sources"]["x/acme"]["recorded"] == 1


def test_triage_of_the_same_records_twice_names_the_same_execution(cloud):
    run("record_signals", {"Records": [message(a_signal(text=ANGRY))]})
    records = cloud.stream_records()
    run("triage_signals", {"Records": records})
    run("triage_signals", {"Records": records})
    assert len({name for name, _ in cloud.started}) == 1


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "not json", '{"v": 2}', '{"v": 1, "body": {"bucket_key": "gone"}}', "null", '{"v": 1, "id": "e", "signals": [{}]}']
)
def test_poison_is_reported_alone(cloud, body):
    poison = {"messageId": "bad", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    answer = run("record_signals", {"Records": [poison, message(a_signal(text="Thank you, great!"))]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert wiring().table.get(f"SIGNAL#{a_signal().signal_id}", "SIGNAL")


def test_a_large_envelope_is_fetched_from_the_bucket(cloud):
    whole = message(a_signal(text=ANGRY))["body"]
    wiring().put_object("intake/abc.json", whole.encode())
    pointer = {"messageId": "m", "body": json.dumps({"v": 1, "body": {"bucket_key": "intake/abc.json"}}), "attributes": {"ApproximateReceiveCount": "1"}}
    assert run("record_signals", {"Records": [pointer]}) == {"batchItemFailures": []}
    assert wiring().table.get(f"SIGNAL#{a_signal().signal_id}", "SIGNAL")


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalServerError", "ThrottlingException", "RequestLimitExceeded"])
@pytest.mark.parametrize("function", ["record_signals", "triage_signals", "publish_events", "look_up_account", "prioritise_case", "save_case"])
def test_a_table_that_is_throttled_or_down_fails_the_step_and_loses_nothing(cloud, monkeypatch, function, code):
    events = _events(cloud)
    event = events[function]
    client = wiring().client("dynamodb")
    real = client._make_api_call
    monkeypatch.setattr(client, "_make_api_call", lambda operation, request: _refuse(code, operation))
    with pytest.raises(UnavailableError):
        run(function, event)
    monkeypatch.setattr(client, "_make_api_call", real)
    for name in list(events)[list(events).index(function) :]:
        run(name, events[name])
    (claim,) = list(wiring().table.query("CLAIMS#" + events["look_up_account"]["run"]["key"].split("#")[1]))
    assert wiring().table.get(f"CASE#{claim['case_key']}", "CASE")["pushed_version"] == 1


def _events(cloud):
    """The events of one signal's way, each step done once, then undone in the CRM's eyes by doing it again."""
    record = {"Records": [message(a_signal(text=ANGRY))]}
    run("record_signals", record)
    records = cloud.stream_records()
    run("triage_signals", {"Records": records})
    state = cloud.started[-1][1]
    looked_up = run("look_up_account", state)
    judged = run("prioritise_case", looked_up)
    return {
        "record_signals": record,
        "triage_signals": {"Records": records},
        "publish_events": {"Records": records},
        "look_up_account": state,
        "prioritise_case": looked_up,
        "save_case": judged,
    }


def _refuse(code, operation):
    raise ClientError({"Error": {"Code": code, "Message": "slow down"}}, operation)


def test_the_watcher_takes_up_a_run_that_failed_and_a_case_that_is_not_in_the_crm(cloud, monkeypatch):
    run("record_signals", {"Records": [message(a_signal(text=ANGRY))]})
    run("triage_signals", {"Records": cloud.stream_records()})
    state = cloud.started[-1][1]
    run("prioritise_case", run("look_up_account", state))
    wired = wiring()
    wired.table.update(state["run"]["key"], "RUN", "SET failure = :failure", failure="States.Timeout")
    later = wired.clock() + timedelta(hours=1)
    monkeypatch.setattr(wired, "clock", lambda: later)
    assert run("watch_customers", {})["due"] in (1, 2)  # by the time of day the case is to be looked at again by then, too
    (claim,) = list(wired.table.query("CLAIMS#" + state["run"]["key"].split("#")[1]))
    assert wired.table.get(f"CASE#{claim['case_key']}", "CASE")["crm"]["sync"] == "synced"
