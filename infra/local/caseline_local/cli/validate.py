"""`caseline config validate` and `caseline policy validate`: mistakes with their line and column."""

from __future__ import annotations

from pathlib import Path

import click

from caseline.errors import ConfigError
from caseline_local.cli.terminal import FindingsError, show

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def config() -> None:
    """The configuration."""


@config.command("validate")
@_file
def validate_config(file: Path) -> None:
    """Check a config.yaml."""
    from caseline.configuration import read_config

    try:
        found = read_config(file.read_text(encoding="utf-8"), file.name)
    except (ConfigError, UnicodeDecodeError) as error:
        raise FindingsError(str(error)) from None
    show(f"{file.name}: {len(found['sources'])} sources of {len(found['brands'])} brands; nothing wrong")


@click.group()
def policy() -> None:
    """The policy: weights, bands, floors, routes, reply targets."""


@policy.command("validate")
@_file
def validate_policy(file: Path) -> None:
    """Check a policy."""
    from caseline.policy import load_policy

    try:
        found = load_policy(file.read_text(encoding="utf-8"), file.name)
    except (ConfigError, UnicodeDecodeError) as error:
        raise FindingsError(str(error)) from None
    show(f"{file.name}: policy of version {found.version}; nothing wrong")
