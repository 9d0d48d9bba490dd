"""`caseline dev` as a process of its own, driven from outside: signed webhooks in, the JSON API out."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from caseline.channels import open_channel
from caseline.sources import Source
from caseline.web import WebhookRequest
from caseline_local.cli import main
from caseline_local.world import world_of
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
TROUBLES = (  # each in words of its own, so that many at once are no incident
    "My invoice shows a charge nobody can explain. I am really angry.",
    "Two of my bookings vanished overnight, and support hangs up on me!",
    "The driver threw my package over the fence and broke it. Unacceptable.",
    "Your app logs me out each time I try to pay. This is terrible.",
    "Nobody told us that the ferry was cancelled, we waited in the rain for hours. Awful.",
)
Answer = tuple[int, bytes]


@dataclass
class Dev:
    """A home with its configuration and secrets; `start` gives it a process and a port."""

    home: Path
    config: Mapping[str, Any]
    secrets: Mapping[str, Any]
    process: subprocess.Popen[str] | None = None
    port: int = 0

    def prepare(self) -> Dev:
        self.home.mkdir(parents=True)
        (self.home / "config.yaml").write_text(json.dumps(self.config))
        (self.home / "secrets.json").write_text(json.dumps(self.secrets))
        return self

    def start(self) -> Dev:
        arguments, environment = self._command("dev", "--port", "0", "--no-demo")
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        self.process = subprocess.Popen(arguments, env=environment, cwd=ROOT, **pipes)
        assert self.process.stdout
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "Running;" in line:
                self.port = json.loads((self.home / "lock").read_text())["port"]
                return self
        raise AssertionError("ended: " + "".join(said))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.communicate(timeout=30)

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A command of the command line on this home, in the test's own process: to start one takes longer than most commands."""
        arguments = [*map(str, words), "--home", str(self.home)]
        done = CliRunner().invoke(main, arguments, prog_name="caseline", env={"NO_COLOR": "1"}, catch_exceptions=False)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def _command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        path = os.pathsep.join(str(ROOT / part) for part in ("layers/core", "infra/local"))
        code = "from caseline_local.cli import main; main(prog_name='caseline')"
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
        return [sys.executable, "-c", code, *words, "--home", str(self.home)], environment

    # ---- time

    def now(self) -> datetime:
        """By the product's clock."""
        return world_of(self.home).now()

    def let_pass(self, **time: float) -> None:
        """The product's clock goes on by `minutes`, `seconds`..., and its schedules run for it."""
        body = json.dumps({"at": (self.now() + timedelta(**time)).isoformat()}).encode()
        status, answer = self.ask("POST", "/local/clock", body, {"authorization": f"Bearer {(self.home / 'api-token').read_text().strip()}"})
        assert status == 200, answer

    # ---- requests

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """(status, body); status 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with suppress(OSError, http.client.HTTPException):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        return 0, b""

    def send(self, key: str, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None, secret: str = "") -> Answer:
        """What a platform sends to the source `<channel>/<name>`, signed as it does with the source's newest secret or another."""
        channel, _, name = key.partition("/")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/webhooks/{key}"
        sent = {"content-type": "application/json", **(headers or {})}
        request = WebhookRequest("POST", f"http://127.0.0.1:{self.port}{path}", sent, content, self.now())
        source = Source(name, "acme", (), (secret or self.secrets[key][0],), {})
        return self.ask("POST", path, content, dict(open_channel(channel).sign(request, source).headers))

    def api(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        token = (self.home / "api-token").read_text().strip()
        target = f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        method, content = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        status, data = self.ask(method, target, content, {"authorization": f"Bearer {token}", "content-type": "application/json"})
        assert status == 200, (status, target, data[:200])
        return json.loads(data)

    # ---- what is to be seen

    def settle(self, seconds: float = 60) -> Mapping[str, int]:
        """The counts once nothing is under way; they balance, for each source."""
        deadline, stats = time.monotonic() + seconds, self.api("stats")
        while stats["total"]["in_flight"] or stats["total"]["pending"]:
            assert time.monotonic() < deadline, stats["total"]
            time.sleep(0.2)
            stats = self.api("stats")
        for counts in (stats["total"], *stats["sources"].values()):
            assert counts["accepted"] == sum(counts[name] for name in ("recorded", "revised", "duplicates", "quarantined"))
        return dict(stats["total"])

    def customer(self, identity: str) -> Mapping[str, Any] | None:
        found = self.api("customers", identity=identity)["customers"]
        return found[0] if found else None

    def timeline(self, identity: str, limit: int = 200) -> list[Mapping[str, Any]]:
        customer = self.customer(identity)
        return list(self._pages(f"customers/{customer['customer_id']}/timeline", "entries", "before", limit)) if customer else []

    def signals(self, identity: str) -> list[Mapping[str, Any]]:
        return [entry for entry in self.timeline(identity) if entry["type"] == "signal"]

    def cases(self, identity: str = "", status: str = "open") -> list[Mapping[str, Any]]:
        customer_id = (self.customer(identity) or {}).get("customer_id")
        return [case for case in self._pages("cases", "cases", "after", 50, status=status) if not identity or case["customer_id"] == customer_id]

    def _pages(self, path: str, name: str, cursor: str, limit: int, **query: str) -> Iterator[Mapping[str, Any]]:
        following: dict[str, str] = {}
        while True:
            page = self.api(path, limit=limit, **query, **following)
            yield from page[name]
            if not page["next"]:
                return
            following = {cursor: page["next"]}
