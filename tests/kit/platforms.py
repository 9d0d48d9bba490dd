"""Platforms that channels ask, over real HTTP: one that plays what was recorded, and one whose list lives.

A session is the product's own; only its connections lead here, so that redirects, cut and slow answers travel as they would. An answer is what a
sample's `response` is: `status`, `json` or `text`, `headers`, and a `fault`: `cut` ends before the announced length, `drip` trickles.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from caseline.outbound import Session
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

Answer = Mapping[str, Any]
OF_THE_CLIENT = frozenset("host accept accept-encoding connection content-type content-length".split())
"""Headers that every request has; samples name the others."""
DRIP_SECONDS, DRIPS = 0.02, 200


@dataclass(frozen=True)
class Asked:
    """A request as it arrived, under the address that the channel meant; one that does not say who asks has the client's own user agent."""

    method: str
    url: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: str
    is_form: bool = False

    def as_sample(self) -> dict[str, Any]:
        """As a sample writes it."""
        query = {name: values[0] if len(values) == 1 else values for name, values in self.query.items()}
        form = dict(parse_qsl(self.body, keep_blank_values=True)) if self.is_form else {}
        return {"method": self.method, "url": self.url, "params": query, "headers": dict(self.headers), "form": form, "body": "" if form else self.body}


class Recorded:
    """Plays exchanges in their order. Of one that was `asked_again` the last answer stands. `problems` tells what was asked otherwise."""

    def __init__(self, exchanges: list[dict[str, Any]], asked_again: bool = False) -> None:
        self.left, self.played, self.problems = list(exchanges), list[dict[str, Any]](), list[str]()
        self._again = asked_again

    def __call__(self, asked: Asked) -> Answer:
        expected = next((each for each in self.left if is_same(asked, each["request"])), None) if self._again else next(iter(self.left), None)
        if expected is None or not is_same(asked, expected["request"]):
            repeated = [each for each in self.played if self._again and is_same(asked, each["request"])]
            if not repeated:
                self.problems.append(f"asked {asked.as_sample()}, expected {expected and expected['request']}")
            return repeated[-1]["response"] if repeated else {"status": 418, "text": "not recorded"}
        self.left.remove(expected)
        self.played.append(expected)
        answer: Answer = expected["response"]
        return answer


def is_same(asked: Asked, expected: Mapping[str, Any]) -> bool:
    """Whether all of it is as the sample says; a text that ends with `*` need only begin so."""
    shown = asked.as_sample()
    return all(_is_like(shown[name], expected.get(name, type(shown[name])())) for name in shown)


