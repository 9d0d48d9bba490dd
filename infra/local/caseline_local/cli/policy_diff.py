"""`caseline policy diff`: what another policy says otherwise, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from caseline.errors import ConfigError
from caseline.policy import Policy, load_policy

from caseline_local.cli.terminal import FindingsError, clean, json_option, read_file, say, show, show_json

POLICY_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("old", type=POLICY_FILE)
@click.argument("new", type=POLICY_FILE)
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """What NEW says otherwise than OLD, number by number, with what either leaves out filled in."""
    changes = compare(load(old), load(new))
    if as_json:
        show_json(changes)
        return
    told = [change for change in changes if not (_says_nothing(change["old"]) and _says_nothing(change["new"]))]
    for change in told:
        show(f"{change['place']}: {_plain(change['old'])} -> {_plain(change['new'])}")
    say(f"{len(told)} difference{'' if len(told) == 1 else 's'}")


def compare(old: Policy, new: Policy) -> list[dict[str, Any]]:
    """`[{place, old, new}]`; a place as in `sla.targets.P1`, None where one of them has nothing."""
    before, after = (dict(_flatten(policy.model_dump(mode="json", by_alias=True))) for policy in (old, new))
    places = [place for place in dict.fromkeys((*before, *after)) if before.get(place) != after.get(place)]
    return [{"place": place, "old": before.get(place), "new": after.get(place)} for place in places]


def load(file: Path) -> Policy:
    try:
        return load_policy(read_file(file), file.name)
    except ConfigError as error:
        raise FindingsError(str(error)) from None


def _says_nothing(value: Any) -> bool:
    """As what a rule leaves out; a number says something, be it 0."""
    return value is None or value is False or value in ("", [], {})


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = ", ".join(map(str, value)) if isinstance(value, list | dict) else str(value)
    return "nothing" if _says_nothing(value) else clean(words, 300)


def _flatten(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Lists of names stand whole; those of sections are walked."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flatten(part, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, part in enumerate(value):
            yield from _flatten(part, f"{place}[{part.get('name') or part.get('queue') or ''}#{index}]")
    else:
        yield place, value
