"""`caseline crm check|plan|apply`: what the live CRM lacks, what setting it up would change, and doing what can be done by its API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from caseline.crm import Finding, Step
from caseline.errors import CrmAuthError, CrmError

from caseline_local.cli.crm_place import open_live, open_place, place_options, read_fields, said
from caseline_local.cli.terminal import FindingsError, clean, count_words, say, show, show_json

_MARKS = {"error": ("✖", "red"), "warning": ("!", "yellow")}
LOGIN = "put the right credentials with `caseline secrets put`, or into secrets.json, and give their user the rights that the CRM's README lists"
_NOTHING = "the built-in CRM needs no setting up"


@click.command()
@place_options
def check(home: Path, stack: str | None, region: str | None, as_json: bool) -> None:
    """Compare the live CRM with what Caseline needs: login, rights, fields, values.

    Errors (✖, exit code 1) keep cases from being saved; warnings (!) are done without. Nothing is changed.
    """
    crm = open_live(open_place(home, stack, region))
    findings = _look(crm) if crm else []
    if as_json:
        show_json({"crm": crm.name if crm else "builtin", "findings": [asdict(finding) for finding in findings]})
    else:
        _show_findings(findings, crm.name if crm else "")
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise FindingsError(f"{count_words(errors, 'error')}: cases cannot be saved until this is mended")


@click.command()
@place_options
def plan(home: Path, stack: str | None, region: str | None, as_json: bool) -> None:
    """What setting up the live CRM would change. Nothing is changed."""
    crm = open_live(open_place(home, stack, region))
    steps = _plan(crm) if crm else []
    if as_json:
        show_json({"crm": crm.name if crm else "builtin", "steps": [_told(step) for step in steps]})
    elif not steps:
        show(f"{crm.name}: everything is there" if crm else _NOTHING)
    else:
        _show_steps(steps)


@click.command("apply")
@place_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply_steps(home: Path, stack: str | None, region: str | None, as_json: bool, yes: bool) -> None:
    """Do what can be done by the CRM's API, then say what is left to do by hand. Again does no harm: what is there is left as it is."""
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: add --yes")
    crm = open_live(open_place(home, stack, region))
    steps = _plan(crm) if crm else []
    ours, theirs = ([step for step in steps if step.by == by] for by in ("api", "hand"))
    if ours and not yes:
        _show_steps(ours)
        click.confirm(f"Do {'these' if len(ours) > 1 else 'this'} in {crm.name}?", abort=True, err=True)
    failed = _do(crm, ours, quiet=as_json)
    if as_json:
        done = [step.name for step in ours if step.name not in failed]
        show_json({"crm": crm.name if crm else "builtin", "done": done, "failed": failed, "by_hand": [_told(step) for step in theirs]})
    else:
        _show_rest(crm, ours, theirs)
    if failed:
        raise FindingsError(f"{len(failed)} of {len(ours)} steps failed; mend their cause and run this again")


def _look(crm: Any) -> list[Finding]:
    """A login that fails is a finding, too."""
    with said():
        try:
            return list(crm.check(read_fields()))
        except CrmAuthError as error:
            return [Finding("error", "login", str(error), LOGIN)]


def _plan(crm: Any) -> list[Step]:
    with said():
        return list(crm.plan(read_fields()))


def _do(crm: Any, steps: Sequence[Step], quiet: bool) -> dict[str, str]:
    """What failed, and why; one that fails does not keep the others from being done."""
    failed: dict[str, str] = {}
    for step in steps:
        try:
            crm.apply(step)
        except CrmError as error:
            failed[step.name] = str(error)
        if not quiet:
            show(f"✖ {step.name}: {clean(failed[step.name])}" if step.name in failed else f"✔ {step.name}: {step.what}")
    return failed


def _show_findings(findings: Sequence[Finding], name: str) -> None:
    for finding in sorted(findings, key=lambda finding: (finding.severity, finding.name)):
        mark, colour = _MARKS.get(finding.severity, ("!", "yellow"))
        show(f"{mark} {finding.name}: {clean(finding.problem)}", fg=colour)
        show(f"    fix: {clean(finding.fix)}")
    if not findings:
        show(f"✔ {name}: everything is there" if name else _NOTHING)


def _show_steps(steps: Sequence[Step]) -> None:
    for by, heading in (("api", "by the API (`caseline crm apply`):"), ("hand", "by hand:")):
        chosen = [step for step in steps if step.by == by]
        if chosen:
            show(heading, bold=True)
        for step in chosen:
            show(f"  + {step.name}: {clean(step.what)}")
            if step.how:
                show(f"      {clean(step.how)}")


def _show_rest(crm: Any, ours: Sequence[Step], theirs: Sequence[Step]) -> None:
    if not ours:
        show(f"{crm.name}: nothing to do by the API" if crm else _NOTHING)
    if theirs:
        say("What is left:")
        _show_steps(theirs)


def _told(step: Step) -> dict[str, Any]:
    """Without the CRM's own words for it, which `apply` needs alone."""
    return {name: value for name, value in asdict(step).items() if name != "data"}
