"""What the doctor looks at."""

from __future__ import annotations

import importlib.metadata as metadata
import sqlite3
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from caseline.errors import ConfigError

from caseline_local.cli.api import is_running
from caseline_local.cli.patient import Bad, Patient, Skipped
from caseline_local.cli.terminal import count_words

ROOT = Path(__file__).resolve().parents[4]
_PACKAGES = ("boto3", "moto", "chalice", "aws-lambda-powertools", "pydantic", "aws-sam-translator", "jinja2", "ruamel.yaml")
_OLDEST = (3, 11)
_DEAD = ("SignalsDeadLetters", "PollDeadLetters", "CompletionDeadLetters", "CrmDeadLetters", "EventDeadLetters", "StreamFailures")


def check_python(patient: Patient) -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        raise Bad(f"{found} is too old", "make setup PYTHON=python3.11   (or newer)")
    return found


def check_packages(patient: Patient) -> str:
    missing = [name for name in _PACKAGES if not _version(name)]
    wrong = [f"moto {_version('moto')} instead of {wanted}" for wanted in [_pinned("moto")] if wanted and _version("moto") not in (None, wanted)]
    if missing or wrong:
        raise Bad(", ".join([*(f"{name} is missing" for name in missing), *wrong]), "make setup")
    return f"{len(_PACKAGES)} there, moto {_version('moto')}"


def check_template(patient: Patient) -> str:
    from caseline_local.engine.transform import translate

    with TemporaryDirectory() as elsewhere:
        cache = patient.home / "cache" if patient.home.exists() else Path(elsewhere)
        template = translate(ROOT / "template.yaml", {"OidcIssuer": "local", "Stage": "local"}, cache, "eu-central-1")
    return f"template.yaml makes {len(template['Resources'])} resources"


def check_clock(patient: Patient) -> str:
    """Signatures are good for five minutes: a clock far off refuses them all. Without asking anybody, only a clock that lags is seen."""
    newest = datetime.fromtimestamp(max(file.stat().st_mtime for file in (ROOT / "template.yaml", Path(__file__))), UTC)
    now = datetime.now(UTC)
    if now < newest:
        raise Bad(f"it is {now:%Y-%m-%d %H:%M} UTC here, before this installation was made", "sudo timedatectl set-ntp true")
    return f"{now:%Y-%m-%d %H:%M} UTC"


def check_config(patient: Patient) -> str:
    try:
        sources = patient.config["sources"]
    except ConfigError as error:
        raise Bad(str(error), f"edit {patient.home}/config.yaml; caseline config validate {patient.home}/config.yaml checks it") from None
    return count_words(len(sources), "source")


def check_policy(patient: Patient) -> str:
    from caseline.policy import load_policy

    name = _configured(patient).get("policy")
    try:
        return f"{name or 'the shipped one'}, version {load_policy(patient.read(name) if name else None, name or '').version}"
    except ConfigError as error:
        raise Bad(str(error), f"edit {patient.home}/{name}; caseline policy validate {patient.home}/{name} checks it") from None


def check_secrets(patient: Patient) -> str:
    from caseline.configuration import read_secrets

    file, config = f"{patient.home}/secrets.json", _configured(patient)
    try:
        secrets = read_secrets(patient.read("secrets.json"), config)
    except ConfigError as error:
        raise Bad(str(error), f"edit {file}; for a new secret: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'") from None
    missing = [key for source in config["sources"] if not any(secrets.get(key := f"{source['channel']}/{source.get('name', 'default')}") or ())]
    login = f"crm/{(config.get('crm') or {}).get('name') or 'builtin'}"
    if login != "crm/builtin" and not secrets.get(login):
        raise Bad(f"none for {login}: no case can be saved there", f'add "{login}": {{...}} to {file}; the CRM\'s README says what it holds')
    if missing:
        raise Bad(f"none for {', '.join(missing)}: their requests are refused", f'add "{missing[0]}": ["..."] to {file}, with the secret that the platform has')
    return f"one for each of {count_words(len(config['sources']), 'source')}"


