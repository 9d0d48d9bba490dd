"""`caseline policy simulate`: what another policy would change of the cases there are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import click
from caseline.errors import ConfigError, QueryError
from caseline.policy import BANDS, load_policy

from caseline_local.cli.api import Api, is_running
from caseline_local.cli.crm_place import StackPlace
from caseline_local.cli.policy_diff import POLICY_FILE, load
from caseline_local.cli.terminal import FindingsError, band, clean, count_words, home_option, json_option, read_file, say, show, show_json

KINDS = ("band", "raised", "lowered", "queue", "dropped", "added")
_SHOWN = 40
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@click.command()
@click.argument("file", type=POLICY_FILE)
@click.option("--against", type=POLICY_FILE, help="Compare with this policy instead of the one that stands.")
@click.option("--status", type=click.Choice(["open", "closed", "all"]), default="all", show_default=True, help="Which cases to judge again.")
@click.option("--fail-on", "limits", multiple=True, metavar="KIND=N", help=f"Exit code 1 if more than N; of {', '.join(KINDS)}. Can be repeated.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many cases of each status.")
@click.option("--stack", help="The cases of this deployed stack, instead of a home's.")
@click.option("--region", help="The stack's region; by default that of the AWS profile.")
@home_option
@json_option
def simulate(
    file: Path, against: Path | None, status: str, limits: tuple[str, ...], limit: int, stack: str | None, region: str | None, home: Path, as_json: bool
) -> None:
    """What the policy in FILE would make of the cases there are. Nothing is changed.

    Counted: cases whose `band` changes, of them `raised` or `lowered` (`dropped` is lowered too), whose `queue` changes, that would not be (`dropped`);
    signals that would need a case and have none (`added`).
    """
    allowed = dict(map(_read_limit, limits))
    files = {"policy": file} | ({"against": against} if against else {})
    for each in files.values():
        load(each)
    wanted = {name: read_file(each) for name, each in files.items()}
    with _open(home, stack, region) as ask:
        report = gather(ask, wanted, ("open", "closed") if status == "all" else (status,), limit)
    if as_json:
        show_json(report)
    else:
        _show(report)
    beyond = [f"{name}: {report['counts'][name]}, allowed {most}" for name, most in allowed.items() if report["counts"][name] > most]
    if beyond:
        raise FindingsError("this policy changes more than allowed: " + "; ".join(beyond))


def gather(ask: Ask, wanted: Mapping[str, Any], statuses: tuple[str, ...], limit: int) -> dict[str, Any]:
    """All pages as one report: `{"standing", "proposed", "judged", "gone", "more", "counts", "bands", "cases", "uncased"}`.

    `cases` are those that change, `gone` how many have no signals left to judge by, `more` says whether there are more than `limit` of a status.
    """
    read = [list(_pages(ask, {**wanted, "status": status}, limit)) for status in statuses]
    pages = list(chain.from_iterable(read))
    found = [case for page in pages for case in page["cases"]]
    cases = [case for case in found if case["standing"] or case["proposed"]]
    uncased = sorted({signal_id for page in pages for signal_id in page["uncased"]})
    return {
        "standing": pages[0]["standing"], "proposed": pages[0]["proposed"], "judged": len(cases), "gone": len(found) - len(cases),
        "more": any(each[-1]["next"] for each in read), "counts": count(cases) | {"added": len(uncased)},
        "bands": {name: [_in_band(cases, side, name) for side in ("standing", "proposed")] for name in BANDS},
        "cases": [case for case in cases if case["standing"] != case["proposed"]], "uncased": uncased,
    }  # fmt: skip


def count(cases: list[dict[str, Any]]) -> dict[str, int]:
    tally = Counter(kind for case in cases for kind in _kinds(case))
    return {kind: tally[kind] for kind in KINDS}


def _kinds(case: Mapping[str, Any]) -> Iterator[str]:
    before, after = case["standing"], case["proposed"]
    old, new = _rank(before), _rank(after)
    if old != new:
        yield "band"
        yield "raised" if new < old else "lowered"
    if before and after and before["queue"] != after["queue"]:
        yield "queue"
    if before and not after:
        yield "dropped"


def _rank(verdict: Mapping[str, Any] | None) -> int:
    return BANDS.index(verdict["band"]) if verdict else len(BANDS)


def _in_band(cases: list[dict[str, Any]], side: str, name: str) -> int:
    return sum(bool(case[side]) and case[side]["band"] == name for case in cases)


def _pages(ask: Ask, wanted: Mapping[str, Any], limit: int) -> Iterator[Mapping[str, Any]]:
    after: str | None = None
    while limit > 0:
        page = ask({**wanted, "limit": min(limit, 50), **({"after": after} if after else {})})
        yield page
        limit, after = limit - len(page["cases"]), page["next"]
        if not after:
            return


@contextmanager
def _open(home: Path, stack: str | None, region: str | None) -> Iterator[Ask]:
    """Whoever has the cases: the product that runs on the home, the home at rest, a deployed stack's table."""
    if stack:
        yield _ask_stack(StackPlace(stack, region))
    elif is_running(home):
        api = Api(home)
        yield lambda wanted: api.post("policy", "simulate", body=json.dumps(wanted).encode())
    else:
        with _open_offline(home) as ask:
            yield ask


