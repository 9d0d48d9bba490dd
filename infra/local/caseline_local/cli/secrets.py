"""`caseline secrets`: one secret of a deployed stack at a time, so that rotating one needs no file with all of them."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from caseline_local.cli.terminal import FindingsError, say
from caseline_local.cli.validate import call_aws, put_secret, region_option, stack_option

LIVE = 2  # the new one and the one before it: platforms go over at their own pace


@click.group()
def secrets() -> None:
    """The secrets of a deployed stack. They are read from a prompt or from stdin, never from the command line, where others could see them."""


@secrets.command("put")
@click.argument("name", metavar="CHANNEL/SOURCE")
@stack_option
@region_option
@click.option("--only", is_flag=True, help="Take the older secret away at once.")
def put_newest(name: str, stack: str, region: str | None, only: bool) -> None:
    """Make what is typed the newest secret of CHANNEL/SOURCE; the one before it stays good until the next, or until --only.

    For crm/NAME it is a JSON object and replaces what stands.
    """
    typed = _read_typed()
    standing = [] if only or name.startswith("crm/") else _read_standing(region, f"{stack}/{name}")
    wanted = _read_object(typed) if name.startswith("crm/") else list(dict.fromkeys([typed, *standing]))[:LIVE]
    _check(region, stack, name, wanted)
    call_aws(region, "secretsmanager", lambda store: put_secret(store, f"{stack}/{name}", json.dumps(wanted)))
    say(f"put: {name}; functions take it up within five minutes, and at once when a request is signed with it")


def _read_typed() -> str:
    """From a terminal without showing it; else the first line that is piped in, which a prompt would not read where there is a terminal, too."""
    typed = str(click.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not typed:
        raise click.UsageError("no secret came by stdin; pipe it in, or type it at the prompt")
    return typed


def _read_standing(region: str | None, name: str) -> list[Any]:
    def read(store: Any) -> str:
        try:
            return str(store.get_secret_value(SecretId=name)["SecretString"])
        except store.exceptions.ResourceNotFoundException:
            return "[]"

    return list(json.loads(call_aws(region, "secretsmanager", read)))


def _read_object(typed: str) -> Any:
    try:
        return json.loads(typed)
    except ValueError:
        raise FindingsError('a CRM\'s secret is a JSON object; write {"client_id": "...", ...} on one line') from None


def _check(region: str | None, stack: str, name: str, wanted: Any) -> None:
    """By the rules of secrets.json, against the configuration that the stack has."""
    from caseline.configuration import read_secrets
    from caseline.errors import ConfigError

    config = call_aws(region, "ssm", lambda store: store.get_parameter(Name=f"/{stack}/config"))["Parameter"]["Value"]
    try:
        read_secrets(json.dumps({name: wanted}), json.loads(config), "secret")
    except ConfigError as error:
        raise FindingsError(str(error)) from None