def check_private(patient: Patient) -> str:
    """Nobody else on this machine may read what opens the product."""
    files = {name: patient.home / name for name in ("api-token", "secrets.json")}
    if not all(file.exists() for file in files.values()):
        raise Skipped("they are written at the first start")
    open_files = [name for name, file in files.items() if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if open_files:
        raise Bad(f"others may read {', '.join(open_files)}", "chmod 600 " + " ".join(f"{patient.home}/{name}" for name in open_files))
    return "api-token and secrets.json are yours alone"


def check_running(patient: Patient) -> str:
    if not is_running(patient.home):
        raise Bad("nothing answers", f"caseline dev --home {patient.home}")
    return patient.api.url


def check_balance(patient: Patient) -> str:
    """What was accepted is recorded, a revision, a duplicate, in quarantine or on its way."""
    total = patient.totals
    known = sum(total[name] for name in ("recorded", "revised", "duplicates", "quarantined", "in_flight"))
    if total["in_flight"] < 0 or known != total["accepted"]:
        raise Bad(f"{total['accepted']} accepted, but {known} accounted for", f"look into {patient.home}/logs for record_signals and publish_events")
    parts = {"recorded": "recorded", "revised": "revised", "duplicates": "duplicates", "quarantined": "quarantined", "in_flight": "on their way"}
    return f"{total['accepted']} accepted = " + " + ".join(f"{total[name]} {words}" for name, words in parts.items())


def check_quarantine(patient: Patient) -> str:
    waiting = patient.list("quarantine", "before")
    if waiting:
        raise Bad(f"{len(waiting)} payloads were not understood", f"caseline quarantine list --home {patient.home}   (then replay or drop)")
    return "empty"


def check_dead_letters(patient: Patient) -> str:
    """Messages that failed again and again. The queues stand in the home's database."""
    file = patient.home / "data" / "caseline.db"
    if not file.exists():
        raise Skipped("there is no data yet")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        counts = dict(database.execute("SELECT queue, count(*) FROM messages GROUP BY queue").fetchall())
    dead = {queue: count for queue, count in counts.items() if queue.endswith(_DEAD)}
    if dead:
        found = ", ".join(f"{count} in {queue}" for queue, count in dead.items())
        raise Bad(found, f"the reason stands in {patient.home}/logs; these messages are kept, and sent again by hand once it is mended")
    return "none"


def check_crm(patient: Patient) -> str:
    """Whether it answers, takes every case, and has what is here."""
    crm = patient.ask("crm")
    name, home, waiting = crm["name"], patient.home, f"{crm['unsynced']} cases wait for it, and go out by themselves"
    if crm["state"] == "down":
        cause = f"{name} is down since {crm['since']} ({crm['why']}); {waiting}"
        raise Bad(cause, f"caseline crm check --home {home}   (says whether it is the login; else see the CRM's status page)")
    if crm["state"] == "limited":
        raise Bad(f"{name} wants to be called less until {crm['until']}; {waiting}", f"wait, or raise coalesce_minutes under crm: in {home}/config.yaml")
    if crm["errors"]:
        causes = ", ".join(f"{count} with {error}" for error, count in crm["errors"].items())
        raise Bad(f"cases that {name} did not take: {causes}", f"caseline crm check --home {home}   (what it lacks; once mended, they are sent again)")
    return _check_count(crm, home)


def _check_count(crm: Mapping[str, Any], home: Path) -> str:
    report = crm["reconciliation"] or {}
    if report.get("count"):
        raise Bad(f"{count_words(report['count'], 'difference')} at the count of {report['at']}", f"caseline crm status --home {home}   (names them)")
    left = f", {crm['remaining']} of {crm['allowed']} calls left" if crm["allowed"] else ""
    return f"{crm['name']} takes the cases{left}"


@dataclass(frozen=True)
class Check:
    """`look` says what it found, or raises Bad or Skipped."""

    name: str
    look: Callable[[Patient], str]


CHECKS: Sequence[Check] = (
    Check("Python", check_python), Check("packages", check_packages), Check("clock", check_clock), Check("template", check_template),
    Check("configuration", check_config), Check("policy", check_policy), Check("secrets", check_secrets), Check("private files", check_private),
    Check("product", check_running), Check("balance", check_balance), Check("quarantine", check_quarantine),
    Check("dead letters", check_dead_letters), Check("CRM", check_crm),
)  # fmt: skip


def _configured(patient: Patient) -> dict[str, Any]:
    try:
        return patient.config
    except (ConfigError, Bad):
        raise Skipped("the configuration is wrong") from None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _pinned(package: str) -> str | None:
    """The exact version that this installation asks for; None where it runs from a checkout that was never installed."""
    for requirement in (metadata.requires("caseline") if _version("caseline") else None) or ():
        name, mark, version = requirement.partition(";")[0].partition("==")
        if mark and name.strip() == package:
            return version.strip()
    return None
