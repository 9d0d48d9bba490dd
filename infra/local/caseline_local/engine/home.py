"""The directory that holds one product: its configuration, its secrets, its token, its data, and a lock so that it runs once."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from caseline_local.world import FILE

_DEFAULT_CONFIG = """\
# What Caseline listens to. A change is taken up within a minute; a mistake is reported with its line and column.
# public_url: https://hooks.example.com      # the address platforms were given; without it, this machine's
brands:
  acme: {own_ids: ["domain:acme.example"]}
sources:                                     # each answers at /webhooks/{channel}/{name}; its secrets are in secrets.json
  - {channel: standard_webhooks, name: default, brand: acme}
  - {channel: x, name: acme, brand: acme}
  - {channel: meta, name: acme, brand: acme, settings: {verify_token: VERIFY_TOKEN}}
  - {channel: trustpilot, name: acme, brand: acme}
  - {channel: twilio, name: acme, brand: acme}
crm: {name: builtin}
analysis: {name: embedded}
"""


class HomeInUseError(Exception):
    """Another process runs this home."""


class Home:
    """`path` is made if it does not exist; nobody else may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.config_file, self.secrets_file, self.token_file = self.path / "config.yaml", self.path / "secrets.json", self.path / "api-token"
        self.logs, self.cache, self.world_file = self.path / "logs", self.path / "cache", self.path / FILE
        self._lock: IO[str] | None = None

    def lock(self, port: int) -> None:
        """Take the home for this process, until it ends; the file says who has it."""
        file = open(self.path / "lock", "a+")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HomeInUseError(f"{self.path} is in use by another caseline dev ({_who_runs(file)}); stop it, or choose another --home") from None
        self._lock = file
        self.note_port(port)

    def note_port(self, port: int, services: Mapping[str, str] | None = None) -> None:
        """Say in the lock file where this process listens, and where its services are: the command line looks there."""
        if self._lock:
            self._lock.truncate(0)
            self._lock.write(json.dumps({"pid": os.getpid(), "port": port, **({"services": dict(services)} if services else {})}))
            self._lock.flush()

    def unlock(self) -> None:
        if self._lock:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def prepare(self) -> None:
        """Write what is missing: a configuration to begin with, its secrets, the token."""
        self.logs.mkdir(exist_ok=True)
        if not self.config_file.exists():
            self.config_file.write_text(_DEFAULT_CONFIG.replace("VERIFY_TOKEN", secrets.token_urlsafe(16)))
            if not self.secrets_file.exists():
                _write_private(self.secrets_file, json.dumps(_make_secrets(), indent=1) + "\n")
        if not self.secrets_file.exists():
            _write_private(self.secrets_file, "{}\n")
        if not self.token_file.exists():
            _write_private(self.token_file, secrets.token_urlsafe(32) + "\n")

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()

    def state(self) -> tuple[int, ...]:
        """Changes whenever a file that people edit does."""
        edited = [self.config_file, self.secrets_file, *sorted(self.path.glob("*.y*ml"))]
        return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in edited)


def _who_runs(lock: IO[str]) -> str:
    try:
        lock.seek(0)
        found = json.load(lock)
        return f"process {found['pid']}, port {found['port']}" if found.get("port") else f"process {found['pid']}, starting"
    except (ValueError, LookupError, AttributeError):
        return "starting"


def _make_secrets() -> dict[str, list[str]]:
    return {source: [make()] for source, make in _SECRET_MAKERS.items()}


def _make_standard_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


_SECRET_MAKERS: Mapping[str, Callable[[], str]] = {
    "standard_webhooks/default": _make_standard_secret,
    "x/acme": lambda: secrets.token_urlsafe(32),
    "meta/acme": lambda: secrets.token_hex(16),
    "trustpilot/acme": lambda: secrets.token_urlsafe(32),
    "twilio/acme": lambda: secrets.token_hex(16),
}


def _write_private(file: Path, text: str) -> None:
    """Mode 600 from the first byte, and complete or not there."""
    unfinished = file.with_name(file.name + ".part")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    unfinished.replace(file)
