"""`caseline trigger`: a sample event, signed as its platform signs it, posted, and followed to its case."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from caseline.channels import channel_names, open_channel
from caseline.signals import Signal
from caseline.sources import Source
from caseline.web import WebhookRequest

from caseline_local.cli import samples
from caseline_local.cli.api import Api
from caseline_local.cli.explain import describe_crm
from caseline_local.cli.freshening import freshen, freshen_event
from caseline_local.cli.sources import Sender, find_sender
from caseline_local.cli.terminal import FindingsError, UnreachableError, band, home_option, say, show

_PAUSE = 0.1


@click.command()
@click.argument("event", metavar="CHANNEL[.SAMPLE]", required=False)
@click.option("--source", "source_name", help="The source to post to, where the channel has several.")
@click.option("--set", "changes", metavar="PATH=VALUE", multiple=True, help="Change a value of the payload, e.g. data.text='It broke'. Repeatable.")
@click.option("--follow", is_flag=True, help="Wait and show what becomes of it.")
@click.option("--seconds", default=30.0, show_default=True, help="How long --follow waits.")
@click.option("--list", "listing", is_flag=True, help="List the samples.")
@home_option
def trigger(event: str | None, source_name: str | None, changes: tuple[str, ...], follow: bool, seconds: float, listing: bool, home: Path) -> None:
    """Sign a sample of events/channels with the source's secret, with fresh times and ids, and post it.

    Without SAMPLE a plain one is taken. Example: caseline trigger x.mention --follow
    """
    if listing or not event:
        _list(event)
        return
    channel, _, name = event.partition(".")
    sample = samples.load_sample(channel, name or samples.first_sample(channel)) if samples.all_names(channel) else {}
    sender = find_sender(home, channel, source_name, signs="event" not in sample)
    fresh = (freshen_event if "event" in sample else freshen)(sample, sender.clock())
    for change in changes:
        _change(fresh, change)
    started = time.monotonic()
    status, answer, signals = send_event(sender, sample, fresh, home) if "event" in sample else send_request(sender, sample, fresh)
    show(f"{_took(started)}  {answer}".rstrip())
    if status == 503:
        raise UnreachableError("the product is starting, or could not queue it; try again in a moment")
    if not 200 <= status < 300:
        raise FindingsError(_advise(status, sender, home))
    if follow:
        for signal in signals():
            follow_signal(Api(home), signal, started, seconds)


def _list(channel: str | None) -> None:
    for name, about in samples.list_samples([channel.partition(".")[0]] if channel else channel_names()):
        show(f"{name:<40} {about}")


def _change(request: dict[str, Any], change: str) -> None:
    path, mark, text = change.partition("=")
    if not mark:
        raise click.UsageError(f"--set {change}: write PATH=VALUE")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    samples.set_value(request, path, str(value) if "form" in request else value)


def _advise(status: int, sender: Sender, home: Path) -> str:
    advice = {
        401: f"refused: the product has another secret for {sender.key} than {home}/secrets.json, or this machine's clock is wrong",
        404: f"there is no source {sender.key}; add it to {home}/config.yaml",
        422: "the payload was not understood; the answer names the field",
    }
    return advice.get(status, f"not accepted ({status}); the product's logs are in {home}/logs")


Sent = tuple[int, str, Callable[[], list[Signal]]]
"""Status, what to show, and what the channel makes of it: so that customers and rows are known."""


def send_request(sender: Sender, sample: dict[str, Any], fresh: dict[str, Any]) -> Sent:
    body, headers = samples.body_of(fresh), fresh["headers"]
    status, answer = sender.post(body, headers)
    return status, f"{sender.path} answered {status} {answer}", lambda: read_signals(sender, sample, sender.sign(body, headers))


def send_event(sender: Sender, sample: dict[str, Any], fresh: dict[str, Any], home: Path) -> Sent:
    """Hand the event to the function that takes them, addressed to the source, its objects stored before."""
    objects = {name: (content if isinstance(content, str) else json.dumps(content)).encode() for name, content in fresh["objects"].items()}
    event = {"caseline": sender.key, "event": fresh["event"]}
    told = {"event": event, "objects": {name: base64.b64encode(content).decode() for name, content in objects.items()}}
    status, answer = Api(home).hand_over(json.dumps(told).encode())

    def read() -> list[Signal]:
        found = open_channel(sender.channel).parse_event(
            fresh["event"], _source_of(sender, sample), received_at=sender.clock(), read=lambda bucket, key: objects[f"{bucket}/{key}"]
        )
        return [item for item in found if isinstance(item, Signal)]

    return status, f"an event for {sender.key} was answered {answer}", read


def read_signals(sender: Sender, sample: dict[str, Any], request: WebhookRequest) -> list[Signal]:
    return [item for item in open_channel(sender.channel).parse(request, _source_of(sender, sample)) if isinstance(item, Signal)]


def _source_of(sender: Sender, sample: dict[str, Any]) -> Source:
    config = sample.get("source") or {}
    return Source(sender.name, "", tuple(config.get("own_ids") or ()), (), config.get("settings") or {})


def follow_signal(api: Api, signal: Signal, started: float, seconds: float) -> None:
    """Print each stage as it is reached: recorded, its case, the CRM's number."""
    if not signal.identities:
        say("  names no customer (it is found by what it answers or deletes); look at the timeline in the console")
        return
    deadline = started + seconds
    entry = _await(lambda: find_entry(api, signal), deadline, "recorded")
    said = entry["assessment"] or {}
    show(f"{_took(started)}  recorded: {said.get('sentiment') or 'unscored'}, {entry['category'] or 'unknown'}; case {entry['need']} ({entry['need_reason']})")
    if entry["need"] != "due" and not entry.get("case_key"):
        return
    key = _await(lambda: (find_entry(api, signal) or {}).get("case_key"), deadline, "a case")
    case = _await(lambda: _saved(api.get("cases", key)), deadline, "saved in the CRM")
    priority = case["priority"]
    show(f"{_took(started)}  case {key}: {band(priority['band'])} {priority['score']}, queue {case['queue']}")
    show(f"{_took(started)}  {describe_crm(case['crm'])}")
    say(f"`caseline explain {case['crm'].get('number') or key}` says why")


def find_entry(api: Api, signal: Signal) -> dict[str, Any] | None:
    """The signal's timeline entry, once it is recorded."""
    for customer in api.get("customers", identity=signal.identities[0])["customers"]:
        for entry in api.get("customers", customer["customer_id"], "timeline", limit=50)["entries"]:
            if entry.get("signal_id") == signal.signal_id:
                return dict(entry)
    return None


def _saved(case: dict[str, Any]) -> dict[str, Any] | None:
    return case if case["crm"].get("sync") in ("synced", "failed") else None


def _await(look: Callable[[], Any], deadline: float, what: str) -> Any:
    while not (found := look()):
        if time.monotonic() > deadline:
            raise FindingsError(f"not {what} in time; `caseline doctor` checks the product, its logs are in the home's logs/")
        time.sleep(_PAUSE)
    return found


def _took(started: float) -> str:
    return f"{time.monotonic() - started:6.2f} s"
