"""`caseline dev`: the whole product in this process, with the demo story on a new home."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from caseline import __version__

from caseline_local.cli.sources import read_home_config
from caseline_local.cli.terminal import FindingsError, home_option, say, show

if TYPE_CHECKING:
    from caseline_local.engine.product import Product

_PLAYED = "demo-played"


@click.command()
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535), help="0 is any free one.")
@home_option
@click.option("--no-demo", is_flag=True, help="Do not play the demo story on a new home.")
def dev(port: int, home: Path, no_demo: bool) -> None:
    """Run the whole product on 127.0.0.1, until Ctrl-C: the deployed functions, template and state machine, without an account.

    What is said and done stays in --home, also if this is killed. A new home gets a configuration to begin with, and the demo story.
    """
    started, stopping = time.monotonic(), threading.Event()
    say(f"caseline {__version__}: starting on {home}")
    product = _start(home, port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: (stopping.set(), product.request_stop()))
    try:
        say(f"ready after {time.monotonic() - started:.1f} s")
        for line in describe(product, home):
            show(line)
        if not no_demo:
            play_once(home, stopping)
        say("Running; Ctrl-C stops it, the next start goes on from here.")
        product.wait()
    finally:
        say("stopping")
        product.stop()


def describe(product: Product, home: Path) -> Iterator[str]:
    """Where everything is."""
    yield f"Console   {product.console_url}"
    yield f"API       {product.url}/api/v1 (Authorization: Bearer, with the token of {home}/api-token)"
    for source in read_home_config(home).get("sources") or ():
        yield f"Webhook   {product.url}/webhooks/{source['channel']}/{source.get('name', 'default')}"


def play_once(home: Path, stopping: threading.Event) -> None:
    """The demo story, on a home that has not seen it."""
    from caseline_local.cli import story

    played = home / _PLAYED
    if played.exists():
        say("The demo story was played on this home before; another --home begins anew.")
        return
    say("The demo story (--no-demo leaves it out):")
    try:
        story.play(story.load_story(story.DEMO, datetime.now(UTC)), home, stopping.is_set)
    except click.ClickException as error:
        say(f"The demo story did not come to its end: {error.message}", fg="yellow")
        return
    if not stopping.is_set():
        played.touch()
        say("Next: open the console; `caseline trigger x --follow`; `caseline explain C-000001`; `caseline doctor`.")


def _start(home: Path, port: int) -> Product:
    from caseline.errors import ConfigError

    from caseline_local.engine.home import HomeInUseError
    from caseline_local.engine.product import Product

    product = Product(home, port, lambda text: say(text, fg="red" if text.startswith("alert") else None))
    try:
        product.start()
    except (ConfigError, HomeInUseError) as error:
        raise FindingsError(str(error)) from None
    except OSError as error:
        if error.errno is None or "in use" not in str(error):
            raise
        raise FindingsError(f"port {port} is taken; choose another with --port, or 0 for any free one") from None
    return product
