"""The running product under load, seen from outside."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from caseline.images import deserialise
from caseline.signals import signal_id

from tests.bench.door_events import generic_body, sign_generic
from tests.bench.figures import Figure, describe_machine
from tests.kit.invariants import Evidence, check_all

ROOT = Path(__file__).parents[2]
PATH = "/webhooks/standard_webhooks"
WORD = "quokka"  # in every text; nothing but the timeline may hold it
COMPLAINT = f"The app is down again and nobody answers my tickets. I am really angry, this is unacceptable, says the {WORD}."
POSTS, OTHERS = 40, 5  # timed ones, and how many others there are a second
RATE, SECONDS, SENDERS = 50, 20, 16
SIGNALS, CUSTOMERS, WITHIN = 1000, 200, 90.0
MOST_STATES = 6


class Client:
    """One connection a thread to the running product."""

    def __init__(self, facts: dict[str, str]) -> None:
        self._facts, self._kept = facts, threading.local()
        self._key = base64.b64decode(facts["secret"].removeprefix("whsec_"))

    def post(self, body: dict[str, Any]) -> int:
        data = json.dumps(body).encode()
        return self._ask("POST", PATH, data, sign_generic(data, key=self._key))[0]

    def get(self, path: str) -> Any:
        status, data = self._ask("GET", path, None, {"authorization": f"Bearer {self._facts['token']}"})
        assert status == 200, (status, path)
        return json.loads(data)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if not hasattr(self._kept, "connection"):
            self._kept.connection = http.client.HTTPConnection(urlsplit(self._facts["url"]).netloc, timeout=60)
        try:
            return self._exchange(method, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):  # it was idle for long
            self._kept.connection.close()
            return self._exchange(method, path, body, headers)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._kept.connection.request(method, path, body, headers)
        answer = self._kept.connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def product() -> Iterator[dict[str, str]]:
    """A product of its own process, in a temporary home; ended by the end of its input."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("layers/core", "infra/local", "."))}
        command = [sys.executable, "-m", "tests.bench.product_process", home]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdin and running.stdout
            try:
                yield json.loads(running.stdout.readline())
            finally:
                running.stdin.close()
                running.wait(60)


def measure() -> Iterator[Figure]:
    with product() as facts:
        client = Client(facts)
        _wait_for(lambda: client.post(generic_body(0)) == 202)
        yield from _latency(client)
        yield from _under_load(client)
        yield from _accept(client)
        yield from _go_through(client, facts)
        yield from _look_inside(client, facts)


# ---- one message


def _latency(client: Client) -> Iterator[Figure]:
    for number in range(2):  # the first ones start the functions
        _time_to_case(client, f"warm-{number}")
    _settle(client)
    times = []
    for number in range(5):
        times.append(_time_to_case(client, f"one-{number}"))
        _settle(client)
    note = "from " + ", ".join(f"{seconds:.2f}" for seconds in sorted(times))
    yield Figure("one message to its case, warm, median of 5", statistics.median(times), 2.5, "s", note=f"{note}; {describe_machine()}")


def _time_to_case(client: Client, author: str, is_there: Callable[[Client, str], bool] | None = None) -> float:
    started = time.monotonic()
    assert client.post(_body(author, author, COMPLAINT)) == 202
    _wait_for(lambda: (is_there or _has_case)(client, author))
    return time.monotonic() - started


def _has_case(client: Client, author: str) -> bool:
    customers = client.get(f"/api/v1/customers?identity=standard_webhooks:{author}")["customers"]
    return bool(customers and client.get(f"/api/v1/customers/{customers[0]['customer_id']}")["open_cases"])


# ---- one message among others


