"""`caseline crm`: the CRM's set-up and state; and `import`, accounts and contacts for the built-in one, while the product runs or not."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from caseline_local.cli.api import Api, is_running
from caseline_local.cli.crm_setup import apply_steps, check, plan
from caseline_local.cli.crm_status import reconcile, status
from caseline_local.cli.terminal import FindingsError, home_option, json_option, say, show, show_json

RECORDS_A_CALL = 1000  # the API answers within half a minute
Report = dict[str, Any]


@click.group()
def crm() -> None:
    """The CRM: check and set up the live one, see how it is doing, count both sides; import into the built-in one."""


for _command in (check, plan, apply_steps, status, reconcile):
    crm.add_command(_command)


@crm.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@json_option
def import_file(file: Path, home: Path, as_json: bool) -> None:
    """Import accounts and contacts from a CSV FILE, a row per contact.

    Importing again updates. A bad row is reported with its line and column, and the good ones go in.
    """
    report = import_accounts(file.read_bytes(), home)
    if as_json:
        show_json(report)
    else:
        show(f"accounts: {describe(report['accounts'])}")
        show(f"contacts: {describe(report['contacts'])}")
    for fault in report["errors"]:
        say(f"{file.name}:{place(fault)}{fault['message']}", fg="red")
    if report["errors"]:
        raise FindingsError("the rows above were left out; correct them and import the file again")


def import_accounts(data: bytes, home: Path) -> Report:
    """`{"accounts": {created, updated, unchanged}, "contacts": {...}, "errors": [...]}`, through the product if it runs, else into its data."""
    return import_running(data, Api(home)) if is_running(home) else _import_offline(data, home)


def import_running(data: bytes, api: Api) -> Report:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = {"line": data.count(b"\n", 0, error.start) + 1, "column": 0, "name": "", "message": "this is not UTF-8; save the file as CSV UTF-8"}
        return _merge([{"accounts": {}, "contacts": {}, "errors": [fault]}])
    return _merge([_post_part(api, part) for part in split(text)])


def describe(tally: Mapping[str, int]) -> str:
    return ", ".join(f"{tally.get(name, 0)} {name}" for name in ("created", "updated", "unchanged"))


def place(fault: Mapping[str, Any]) -> str:
    return f"{fault['line']}:{fault['column']}: {fault['name']}: " if fault["name"] else f"{fault['line']}: "


@dataclass
class Part:
    """Some records of a file under its header; `lines` has the line in the file for each line of the part."""

    text: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, rows: list[str], first: int) -> None:
        self.text += rows
        self.lines += range(first, first + len(rows))


def split(text: str, records: int = RECORDS_A_CALL) -> list[Part]:
    """Parts of about `records` records; those of one account stay in one part, in order, as the last one counts."""
    found = list(_records(text.splitlines(keepends=True)))
    if len(found) <= records + 1:
        return [Part([text], list(range(1, text.count("\n") + 2)))]
    (first, header, names), *rest = found
    column = [name.strip() for name in names].index("account_id") if "account_id" in map(str.strip, names) else 0
    rest.sort(key=lambda record: record[2][column] if len(record[2]) > column else "")
    parts: list[Part] = []
    account, count = None, records
    for line, rows, cells in rest:
        if count >= records and (cells[column : column + 1] != account):
            parts.append(Part(list(header), list(range(first, first + len(header)))))
            count = 0
        parts[-1].add(rows, line)
        account, count = cells[column : column + 1], count + 1
    return parts


def _records(lines: list[str]) -> Iterator[tuple[int, list[str], list[str]]]:
    """(first line, the lines as they stand, cells) of each record."""
    reader, start = csv.reader(lines), 0
    for cells in reader:
        yield start + 1, lines[start : reader.line_num], cells
        start = reader.line_num


def _post_part(api: Api, part: Part) -> Report:
    report: Report = api.post("crm", "import", body="".join(part.text).encode(), content_type="text/csv")
    for fault in report["errors"]:
        fault["line"] = part.lines[fault["line"] - 1]
    return report


def _merge(reports: list[Report]) -> Report:
    tallies = {name: dict(sum((Counter(report[name]) for report in reports), Counter())) for name in ("accounts", "contacts")}
    return {**tallies, "errors": sorted((fault for report in reports for fault in report["errors"]), key=lambda fault: (fault["line"], fault["column"]))}


def _import_offline(data: bytes, home: Path) -> Report:
    from dataclasses import asdict
    from datetime import UTC, datetime

    from caseline.cases.rescoring import rescore_cases
    from caseline.crm._pace import BUILTIN
    from caseline.crm.builtin import create
    from caseline.signals import isoformat

    from caseline_local.cli.sources import read_home_config
    from caseline_local.engine.home import HomeInUseError
    from caseline_local.engine.offline import open_table

    named = (read_home_config(home).get("crm") or {}).get("name") or BUILTIN if (home / "config.yaml").exists() else BUILTIN
    if named != BUILTIN:
        raise FindingsError(f"the CRM of {home} is {named}, which has its own accounts; files go into the built-in one: `crm: {{name: builtin}}`")
    try:
        with open_table(home) as table:
            report = create(table=table, clock=lambda: datetime.now(UTC)).import_accounts(data)
            config = read_home_config(home)
            scopes = sorted(config["brands"]) if config.get("identity_scope") == "brand" else [""]
            rescore_cases(table, report.touched, scopes, isoformat(datetime.now(UTC)))
            return asdict(report)
    except HomeInUseError as error:
        raise FindingsError(str(error)) from None
