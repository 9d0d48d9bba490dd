"""What the commands share: options, words for people on stderr, results on stdout, errors with an exit code each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

BAND_STYLES: dict[str, dict[str, Any]] = {"P1": {"fg": "red", "bold": True}, "P2": {"fg": "yellow", "bold": True}, "P3": {"fg": "cyan"}, "P4": {"dim": True}}

home_option = click.option(
    "--home", type=click.Path(file_okay=False, path_type=Path), default=".caseline", envvar="CASELINE_HOME", show_default=True,
    help="The directory with config.yaml, secrets.json, api-token and the data.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")


class FindingsError(click.ClickException):
    """Something was found wrong; the text says what to do."""

    exit_code = 1


class RefusedError(FindingsError):
    """The product refused what was asked; `status` is its answer's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(click.ClickException):
    """The product does not answer; the text says what to do."""

    exit_code = 3


def read_file(file: Path) -> str:
    """The text of a file that people wrote."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FindingsError(f"{file.name} is not UTF-8 text; save it as UTF-8") from None


def say(text: str = "", **style: Any) -> None:
    """A line for people, on stderr."""
    click.secho(text, err=True, **style)


def show(text: str = "", **style: Any) -> None:
    """A line of the result, on stdout."""
    click.secho(text, **style)


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def clean(text: Any, limit: int = 0) -> str:
    """Strangers' text on one line: control characters could drive the terminal."""
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return flat[: limit - 1] + "…" if limit and len(flat) > limit else flat


def count_words(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def band(name: str) -> str:
    return click.style(name, **BAND_STYLES.get(name, {}))
