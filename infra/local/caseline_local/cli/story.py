"""A story: accounts, signed requests of several channels in order, and what should come of them. `caseline dev` plays the demo story."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from caseline.config_text import read_yaml

from caseline_local.cli.api import Api
from caseline_local.cli.crm import import_running
from caseline_local.cli.explain import explain_case
from caseline_local.cli.samples import body_of
from caseline_local.cli.sources import find_sender
from caseline_local.cli.terminal import FindingsError, band, clean, say, show
from caseline_local.scenarios.moments import fill_moments
from caseline_local.scenarios.story import accounts_csv

DEMO = Path(__file__).resolve().parents[4] / "events" / "scenarios" / "demo.yaml"
_CASE_SECONDS, _SETTLE_SECONDS, _PAUSE = 30.0, 60.0, 0.1
_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Story:
    """`accounts` are rows of the built-in CRM's CSV; `steps` are requests; all moments are filled in."""

    accounts: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    expect: Mapping[str, Any]


def load_story(file: Path, now: datetime) -> Story:
    data = fill_moments(read_yaml(file.read_text(encoding="utf-8"), file.name), now)
    return Story(data.get("accounts") or [], data["steps"], data.get("expect") or {})


def play(story: Story, home: Path, stopped: Callable[[], bool]) -> None:
    """Post the steps and print what comes of them. Ends early when `stopped`."""
    api, posted = Api(home), {}
    import_running(accounts_csv(story.accounts), api)
    say(f"  {len(story.accounts)} accounts imported into the built-in CRM")
    for number, step in enumerate(story.steps, 1):
        if stopped():
            return
        request = posted.get(step.get("again"), step)
        posted[step.get("id", number)] = request
        say(f"  {number}/{len(story.steps)} {step['say']}: {_post(home, request)}")
        if step.get("explain"):
            _explain(api, step["explain"], stopped)
    if _settle(api, stopped):
        for line in list_cases(api):
            show(line)


def list_cases(api: Api) -> Iterator[str]:
    """A line for each open case, the most urgent first."""
    for case in api.pages("cases", "after", status="open", sort="priority"):
        priority, number = case["priority"], case["crm"].get("number") or case["case_key"]
        yield f"{band(priority['band'])} {priority['score']:>3}  {number:<10} {case['queue']:<14} {clean(case.get('subject') or case['category'])}"


def find_cases(api: Api, identity: str) -> list[dict[str, Any]]:
    customers = api.get("customers", identity=identity)["customers"]
    return [case for found in customers for case in api.get("customers", found["customer_id"])["open_cases"]]


def _post(home: Path, step: Mapping[str, Any]) -> str:
    """What became of it, in a few words."""
    try:
        sender = find_sender(home, step["channel"])
    except FindingsError as error:
        return f"left out ({error.message})"
    kind = "form" if "form" in step else "json"
    status, _ = sender.post(body_of(step), {"content-type": _TYPES[kind]})
    return "accepted" if 200 <= status < 300 else f"refused with {status}"


def _explain(api: Api, identity: str, stopped: Callable[[], bool]) -> None:
    """Wait for the customer's case to stand in the CRM, and print why it has its priority."""
    deadline = time.monotonic() + _CASE_SECONDS
    while time.monotonic() < deadline and not stopped():
        cases = find_cases(api, identity)
        if cases and cases[0]["crm"].get("id"):
            case = api.get("cases", cases[0]["case_key"])
            show("\n" + "\n".join(explain_case(case, api.get("customers", case["customer_id"]))) + "\n")
            return
        time.sleep(_PAUSE)


def _settle(api: Api, stopped: Callable[[], bool]) -> bool:
    """Wait until nothing is in flight or pending; False when stopped before."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not stopped():
        total = api.get("stats")["total"]
        if not total["in_flight"] and not total["pending"]:
            return True
        if time.monotonic() > deadline:
            say(f"  still under way: {total}")
            return True
        time.sleep(_PAUSE)
    return False
