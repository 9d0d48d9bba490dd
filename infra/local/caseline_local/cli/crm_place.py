"""Whose CRM a command is about: that of a home, or that of a deployed stack. Setting up needs no running product, only its configuration and secret."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click
from caseline.errors import ConfigError, CrmAuthError, CrmError, CrmRateLimitError, CrmUnavailableError

from caseline_local.cli.api import Api
from caseline_local.cli.terminal import FindingsError, UnreachableError, home_option, json_option, read_file

ROOT = Path(__file__).resolve().parents[4]
_WAIT = 600.0  # seconds for a count of both sides
_STEP = 0.5


class Place(Protocol):
    """`credentials` gives config.yaml as plain data and the secret of its CRM, `status` what the API's `GET crm` says, `reconcile` that after a count."""

    def credentials(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]: ...
    def status(self) -> dict[str, Any]: ...
    def reconcile(self) -> dict[str, Any]: ...


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home`, or `--stack` with `--region`; and `--json`."""
    stack = click.option("--stack", help="The CRM of this deployed stack, instead of a home's.")
    region = click.option("--region", help="The stack's region; by default that of the AWS profile.")
    return home_option(stack(region(json_option(command))))


def open_place(home: Path, stack: str | None, region: str | None) -> Place:
    return StackPlace(stack, region) if stack else HomePlace(home)


@dataclass(frozen=True)
class HomePlace:
    home: Path

    def credentials(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        from caseline.configuration import read_config, read_secrets

        with said():
            config = read_config(self._read("config.yaml"))
            return config, read_secrets(self._read("secrets.json"), config).get(f"crm/{_crm_of(config)}") or {}

    def status(self) -> dict[str, Any]:
        return dict(Api(self.home).get("crm"))

    def reconcile(self) -> dict[str, Any]:
        """It is asked for by the queue, and done once the report is as new as the request."""
        api = Api(self.home)
        asked_at, deadline = api.post("crm", "reconcile")["asked_at"], time.monotonic() + _WAIT
        while time.monotonic() < deadline:
            found = dict(api.get("crm"))
            report = found["reconciliation"] or {}
            if max(report.get("at") or "", report.get("failed_at") or "") >= asked_at:
                return found
            time.sleep(_STEP)
        raise UnreachableError(f"the count was not over after {_WAIT:.0f} s; `caseline crm status --home {self.home}` shows it later")

    def _read(self, name: str) -> str:
        try:
            return read_file(self.home / name)
        except OSError as error:
            raise FindingsError(f"{self.home}/{name} cannot be read ({error.strerror}); `caseline dev --home {self.home}` writes one to begin with") from None


@dataclass(frozen=True)
class StackPlace:
    stack: str
    region: str | None

    def credentials(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        config = json.loads(self.call("ssm", lambda store: store.get_parameter(Name=f"/{self.stack}/config"))["Parameter"]["Value"])
        return config, self.call("secretsmanager", lambda store: self._secret(store, f"{self.stack}/crm/{_crm_of(config)}"))

    def status(self) -> dict[str, Any]:
        from caseline.table import Table
        from caseline.views import show_crm

        config, name = self.credentials()[0], self.resource("Table")
        return dict(self.call("dynamodb", lambda client: show_crm(Table(client, name), _crm_of(config), datetime.now(UTC))))

    def reconcile(self) -> dict[str, Any]:
        """By the function that does it each night."""
        name, event = self.resource("SyncCrmFunction"), json.dumps({"job": "reconcile"}).encode()
        answer = self.call("lambda", lambda client: client.invoke(FunctionName=name, Payload=event))
        if answer.get("FunctionError"):
            raise FindingsError(f"the count failed; the log of {name} says why")
        return self.status()

    def resource(self, logical_id: str) -> str:
        request = {"StackName": self.stack, "LogicalResourceId": logical_id}
        return str(self.call("cloudformation", lambda client: client.describe_stack_resource(**request))["StackResourceDetail"]["PhysicalResourceId"])

    def _secret(self, store: Any, name: str) -> Mapping[str, Any]:
        try:
            return dict(json.loads(store.get_secret_value(SecretId=name)["SecretString"] or "{}"))
        except store.exceptions.ResourceNotFoundException:
            return {}

    def call(self, service: str, use: Callable[[Any], Any]) -> Any:
        from caseline_local.cli.validate import call_aws

        return call_aws(self.region, service, use)


def open_live(place: Place) -> Any:
    """The adapter of the configured CRM, as the functions open it; None for the built-in one, which stands in Caseline's own table."""
    from caseline.crm import open_crm
    from caseline.crm._pace import BUILTIN, read_pace
    from caseline.settings import Config

    config, secret = place.credentials()
    chosen = Config.from_json(config).crm
    if chosen.name == BUILTIN:
        return None
    with said():
        return open_crm(chosen.name).create(settings=read_pace(chosen.settings)[1], secret=secret, table=None)


def read_fields() -> Any:
    """The fields that Caseline keeps in a CRM."""
    from caseline.config_text import read_yaml
    from caseline.crm._schema import read_schema

    return read_schema(read_yaml((ROOT / "infra/crm/schema.yaml").read_text(encoding="utf-8"), "schema.yaml"))


@contextmanager
def said() -> Iterator[None]:
    """What went wrong with a CRM in the command line's words; 3 where it does not answer now."""
    try:
        yield
    except (CrmUnavailableError, CrmRateLimitError) as error:
        raise UnreachableError(f"{error}; try again later, nothing was changed since") from None
    except CrmAuthError as error:
        raise FindingsError(f"{error}; look at the credentials in `crm/<name>` of the secrets, and at the rights of their user") from None
    except (CrmError, ConfigError) as error:
        raise FindingsError(str(error)) from None


def _crm_of(config: Mapping[str, Any]) -> str:
    return str((config.get("crm") or {}).get("name") or "builtin")
