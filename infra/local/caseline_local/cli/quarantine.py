"""`caseline quarantine`: what was authentic but not understood."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from caseline_local.cli.api import Api
from caseline_local.cli.terminal import FindingsError, clean, home_option, json_option, say, show, show_json


@click.group()
def quarantine() -> None:
    """What was authentic but not understood: kept with the reason, to replay or to drop."""


@quarantine.command("list")
@home_option
@json_option
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many.")
def list_items(home: Path, as_json: bool, limit: int) -> None:
    """What waits for a decision, newest first."""
    items = list(islice(Api(home).pages("quarantine", "before", limit=min(limit, 200)), limit))
    if as_json:
        show_json(items)
        return
    for item in items:
        reason = f"{item['field']}: {item['reason']}" if item.get("field") else item["reason"]
        show(f"{item['id']}  {item['received_at'][:19]}Z  {item['channel']}/{item['source']}  {clean(reason, 100)}")
    say(f"{len(items)} in quarantine" + ("; `caseline quarantine show ID` shows one" if items else ": nothing waits"))


@quarantine.command("show")
@click.argument("item_id", metavar="ID")
@home_option
def show_item(item_id: str, home: Path) -> None:
    """One item with its payload, as JSON."""
    show_json(Api(home).get("quarantine", item_id))


@quarantine.command()
@click.argument("item_ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that waits.")
@home_option
def replay(item_ids: tuple[str, ...], everything: bool, home: Path) -> None:
    """Send items back through their channel: after a fix of the channel or of the configuration."""
    _decide(Api(home), item_ids, everything, "replay")


@quarantine.command()
@click.argument("item_ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that waits.")
@home_option
def drop(item_ids: tuple[str, ...], everything: bool, home: Path) -> None:
    """Forget the payloads for good; the counts keep that there were some."""
    _decide(Api(home), item_ids, everything, "drop")


def _decide(api: Api, item_ids: tuple[str, ...], everything: bool, verb: str) -> None:
    if bool(item_ids) == everything:
        raise click.UsageError("write the ids, or --all")
    wanted = [item["id"] for item in api.pages("quarantine", "before")] if everything else list(item_ids)
    if not wanted:
        say("nothing is in quarantine")
        return
    refused = [refusal for item_id in wanted if (refusal := _decide_one(api, item_id, verb))]
    if refused:
        raise FindingsError("\n".join(refused))
    say(f"{len(wanted)} done")


def _decide_one(api: Api, item_id: str, verb: str) -> str:
    try:
        show(f"{item_id}  {api.post('quarantine', item_id, verb)['state']}")
    except FindingsError as error:
        return error.message
    return ""
