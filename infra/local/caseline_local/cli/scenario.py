"""`caseline scenario`: stories in time order, played on the running product and held to the cases they expect."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from caseline.errors import ConfigError

from caseline_local.cli.terminal import FindingsError, clean, count_words, say, show
from caseline_local.scenarios.player import Player
from caseline_local.scenarios.running import run_product
from caseline_local.scenarios.story import Story, StoryError, list_stories, load_story


@click.group()
def scenario() -> None:
    """Stories (events/scenarios) told to the running product over HTTP, and held to the cases they expect."""


@scenario.command("list")
def list_all() -> None:
    """The stories there are, and what each shows."""
    for name in list_stories():
        story = _load(name)
        show(f"{name:<32} {clean(story.title, 110)}")


@scenario.command()
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every story there is.")
@click.option("--stay", is_flag=True, help="Leave the product of one story running afterwards, to look at its console.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="A new directory for the story's product; by default one that is removed after.")
def run(names: tuple[str, ...], everything: bool, stay: bool, home: Path | None) -> None:
    """Play each story on a product of its own, started for it, by that product's own clock.

    Exit code 1 where something is not as a story has it.
    """
    chosen = list_stories() if everything else list(names)
    if not chosen:
        raise click.UsageError("name a story, or write --all; `caseline scenario list` lists them")
    if len(chosen) > 1 and (stay or home):
        raise click.UsageError("--stay and --home are for one story")
    failed = [story.name for story in [_load(name) for name in chosen] if not _run(story, home, stay)]  # all are read before one is played
    if len(chosen) > 1:
        show(f"{len(chosen) - len(failed)} of {count_words(len(chosen), 'story').replace('storys', 'stories')} came out as told")
    if failed:
        raise FindingsError(f"not as told: {', '.join(failed)}")


def _run(story: Story, home: Path | None, stay: bool) -> bool:
    say(f"{story.name}: {clean(story.title, 200)}")
    started = time.monotonic()
    with _place(home) as place, run_product(story, place) as stage:
        problems = _play(Player(story, stage, say))
        for problem in problems:
            show(f"✖ {story.name}: {clean(problem, 600)}", fg="red")
        if not problems:
            show(f"✔ {story.name} ({time.monotonic() - started:.1f} s)", fg="green")
        if stay:
            say(f"Console   {stage.public_url}/console?token={(place / 'api-token').read_text().strip()}\nRunning; Enter stops it.")
            sys.stdin.readline()
    return not problems


def _play(player: Player) -> list[str]:
    """What is not as told; a story that cannot go on is not as told, either, and the next one is."""
    try:
        return player.play()
    except StoryError as error:
        return [str(error)]
    except FindingsError as error:
        return [error.message]


@contextmanager
def _place(home: Path | None) -> Iterator[Path]:
    if home is None:
        with tempfile.TemporaryDirectory(prefix="caseline-story-") as made:
            yield Path(made) / "home"
    elif home.exists() and any(home.iterdir()):
        raise FindingsError(f"{home} is not empty; a story begins anew")
    else:
        yield home


def _load(name: str) -> Story:
    try:
        return load_story(name)
    except (StoryError, ConfigError) as error:
        raise FindingsError(str(error)) from None
