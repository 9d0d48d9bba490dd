"""`caseline doctor`: one line a check; what fails says why and how to fix it."""

from __future__ import annotations

from pathlib import Path

import click

from caseline_local.cli.checks import CHECKS, Check
from caseline_local.cli.patient import Bad, Patient, Skipped
from caseline_local.cli.terminal import FindingsError, home_option, say, show


@click.command()
@home_option
def doctor(home: Path) -> None:
    """Check this installation and the product that runs on --home. Exit code 1 if anything is wrong."""
    patient, bad = Patient(home), 0
    for check in CHECKS:
        bad += not examine(check, patient)
    if bad:
        raise FindingsError(f"{bad} of {len(CHECKS)} checks found something")
    say("all well")


def examine(check: Check, patient: Patient) -> bool:
    """Print what a check found; False if that was bad."""
    try:
        show(f"✔ {check.name}: {check.look(patient)}")
    except Skipped as why:
        show(f"– {check.name}: not checked, {why}")
    except Bad as finding:
        show(f"✖ {check.name}: {finding}", fg="red")
        show(f"    fix: {finding.fix}")
        return False
    return True
