"""The command line. A command's module is imported when the command is used, so that help is quick."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module

import click
from caseline import __version__

COMMANDS: Mapping[str, tuple[str, str]] = {
    "dev": ("dev", "Run the whole product on this machine."),
    "trigger": ("trigger", "Sign a sample event and post it; --follow shows it becoming a case."),
    "explain": ("explain", "Why a case has its priority, line by line."),
    "scenario": ("scenario", "Play a story of several channels and days, and hold the product to the cases expected."),
    "replay": ("replay", "Post a CSV or JSONL file of messages as signals."),
    "crm": ("crm", "The CRM: check it, set it up, how it is doing, count both sides; import into the built-in one."),
    "analysis": ("analysis", "Let the embedded analyser learn from your labels: train, report, rollback; explain a text."),
    "channels": ("channels", "What there is to listen to; begin a new channel."),
    "customers": ("customers", "Who a customer is: show, merge, split, export, erase."),
    "report": ("report", "NPS, CSAT, CES, response times, SLA by sentiment, repeat contacts of a window."),
    "quarantine": ("quarantine", "What was authentic but not understood: list, show, replay, drop."),
    "doctor": ("doctor", "Check this installation; each ✖ says how to fix it."),
    "config": ("validate", "Check a config.yaml; put it where a deployed stack reads it."),
    "secrets": ("secrets", "The secrets of a deployed stack: put a new one, take older ones away."),
    "policy": ("validate", "Check a policy, see what it would change; put it where a deployed stack reads it."),
}


class LazyGroup(click.Group):
    """Knows the commands' names and summaries without their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{COMMANDS[name][0]}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="caseline %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Customer signals from every channel, joined with account value, become one prioritised, explained CRM case.

    Results go to stdout, narration to stderr. Exit codes: 0 well, 1 something was found wrong, 2 wrong usage, 3 the product cannot be reached.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
