"""The local runtime's engine on a tiny product of its own: requests, queue, stream, schedules, failures, and a kill."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from caseline_local.engine.home import HomeInUseError
from caseline_local.engine.product import Product

TINY = Path(__file__).parent / "tiny_product"


def wait_for(check, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def reports():
    return []


@pytest.fixture(scope="module")
def product(tmp_path_factory, reports):
    product = Product(tmp_path_factory.mktemp("home"), 0, reports.append, root=TINY)
    product.start()
    yield product
    product.stop()


def ask(product, method, path, body=None, headers=None):
    return ask_at(product.url.removeprefix("http://"), method, path, body, headers)


def ask_at(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers
    connection.close()
    return found


def post(product, **signal):
    status, _, _ = ask(product, "POST", "/signals", json.dumps(signal))
    assert status == 202


def row(product, key, part):
    return product.cloud.client("dynamodb").get_item(TableName=product.stack.name("Table"), Key={"PK": {"S": key}, "SK": {"S": part}}).get("Item")


def test_a_request_goes_through_queue_table_and_stream(product):
    post(product, id="warm")
    wait_for(lambda: row(product, "warm", "SEEN"))
    started = time.monotonic()
    post(product, id="s-1")
    wait_for(lambda: row(product, "s-1", "SEEN"))
    assert time.monotonic() - started < 3
    assert product.settle(5)


def test_a_poison_message_ends_among_the_dead_letters_and_delays_no_other(product):
    post(product, id="p-1", poison=True)
    post(product, id="p-2")
    wait_for(lambda: row(product, "p-2", "SEEN"))
    wait_for(lambda: product.cloud.queues.depth(product.stack.name("DeadLetters")) == 1)
    assert row(product, "p-1", "SIGNAL") is None


def test_a_record_that_cannot_be_handled_is_reported_and_passed_over(product):
    for signal_id in ("r-1", "r-2", "r-3"):
        post(product, id=signal_id, **({"stuck": True} if signal_id == "r-2" else {}))
    wait_for(lambda: row(product, "r-3", "SEEN") and row(product, "r-1", "SEEN"))
    reported = wait_for(lambda: product.cloud.queues.receive(product.stack.name("StreamFailures"), 1))
    report = json.loads(reported[0]["body"])
    assert report["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert report["DDBStreamBatchInfo"]["batchSize"] == 1
    assert row(product, "r-2", "SEEN") is None


def test_metrics_that_functions_print_are_counted(product):
    post(product, id="m-1")
    wait_for(lambda: row(product, "m-1", "SEEN"))
    assert wait_for(lambda: product.cloud.metrics.sum("Caseline", "Rejected", {"Source": "tiny/one"})) >= 1


def test_a_schedule_runs_soon_after_the_start(product):
    assert wait_for(lambda: row(product, "schedule", "RAN"))


def test_a_function_over_its_time_is_ended_and_replaced(product):
    before = json.loads(product.invoke("Stumble", b"{}").payload)
    assert 0 < before["left"] <= 1000
    started = time.monotonic()
    outcome = product.invoke("Stumble", b'{"sleep": 5}')
    assert 0.9 < time.monotonic() - started < 3
    assert outcome.error == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in json.loads(outcome.payload)["errorMessage"]
    assert json.loads(product.invoke("Stumble", b"{}").payload)["pid"] != before["pid"]


def test_a_crash_is_an_error_and_the_next_call_runs(product):
    assert product.invoke("Stumble", b'{"exit": true}').error == "Runtime.ExitError"
    assert product.invoke("Stumble", b"{}").error is None


def test_an_environment_killed_while_idle_is_replaced_unnoticed(product):
    pid = json.loads(product.invoke("Stumble", b"{}").payload)["pid"]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert product.invoke("Stumble", b"{}").error is None


def test_functions_start_again_after_the_process_that_forks_them_has_died(product):
    os.kill(product.nursery.pid, signal.SIGKILL)
    wait_for(lambda: product.invoke("Stumble", b"{}").error is None)
    wait_for(lambda: ask(product, "GET", "/echo/x")[0] == 200)


def test_an_exception_comes_back_as_lambda_gives_it(product, reports):
    outcome = product.invoke("Stumble", b'{"raise": true}')
    assert outcome.error
    assert json.loads(outcome.payload)["errorType"] == "ValueError"
    wait_for(lambda: any("Stumble: [ERROR] ValueError" in report for report in reports))


def test_the_event_is_that_of_a_rest_api(product):
    status, body, headers = ask(product, "POST", "/echo/fixed?a=1&a=2&b=x%20y", b"\x00\xff", {"X-Thing": "one"})
    event = json.loads(body)
    assert (status, headers.get_all("Set-Cookie")) == (200, ["a=1", "b=2"])
    assert (event["resource"], event["path"], event["requestContext"]["resourcePath"]) == ("/echo/fixed", "/echo/fixed", "/echo/fixed")
    assert event["queryStringParameters"] == {"a": "2", "b": "x y"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y"]}
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    assert event["headers"]["X-Thing"] == "one"
    assert event["multiValueHeaders"]["X-Thing"] == ["one"]
    assert event["pathParameters"] is None
    assert "authorizer" not in event["requestContext"]


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("POST", "/echo/other", "/echo/{kind}", {"kind": "other"}),
        ("GET", "/echo/other", "/echo/{proxy+}", {"proxy": "other"}),
        ("POST", "/echo/a/b%20c", "/echo/{proxy+}", {"proxy": "a/b%20c"}),
    ],
)
def test_static_paths_come_before_parameters_and_those_before_greedy_ones(product, method, path, resource, parameters):
    event = json.loads(ask(product, method, path)[1])
    assert (event["resource"], event["pathParameters"]) == (resource, parameters)
    assert event["body"] is None


def test_unknown_paths_and_large_bodies_are_answered_as_api_gateway_does(product):
    assert ask(product, "GET", "/nowhere")[:2] == (403, b'{"message": "Missing Authentication Token"}')
    assert ask(product, "GET", "/healthz")[0] == 200
    status, _, headers = ask(product, "GET", "/")  # who only knows the port sees the console
    assert (status, headers["Location"]) == (302, "/console")
    assert ask(product, "POST", "/echo/fixed", b"x" * 7_000_000)[0] == 413
    assert ask(product, "POST", "/echo/fixed", b"x" * 12_000_000)[0] == 413
    assert ask(product, "POST", "/echo/fixed", headers={"Content-Length": "many"})[0] == 400
    assert ask(product, "POST", "/echo/fixed", iter([b"chunked ", b"body"]))[0] == 200


def test_the_api_takes_the_token_and_nothing_else(product):
    token = product.home.token
    assert ask(product, "GET", "/api/v1/stats")[0] == 401
    assert ask(product, "GET", "/api/v1/stats", headers={"Authorization": "Bearer wrong"})[0] == 401
    assert ask(product, "GET", "/api/v1/stats?token=" + token)[0] == 401
    status, body, _ = ask(product, "GET", "/api/v1/stats", headers={"Authorization": f"Bearer {token}"})
    assert status == 200
    assert json.loads(body)["requestContext"]["authorizer"] == {"principalId": "local", "roles": "admin"}


def test_people_sign_in_with_the_printed_address(product):
    path = product.console_url.removeprefix(product.url)
    status, _, headers = ask(product, "GET", path)
    assert (status, headers["Location"]) == (303, "/console")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    assert ask(product, "GET", "/console", headers=cookie)[0] == 200
    assert ask(product, "POST", "/console", headers={**cookie, "Origin": "http://evil.example"})[0] == 401
    refused = ask(product, "GET", "/console")
    assert (refused[0], b"Sign in" in refused[1]) == (401, True)
    assert ask(product, "GET", "/console?token=wrong")[0] == 401


@pytest.mark.parametrize(("host", "status"), [("evil.example", 403), ("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:80", 200)])
def test_only_loopback_names_are_served(product, host, status):
    assert ask(product, "GET", "/echo/x", headers={"Host": host})[0] == status


def test_an_edited_configuration_is_taken_up_and_a_wrong_one_reported(product, reports):
    before = json.loads(ask(product, "GET", "/settings")[1])
    assert before["config"]["public_url"] == product.url
    product.home.secrets_file.write_text(json.dumps({"standard_webhooks/default": ["whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhpcnR5LXR3by1ieQ=="]}))
    wait_for(lambda: json.loads(ask(product, "GET", "/settings")[1])["secrets"] == ["whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhpcnR5LXR3by1ieQ=="])
    product.home.secrets_file.write_text('{"standard_webhooks/default": [}')
    wait_for(lambda: any(report.startswith("secrets.json:1:") for report in reports))
    assert json.loads(ask(product, "GET", "/settings")[1])["secrets"] == ["whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhpcnR5LXR3by1ieQ=="]


def test_what_cannot_be_created_here_is_said(reports, product):
    assert "not created here: Kiosk (AWS::IoT::Thing)" in reports
    assert not any(resource.logical_id == "NotHere" for resource in product.stack.all)


def test_a_home_runs_once(product):
    with pytest.raises(HomeInUseError, match="in use"):
        Product(product.home.path, 0, root=TINY).start()


def test_files_with_secrets_are_for_their_owner_alone(product):
    assert {file.stat().st_mode & 0o777 for file in (product.home.token_file,)} == {0o600}


def start_process(home):
    command = [sys.executable, "-m", "caseline_local.engine", "--home", str(home), "--port", "0", "--root", str(TINY)]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    line = process.stdout.readline()
    assert line.startswith("ready at http://"), line
    return process, line.split()[2].removeprefix("http://")


def children_of(pid):
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if path.read_text().rpartition(")")[2].split()[1] == str(pid)]


def test_a_kill_loses_nothing_and_leaves_no_child(tmp_path):
    process, address = start_process(tmp_path)
    for number in range(20):
        assert ask_at(address, "POST", "/signals", json.dumps({"id": f"k-{number}"}))[0] == 202
    nursery = children_of(process.pid)
    family = [*nursery, *(child for parent in nursery for child in children_of(parent))]
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
    assert family
    again, address = start_process(tmp_path)
    try:
        for number in range(20):
            wait_for(lambda number=number: ask_at(address, "GET", f"/rows/k-{number}/SEEN")[0] == 200)
    finally:
        again.terminate()
        assert again.wait(20) == 0
