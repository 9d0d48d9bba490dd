"""BottleCRM itself, on a PostgreSQL of its own: everything in one folder, on free ports, gone when it is closed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TOOLS = ROOT / ".tools" / "bottlecrm"
BIN = Path(os.environ.get("BOTTLECRM_BIN") or TOOLS / "bin")
USER = "postgres"  # PostgreSQL does not run as root
BATCH = 40
READY_SECONDS = 60


@dataclass
class Site:
    """`url` while it runs; `clock` is the file that holds its time where it was started with one."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    clock: Path
    _orgs: list[dict[str, Any]] = field(default_factory=list)

    def new_org(self) -> dict[str, Any]:
        """An organisation nobody has used: {org, caseline: {profile, token}, person: {profile, token}}."""
        if not self._orgs:
            said = _run([BIN / "python", HERE / "site_boot.py", BATCH], self.environment, self.folder)
            self._orgs = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return self._orgs.pop()


@contextmanager
def running(with_clock: bool = False) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="bottlecrm-"))
    folder.chmod(0o755)
    try:
        with _database(folder) as port:
            environment = _environment(folder, port, with_clock)
            _run([BIN / "django-admin", "migrate", "--run-syncdb", "--verbosity", "0"], environment, folder)
            with _server(folder, environment) as url:
                yield Site(folder, url, environment, folder / "clock")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database(folder: Path) -> Iterator[int]:
    data, port = folder / "data", free_port()
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, USER)
    programs = find_postgres()
    _as_user([programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    _as_user([programs / "pg_ctl", "-D", data, "-o", options, "-l", data / "log", "-w", "start"])
    try:
        psql = [programs / "psql", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-q", "-c"]
        _as_user([*psql, "CREATE ROLE crm_app LOGIN NOSUPERUSER"])
        _as_user([*psql, "CREATE DATABASE crm OWNER crm_app"])
        yield port
    finally:
        _as_user([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])


@contextmanager
def _server(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    url, said = f"http://127.0.0.1:{port}", folder / "gunicorn.log"
    command = [BIN / "python", "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "1", "--threads", "4", "--timeout", "120", "crm.wsgi"]
    with said.open("wb") as log, subprocess.Popen(list(map(str, command)), env=dict(environment), stdout=log, stderr=log, cwd=folder) as process:
        try:
            _await(f"{url}/healthz/", process, said)
            yield url
        finally:
            process.terminate()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=20):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"BottleCRM did not start: {log.read_text()[-2000:]}")


def _environment(folder: Path, port: int, with_clock: bool) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONPATH": str(HERE), "DJANGO_SETTINGS_MODULE": "site_settings",
        "SECRET_KEY": secrets.token_hex(32), "ENV_TYPE": "dev", "DEBUG": "False", "DBNAME": "crm", "DBUSER": "crm_app", "DBPASSWORD": "", "DBHOST": "127.0.0.1",
        "DBPORT": str(port), "CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": "cache+memory://",
        **({"CASELINE_CLOCK": str(folder / "clock")} if with_clock else {}),
    }  # fmt: skip


def find_postgres() -> Path:
    """The newest of Debian's, or the one on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise RuntimeError("PostgreSQL is missing: apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


def _as_user(command: list[Any]) -> None:
    _run([*(["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []), *command], {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, cwd=Path("/"))


def _run(command: list[Any], environment: Mapping[str, str], cwd: Path) -> str:
    """In a folder that goes with the rest: BottleCRM writes its logs where it stands."""
    done = subprocess.run(list(map(str, command)), env=dict(environment), cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{command[-1]}: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
