"""The running product as a stage: `caseline dev` on a home of its own, over HTTP, as a stranger would."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from caseline_local.cli.terminal import FindingsError
from caseline_local.scenarios.stage import make_secrets, told_at
from caseline_local.scenarios.story import Story
from caseline_local.world import world_of

_START_SECONDS, _SETTLE_SECONDS, _QUIET_SECONDS, _PATIENCE = 120.0, 120.0, 1.5, 60.0
_PAUSE = 0.05
_CALM_SECONDS = 0.4  # what a schedule begins is seen a moment after the clock was moved


class Running:
    """`home` holds a product that listens on `port`."""

    def __init__(self, home: Path, port: int, secrets: Mapping[str, list[str]]) -> None:
        self.home, self.port, self.secrets = home, port, secrets
        self.public_url = f"http://127.0.0.1:{port}"
        self._world = world_of(home)
        self._token = (home / "api-token").read_text().strip()

    def now(self) -> datetime:
        return self._world.now()

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        own = {} if path.startswith("/webhooks/") else {"authorization": f"Bearer {self._token}"}
        try:
            connection.request(method, path, body, {**own, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def move(self, to: datetime) -> None:
        self._tell("/local/clock", told_at(to))

    def let_crm(self, answer: bool) -> None:
        self._tell("/local/crm", json.dumps({"answers": answer}).encode())

    def settle(self) -> bool:
        deadline, since, before = time.monotonic() + _SETTLE_SECONDS, time.monotonic(), None
        while time.monotonic() < deadline:
            total = json.loads(self.request("GET", "/api/v1/stats")[1])["total"]
            if total != before:
                since, before = time.monotonic(), total
            quiet = time.monotonic() - since
            if not total["in_flight"] and not total["pending"] and quiet > _CALM_SECONDS:
                return True
            if not total["in_flight"] and quiet > _QUIET_SECONDS:
                return False
            time.sleep(_PAUSE)
        raise FindingsError(f"still under way after {_SETTLE_SECONDS:.0f} s: {total}; the product's logs are in {self.home}/logs")

    def _tell(self, path: str, body: bytes) -> None:
        status, answer = self.request("POST", path, body, {"content-type": "application/json"})
        if status != 200:
            raise FindingsError(f"{path} answered {status}: {answer[:200]!r}")


@contextmanager
def run_product(story: Story, home: Path) -> Iterator[Running]:
    """A product on `home`, which is new, with the story's configuration and policy, that begins at the story's start."""
    secrets = prepare(story, home)
    words = [sys.executable, "-c", "from caseline_local.cli import main; main(prog_name='caseline')", "dev", "--port", "0", "--no-demo", "--home", str(home)]
    with (home / "dev.log").open("wb") as log:
        found = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # what this process is made of
        process = subprocess.Popen(words, env={**os.environ, **found}, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    try:
        stage = Running(home, _await(process, home), secrets)
        stage.move(story.start)
        yield stage
    finally:
        _end(process)


def prepare(story: Story, home: Path) -> dict[str, list[str]]:
    """Write the home's files; the secrets are made up."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    config: dict[str, Any] = dict(story.config)
    if story.policy:
        (home / "policy.yaml").write_text(json.dumps(story.policy))
        config["policy"] = "policy.yaml"
    secrets = make_secrets(story)
    (home / "config.yaml").write_text(json.dumps(config, indent=1))
    (home / "secrets.json").write_text(json.dumps(secrets))
    return secrets


def _await(process: subprocess.Popen[bytes], home: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if b"Running;" in (home / "dev.log").read_bytes():
            return int(json.loads((home / "lock").read_text())["port"])
        time.sleep(_PAUSE)
    raise FindingsError(f"caseline dev did not start: {(home / 'dev.log').read_text()[-600:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