def _under_load(client: Client) -> Iterator[Figure]:
    """A complaint now and then, from the post to its case in the CRM, while others post five times a second."""
    done, times = threading.Event(), []
    with ThreadPoolExecutor(2) as pool:
        others = pool.submit(_chatter, client, done)
        for number in range(POSTS):
            times.append(_time_to_case(client, f"vip-{number}", _has_synced_case))
            time.sleep(0.5)
        done.set()
    times.sort()
    note = f"median {statistics.median(times):.2f}, beside {others.result()} others, one in ten a complaint; {describe_machine()}"
    yield Figure(f"a complaint to its case in the CRM, 95 of 100 of {POSTS}", times[POSTS * 95 // 100], 5, "s", note=note)
    _settle(client)


def _chatter(client: Client, done: threading.Event) -> int:
    """How many it posted."""
    started, number = time.monotonic(), 0
    while not done.is_set():
        text = COMPLAINT if number % 10 == 0 else f"Nice ride today, number {number}, wrote the {WORD}."
        _post_at(client, started + number / OTHERS, _body(f"chat-{number}", f"chat-{number}", text))
        number += 1
    return number


def _has_synced_case(client: Client, author: str) -> bool:
    customers = client.get(f"/api/v1/customers?identity=standard_webhooks:{author}")["customers"]
    cases = client.get(f"/api/v1/customers/{customers[0]['customer_id']}")["open_cases"] if customers else []
    return bool(cases) and client.get(f"/api/v1/cases/{cases[0]['case_key']}")["crm"].get("sync") == "synced"


# ---- a steady rate


def _accept(client: Client) -> Iterator[Figure]:
    """Requests leave on time whatever became of the ones before; latency counts from when each was due."""
    count = RATE * SECONDS
    bodies = [_body(f"rate-{i}", f"rate-{i % 250}", f"Nice ride today, number {i}, wrote the {WORD}.") for i in range(count)]
    started = time.monotonic() + 0.2
    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(lambda i: _post_at(client, started + i / RATE, bodies[i]), range(count)))
    took = time.monotonic() - started
    delays = sorted(delay for _, delay in answers)
    statuses = [status for status, _ in answers]
    load = describe_machine()
    yield Figure(f"signals accepted, {RATE} a second for {SECONDS} s", 100 * statuses.count(202) / count, 100, "%", at_least=True, note=load)
    yield Figure("  rate that was reached", count / took, RATE * 0.97, "a second", at_least=True)
    yield Figure("  answered 429", statuses.count(429), 0)
    yield Figure("  latency, median", delays[count // 2] * 1000, None, "ms", note="from when the request was due")
    yield Figure("  latency, 95 of 100", delays[count * 95 // 100] * 1000, None, "ms")
    yield Figure("  at rest after", _settle(client), None, "s")


def _post_at(client: Client, due: float, body: dict[str, Any]) -> tuple[int, float]:
    time.sleep(max(0.0, due - time.monotonic()))
    return client.post(body), time.monotonic() - due


# ---- a mass


def _go_through(client: Client, facts: dict[str, str]) -> Iterator[Figure]:
    before = _open_cases(client)
    bodies = [_mass_body(number) for number in range(SIGNALS)]
    random.Random(7).shuffle(bodies)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(client.post, bodies))
    posted = time.monotonic() - started
    _settle(client, 4 * WITHIN)
    took = time.monotonic() - started
    cases = _open_cases(client) - before
    yield Figure(f"{SIGNALS} signals of {CUSTOMERS} customers fully through", took, WITHIN, "s", note=f"posted in {posted:.1f} s; {describe_machine()}")
    yield Figure("  accepted", statuses.count(202), SIGNALS, at_least=True)
    yield Figure("  cases open", cases, CUSTOMERS, at_least=True, note=f"of {CUSTOMERS} customers who complain once each")
    sent = [signal_id("standard_webhooks", "default", body["data"]["id"]) for body in bodies]
    problems = check_all(gather(client, facts, sent))
    yield Figure("  invariants broken", len(problems), 0, note="; ".join(problems[:3]))


def _mass_body(number: int) -> dict[str, Any]:
    """Every fifth is a complaint, and each of them is another customer's."""
    text = COMPLAINT if number < CUSTOMERS else f"Took the early boat, number {number}. Lovely morning, wrote the {WORD}."
    return _body(f"mass-{number}", f"mass-{number % CUSTOMERS}", text)


def _body(native_id: str, author: str, text: str) -> dict[str, Any]:
    return generic_body(0, id=native_id, author={"id": author, "name": "Tove", "identities": [], "reach": 300}, text=text)


def _open_cases(client: Client) -> int:
    found, page = 0, {"next": ""}
    while page["next"] is not None:
        page = client.get("/api/v1/cases?status=open&limit=200" + (f"&after={page['next']}" if page["next"] else ""))
        found += len(page["cases"])
    return found


# ---- inside


def _look_inside(client: Client, facts: dict[str, str]) -> Iterator[Figure]:
    states = _client(facts, "stepfunctions")
    entries = [_count_entries(states, execution["executionArn"]) for execution in _executions(states)[:50]]
    note = f"mean {statistics.mean(entries):.1f}, from execution histories"
    yield Figure("state entries of a new case, the most of 50", max(entries), MOST_STATES, note=note)


def gather(client: Client, facts: dict[str, str], sent: Sequence[str] = ()) -> Evidence:
    """What the invariants are checked on."""
    states = _client(facts, "stepfunctions")
    inputs = [states.describe_execution(executionArn=execution["executionArn"])["input"] for execution in _executions(states)]
    logs = "".join(file.read_text() for file in Path(facts["logs"]).glob("*.log*"))
    pages = _client(facts, "dynamodb").get_paginator("scan").paginate(TableName=facts["table"])
    rows = [deserialise(item) for page in pages for item in page["Items"]]
    return Evidence(client.get, rows, inputs, logs, {WORD, facts["token"], facts["secret"]}, sent)


def _executions(states: Any) -> list[Any]:
    (machine,) = states.list_state_machines()["stateMachines"]
    return list(states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"])


def _count_entries(states: Any, execution: str) -> int:
    events = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return sum(event["type"].endswith("StateEntered") for event in events)


def _client(facts: dict[str, str], service: str) -> Any:
    make = partial(boto3.client, region_name="eu-central-1", aws_access_key_id="local", aws_secret_access_key="local")
    return make(service, endpoint_url=facts["endpoint"])


def _settle(client: Client, most: float = 120.0) -> float:
    """Seconds until nothing is in flight or pending."""
    started = time.monotonic()
    _wait_for(lambda: _is_at_rest(client), most, 0.25)
    return time.monotonic() - started


def _is_at_rest(client: Client) -> bool:
    total = client.get("/api/v1/stats")["total"]
    return total["in_flight"] == 0 and total["pending"] == 0


def _wait_for(check: Callable[[], bool], most: float = 60.0, pause: float = 0.05) -> None:
    end = time.monotonic() + most
    while not check():
        if time.monotonic() > end:
            return
        time.sleep(pause)
