"""`caseline crm status|reconcile`: how the CRM is doing, and whether both sides have the same cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from caseline_local.cli.crm_place import open_place, place_options
from caseline_local.cli.terminal import FindingsError, band, clean, count_words, show, show_json

_STATES: Mapping[str, dict[str, Any]] = {"up": {"fg": "green"}, "limited": {"fg": "yellow"}, "down": {"fg": "red", "bold": True}}


@click.command()
@place_options
def status(home: Path, stack: str | None, region: str | None, as_json: bool) -> None:
    """Whether the CRM answers, what is left of its quota, which cases wait for it, when it was last polled and counted."""
    found = open_place(home, stack, region).status()
    if as_json:
        show_json(found)
        return
    show(_describe_state(found))
    if found["allowed"]:
        show(f"  calls left   {found['remaining']:,} of {found['allowed']:,}{', kept for P1 cases' if found['scarce'] else ''}")
    if found["remote"]:
        show(f"  last poll    {_moment(found['last_poll'])}")
    _show_waiting(found)
    if found["remote"]:
        _show_report(found["reconciliation"])


@click.command()
@place_options
def reconcile(home: Path, stack: str | None, region: str | None, as_json: bool) -> None:
    """Count the cases of both sides now, as each night does, and print the differences. Nothing is changed. Exit code 1 if there are any."""
    place = open_place(home, stack, region)
    report = place.reconcile()["reconciliation"] or {}
    if as_json:
        show_json(report)
    else:
        _show_report(report)
    if (report.get("failed_at") or "") > (report.get("at") or ""):
        raise FindingsError(f"the CRM could not be counted ({report['why']}); `caseline crm status` says how it is")
    if report.get("count"):
        raise FindingsError(f"{count_words(report['count'], 'difference')} between both sides; they are for people to look at")


def _describe_state(found: Mapping[str, Any]) -> str:
    state = click.style(found["state"], **_STATES.get(found["state"], {}))
    since = f" since {_moment(found['since'])}, {found['why']}; it is tried again by itself" if found["state"] == "down" else ""
    until = f" until {_moment(found['until'])}: it wants to be called less" if found["state"] == "limited" else ""
    return f"{found['name']}  {state}{since}{until}"


def _show_waiting(found: Mapping[str, Any]) -> None:
    causes = ", ".join(f"{count} {error}" for error, count in found["errors"].items())
    show(f"  unsynced     {count_words(found['unsynced'], 'case')}{f' ({causes})' if causes else ''}")
    for case in found["waiting"]:
        why = f"{case['error']}, " if case["error"] else ""
        show(f"    {band(case['band'])}  {clean(case['subject'], 60)}  {why}next try {_moment(case['due_at'])}")


def _show_report(report: Mapping[str, Any] | None) -> None:
    if not report or not report.get("at"):
        show("  last count   never")
    else:
        show(f"  last count   {_moment(report['at'])}: {report['here']} cases here, {report['there']} there, {count_words(report['count'], 'difference')}")
        for difference in report["differences"]:
            show(f"    {difference['kind']:<8} {clean(difference['case_key'])} {clean(difference['crm_id'])}  {clean(difference['text'])}")
    if report and report.get("failed_at"):
        show(f"  count failed {_moment(report['failed_at'])}: {report['why']}", fg="red")


def _moment(moment: str | None) -> str:
    return f"{moment[:10]} {moment[11:19]} UTC" if moment else "never"
