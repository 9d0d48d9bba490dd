"""`caseline report`: exact figures of a window, however much there is: facts are read page by page and counted here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from caseline.reports.asking import find_slip
from caseline.reports.reading import Window
from caseline.reports.report import make_report
from caseline.signals import parse_time

from caseline_local.cli.api import Api
from caseline_local.cli.terminal import FindingsError, clean, count_words, home_option, json_option, show, show_json


@click.command()
@click.option("--from", "since", help="A date or time; 30 days before --to where it is left out.")
@click.option("--to", "until", help="A date or time, which counts no more; now where it is left out.")
@click.option("--brand", help="One brand; all where it is left out.")
@home_option
@json_option
def report(since: str | None, until: str | None, brand: str | None, home: Path, as_json: bool) -> None:
    """What customers think, how long they wait, whether they must come again. Each figure comes with its n, the JSON with each definition."""
    found = read_report(Api(home), {"from": since, "to": until, "brand": brand})
    if as_json:
        show_json(found)
        return
    for line in say_report(found):
        show(line)


def read_report(api: Api, asked: Mapping[str, str | None]) -> dict[str, Any]:
    page = api.get("metrics", "facts", **asked)
    facts, fixed = list(page["facts"]), {**asked, "from": page["from"], "to": page["to"]}
    window, as_of, policy = Window(parse_time(page["from"]), parse_time(page["to"]), page["brands"]), page["as_of"], page["policy"]
    while page["next"]:
        page = api.get("metrics", "facts", **fixed, after=page["next"])
        facts += page["facts"]
    if problem := find_slip(asked["brand"], page["known_brands"], facts):
        raise FindingsError(f"brand: {problem}")
    return make_report(window, facts, as_of, policy)


def say_report(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['from'][:16]}Z to {found['to'][:16]}Z, {', '.join(map(clean, found['brands'])) or 'no brand'}"
    nps = found["nps"]
    trend = f", {nps['trend']}" if nps["trend"] else ""
    score = f"{_number(nps['value'])} ± {_number(nps['margin'])} (n {nps['n']}: {nps['promoters']} promote, {nps['detractors']} detract{trend})"
    yield f"NPS    {score if nps['n'] else 'no answers'}"
    for name in ("csat", "ces"):
        for each in found[name]:
            low, high = each["scale"]
            yield f"{name.upper():<6} {_number(each['value'])} (n {each['n']}, scale {low:g}-{high:g}, mean {_number(each['mean'])}; {each['method']})"
    for clock, each in found["response_times"].items():
        times = f"median {_number(each['median'])} min, p90 {_number(each['p90'])} min, mean {_number(each['mean'])} min (n {each['n']})"
        yield f"{clock:<11} {times if each['n'] else 'none yet'}"
    for row in found["sla"]:
        share = f"{_number(row['adherence'])} %" if row["due"] else "none due"
        yield f"SLA {row['clock']:<11} {row['level']:<9} {share} ({row['met']} met, {row['missed']} missed, {row['open']} open)"
    for row in found["repeat_contacts"]["categories"]:
        rates = f"{_number(row['rate'])} % of {count_words(row['contacts'], 'contact')} repeat, {_number(row['contacts_per_case'])} a case"
        at_once = f"{_number(row['first_contact_resolution'])} % of {row['resolved']} resolved at once" if row["resolved"] else "none resolved"
        yield f"{clean(row['category']):<12} {rates}; {at_once}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
