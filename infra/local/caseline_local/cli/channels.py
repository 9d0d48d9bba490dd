"""`caseline channels`: what there is, for people and for the README; and the beginning of a new one."""

from __future__ import annotations

import re
from pathlib import Path

import click
from caseline.channels import channel_names

from caseline_local.cli.channel_facts import Facts, describe
from caseline_local.cli.terminal import FindingsError, say, show

ROOT = Path(__file__).resolve().parents[4]
BEGIN, END = "<!-- channels -->", "<!-- /channels -->"
HEADINGS = ("Channel", "What comes", "How it comes", "Credential", "What the platform needs, and is answered")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\Z")
_SCAFFOLD = '''\
"""{title}: what comes. Credential: which secret, and where the platform shows it.

Facts: where the platform documents its webhooks. Not confirmed: what you could not find.
"""

from __future__ import annotations

from caseline.identity import normalise_identities
from caseline.payloads import read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "{name}"
_SCHEME = BodyScheme("x-{dashed}-signature", "sha256=")
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    event = read_json(request.body)
    written = event["created_at"]
    signal = Signal(
        channel="{name}", source=source.name, native_id=event["id"].id(), kind="message", text=event["text"].text(),
        occurred_at=settle_time(written.time(), request.received_at, written.path), received_at=request.received_at,
        identities=normalise_identities([f"{name}:{{event['author']['id'].id()}}"]), author_name=event["author"]["name"].text_or_none(),
    )
    return [signal]
'''


@click.group()
def channels() -> None:
    """The channels: list them, begin a new one."""


@channels.command("list")
@click.option("--markdown", is_flag=True, help="As the table that stands in the README.")
@click.option("--write", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Put the table between the marks of this file.")
def list_channels(markdown: bool, file: Path | None) -> None:
    """Every channel: what comes, how, its credential, and what its platform is answered."""
    found = [describe(name) for name in channel_names()]
    if file:
        file.write_text(put_table(file.read_text(encoding="utf-8"), found), encoding="utf-8")
        say(f"{file}: {len(found)} channels")
    elif markdown:
        show(as_table(found))
    else:
        for facts in found:
            show(f"{facts.name:<18} {facts.way:<28} {facts.about}")


@channels.command("new")
@click.argument("name")
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=ROOT, hidden=True)
def new_channel(name: str, root: Path) -> None:
    """Begin a channel: a module to change, and a folder for its samples. Its tests fail until there are some."""
    if not _NAME.match(name):
        raise click.UsageError(f"{name!r} cannot name a module and stand in a URL; write lower-case letters, digits and underscores")
    module, folder = root / f"layers/core/caseline/channels/{name}.py", root / f"events/channels/{name}"
    if module.exists() or module.with_suffix("").exists():
        raise FindingsError(f"there is a channel {name} already")
    module.write_text(_SCAFFOLD.format(name=name, title=name.replace("_", " ").capitalize(), dashed=name.replace("_", "-")), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    show(f"{module.relative_to(root)}   change it: verify, sign, parse")
    show(f"{folder.relative_to(root)}/   write samples: what comes in, and what should come of it")
    say(f"then: .tools/test/bin/python -m pytest tests/contract/test_channels.py -k {name}; CONTRIBUTING.md shows a whole one")


def as_table(found: list[Facts]) -> str:
    rows = [(f"`{facts.name}`", facts.about, facts.way, facts.credential, facts.answers) for facts in found]
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def put_table(text: str, found: list[Facts]) -> str:
    """The text with the table between its marks."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise FindingsError(f"the file has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{as_table(found)}\n{END}{after}"
