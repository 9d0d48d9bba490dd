"""`caseline config` and `caseline policy`: check a file, and put it where the deployed functions read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from caseline.config_text import read_yaml
from caseline.errors import ConfigError

from caseline_local.cli.policy_diff import diff
from caseline_local.cli.policy_trial import simulate
from caseline_local.cli.terminal import FindingsError, UnreachableError, count_words, read_file, say, show

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
stack_option = click.option("--stack", required=True, help="The stack's name.")
region_option = click.option("--region", help="The stack's region; by default that of the AWS profile.")


@click.group()
def config() -> None:
    """The configuration: sources, brands, CRM, analysis."""


@config.command("validate")
@_file
def validate_config(file: Path) -> None:
    """Check a config.yaml."""
    found = _read_config(file)
    show(f"{file.name}: {count_words(len(found['sources']), 'source')} of {count_words(len(found['brands']), 'brand')}; nothing wrong")


@config.command("put")
@_file
@stack_option
@region_option
@click.option("--secrets", "secrets_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Also put the secrets of this secrets.json.")
def put_config(file: Path, stack: str, region: str | None, secrets_file: Path | None) -> None:
    """Check a config.yaml and put it where a deployed stack reads it: taken up within a minute.

    A file without `public_url` leaves the stack's own.
    """
    found = _read_config(file)
    found.setdefault("public_url", _standing_url(region, f"/{stack}/config"))
    secrets = _read_secrets(secrets_file, found) if secrets_file else {}
    for name, value in secrets.items():
        call_aws(region, "secretsmanager", lambda store, name=name, value=value: put_secret(store, f"{stack}/{name}", json.dumps(value)))
    _put_parameter(region, f"/{stack}/config", json.dumps(found, ensure_ascii=False))
    say(f"put: {count_words(len(found['sources']), 'source')}, {count_words(len(secrets), 'secret')}")


@click.group()
def policy() -> None:
    """The policy: weights, bands, floors, routes, reply targets."""


for _command in (simulate, diff):
    policy.add_command(_command)


@policy.command("validate")
@_file
def validate_policy(file: Path) -> None:
    """Check a policy."""
    show(f"{file.name}: policy of version {_read_policy(file).version}; nothing wrong")


@policy.command("put")
@_file
@stack_option
@region_option
def put_policy(file: Path, stack: str, region: str | None) -> None:
    """Check a policy and put it where a deployed stack reads it: taken up within a minute."""
    found = _read_policy(file)
    _put_parameter(region, f"/{stack}/policy", json.dumps(read_yaml(read_file(file), file.name), default=str))
    say(f"put: policy of version {found.version}")


def _read_config(file: Path) -> dict[str, Any]:
    from caseline.configuration import read_config

    found: dict[str, Any] = _checked(lambda: read_config(read_file(file), file.name))
    return found


def _read_secrets(file: Path, found: dict[str, Any]) -> dict[str, Any]:
    from caseline.configuration import read_secrets

    secrets: dict[str, Any] = _checked(lambda: read_secrets(read_file(file), found, file.name))
    return secrets


def _read_policy(file: Path) -> Any:
    from caseline.policy import load_policy

    return _checked(lambda: load_policy(read_file(file), file.name))


def _checked(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ConfigError as error:
        raise FindingsError(str(error)) from None


def _standing_url(region: str | None, name: str) -> str:
    """The address in the configuration that stands; the stack wrote it when it was made."""
    found = call_aws(region, "ssm", lambda store: store.get_parameter(Name=name))
    return str(json.loads(found["Parameter"]["Value"])["public_url"])


def _put_parameter(region: str | None, name: str, text: str) -> None:
    call_aws(region, "ssm", lambda store: store.put_parameter(Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=True))


def put_secret(store: Any, name: str, text: str) -> None:
    try:
        store.put_secret_value(SecretId=name, SecretString=text)
    except store.exceptions.ResourceNotFoundException:
        store.create_secret(Name=name, SecretString=text)


def call_aws(region: str | None, service: str, use: Callable[[Any], Any]) -> Any:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

    try:
        return use(boto3.Session(region_name=region).client(service))
    except ClientError as error:
        raise FindingsError(f"{service} refused: {error.response['Error']['Message']}") from None
    except NoRegionError:
        raise click.UsageError("say with --region where the stack is; the AWS profile has none") from None
    except BotoCoreError as error:
        raise UnreachableError(f"{service} cannot be reached: {error}") from None