def _is_like(value: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return value.keys() == expected.keys() and all(_is_like(value[name], expected[name]) for name in expected)
    return value == expected or (isinstance(expected, str) and expected.endswith("*") and value.startswith(expected[:-1]))


@dataclass
class Platform:
    """What stands behind the sessions it opens. `fault(number)` may put another answer in the place of the request of that number, from 1."""

    port: int
    answer: Callable[[Asked], Answer] = lambda asked: {"status": 418, "text": "nothing is played"}
    fault: Callable[[int], Answer | None] = lambda number: None
    asked: list[Asked] = field(default_factory=list)

    def play(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer, self.fault, self.asked = answer, lambda number: None, []

    def take(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.fault(len(self.asked)) or self.answer(asked)

    def open_session(self, hosts: Any, now: Callable[[], datetime], speed: float = 1.0) -> Session:
        """The product's session; its deadlines come `speed` times as soon."""
        session = Session(hosts, now, lambda: time.monotonic() * speed)
        session._session.mount("https://", _Led(self.port))
        return session


@dataclass
class LivingList:
    """A list that grows and changes, made from a channel's `list.json`: `page` and `item` are JSON in which `{name}` stands for a value.

    `url` is asked for pages, `next` is what a page names the following one by, `by` the parameter that it comes back in; `lookup` finds items by ids;
    `order` is the time that the newest first means; `always` are answers to all else. Times are in seconds after the sample's own.
    """

    told: Mapping[str, Any]
    began: datetime
    page_size: int = 2
    items: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By id: when it was made, and when it was changed."""

    def __call__(self, asked: Asked) -> Answer:
        lookup = self.told.get("lookup") or {}
        if lookup and asked.url == lookup["url"] and lookup["by"] in asked.query:
            wanted = [name.rpartition("_")[2] for name in asked.query[lookup["by"]][0].split(",")]
            return self._show([name for name in wanted if name in self.items], None)
        if asked.url == self.told["url"]:
            after = asked.query.get(self.told["by"], [""])[0].rpartition("_")[2]
            return self._show(*self._page(after)) if not after or after in self.items else {"status": 400, "json": {"error": "no such page"}}
        return next(each["response"] for each in self.told["always"] if is_same(asked, each["request"]))

    def _page(self, after: str) -> tuple[list[str], str | None]:
        which = 1 if self.told["order"] == "changed" else 0
        ordered = sorted(self.items, key=lambda name: (self.items[name][which], name), reverse=True)
        start = ordered.index(after) + 1 if after else 0
        found = ordered[start : start + self.page_size]
        return found, self._fill(self.told["next"], {"id": found[-1]}) if start + self.page_size < len(ordered) else None

    def _show(self, names: list[str], after: str | None) -> Answer:
        return {"status": 200, "json": self._fill(self.told["page"], {"items": [self._item(name) for name in names], "next": after})}

    def _item(self, name: str) -> Any:
        made, changed = (self.began + timedelta(seconds=seconds) for seconds in self.items[name])
        return self._fill(self.told["item"], {
            "id": name, "text": f"{name} at {self.items[name][1]}", "made": made.isoformat(), "changed": changed.isoformat(),
            "made_seconds": made.timestamp(), "changed_seconds": str(int(changed.timestamp())), "edited": changed != made and changed.timestamp(),
        })  # fmt: skip

    def _fill(self, told: Any, values: Mapping[str, Any]) -> Any:
        if isinstance(told, dict):
            return {name: self._fill(each, values) for name, each in told.items()}
        if isinstance(told, list):
            return [self._fill(each, values) for each in told]
        if not isinstance(told, str):
            return told
        return values[told[1:-1]] if told[1:-1] in values and told[0] == "{" else re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), told)


class _Led(HTTPAdapter):
    """Leads to this machine whatever goes to the world."""

    def __init__(self, port: int) -> None:
        self._port = port
        super().__init__()

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        assert request.url
        parts = urlsplit(request.url)
        request.headers["Host"] = parts.netloc
        request.url = parts._replace(scheme="http", netloc=f"127.0.0.1:{self._port}").geturl()
        return super().send(request, **options)


@contextmanager
def run_platform() -> Iterator[Platform]:
    server = _Server(("127.0.0.1", 0), _Handler)
    platform = server.platform = Platform(server.server_port)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    platform: Platform

    def handle_error(self, request: Any, address: Any) -> None:
        """That whoever asked has gone is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        answer = self.server.platform.take(self._read())
        content = answer["text"].encode() if "text" in answer else json.dumps(answer.get("json")).encode()
        fault = answer.get("fault")
        self.send_response(answer["status"])
        for name, value in (answer.get("headers") or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + DRIPS if fault == "drip" else len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)
        self.wfile.flush()
        if fault:
            self.close_connection = True
            self._drip(fault)

    def _drip(self, fault: str) -> None:
        for _ in range(DRIPS if fault == "drip" else 0):
            time.sleep(DRIP_SECONDS)
            self.wfile.write(b" ")
            self.wfile.flush()

    def _read(self) -> Asked:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in OF_THE_CLIENT}
        if headers.get("user-agent", "").startswith("python-requests/"):
            del headers["user-agent"]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        url = f"https://{self.headers['Host']}{parts.path}"
        is_form = self.headers.get("Content-Type") == "application/x-www-form-urlencoded"
        return Asked(self.command, url, parse_qs(parts.query, keep_blank_values=True), headers, body, is_form)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""