@contextmanager
def _open_offline(home: Path) -> Iterator[Ask]:
    from caseline.policy_trial import try_policy

    from caseline_local.cli.sources import read_home_config
    from caseline_local.engine.home import Home, HomeInUseError
    from caseline_local.engine.offline import open_table
    from caseline_local.engine.settings import read_home_policy

    try:
        standing = load_policy(read_home_policy(Home(home), read_home_config(home)))
        with open_table(home) as table:
            yield lambda wanted: try_policy(table, standing, wanted)
    except (HomeInUseError, ConfigError, QueryError) as error:
        raise FindingsError(str(error)) from None


def _ask_stack(place: StackPlace) -> Ask:
    from caseline.policy_trial import try_policy
    from caseline.table import Table

    parameter = place.call("ssm", lambda store: store.get_parameter(Name=f"/{place.stack}/policy"))["Parameter"]["Value"]
    standing, name = load_policy(parameter), place.resource("Table")
    return lambda wanted: dict(place.call("dynamodb", lambda client: try_policy(Table(client, name), standing, wanted)))


def _show(report: Mapping[str, Any]) -> None:
    show(f"{count_words(report['judged'], 'case')} under {report['standing']} and {report['proposed']}")
    for name, (before, after) in report["bands"].items():
        show(f"  {band(name)}  {before:>6} -> {after}")
    show("  " + ", ".join(f"{kind} {number}" for kind, number in report["counts"].items()))
    for case in report["cases"][:_SHOWN]:
        show(f"{case['case_key']}  {_say(case['standing'])} -> {_say(case['proposed'])}  {clean(_say_why(case), 160)}")
    if len(report["cases"]) > _SHOWN:
        say(f"... and {len(report['cases']) - _SHOWN} more; --json has them all")
    if report["gone"]:
        say(f"not judged: {count_words(report['gone'], 'case')} of which no signal is left (deleted, erased or expired)")
    if report["more"]:
        say("there are more cases; --limit N judges more of each status")


def _say(verdict: Mapping[str, Any] | None) -> str:
    return f"{verdict['band']} {verdict['score']} {verdict['queue']}" if verdict else "no case"


def _say_why(case: Mapping[str, Any]) -> str:
    """The lines that weigh otherwise; or what differs though they do not."""
    before, after = case["standing"], case["proposed"]
    if case["why"] or not before or not after:
        return "; ".join(case["why"]) or "a signal of it would need a case"
    return "another band for the same score" if before["band"] != after["band"] else "another queue"


def _read_limit(text: str) -> tuple[str, int]:
    kind, _, most = text.partition("=")
    if kind not in KINDS or not most.isdecimal():
        raise click.UsageError(f"--fail-on {text}: write one of {', '.join(KINDS)}, = and a number: band=10")
    return kind, int(most)
