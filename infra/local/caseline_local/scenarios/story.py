"""A story as it stands in its file: who the people are, what the CRM knows of them, what happens when, and what must come of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from caseline.config_text import read_yaml
from caseline.crm._builtin_csv import HEADER
from caseline.signals import parse_time

from caseline_local.scenarios.moments import fill_moments, read_offset
from caseline_local.scenarios.shapes import fill_shape

FOLDER = Path(__file__).resolve().parents[4] / "events" / "scenarios"
STAGE_FILE = FOLDER / "stage.yaml"
_BESIDE = frozenset("at say id expect explain".split())
_RAW = ("json", "form", "body")
_NAMESPACES = ("x", "facebook", "messenger", "email", "phone", "webhook")
_PLAIN = {"currency": "EUR", "contract_status": "active", "lifecycle_stage": "customer", "product_tier": "standard"}
_TRIAL = {"contract_status": "trial", "lifecycle_stage": "trial", "product_tier": "free"}
Row = dict[str, Any]


class StoryError(Exception):
    """The file does not tell a story; the text says where and why."""


@dataclass(frozen=True)
class Step:
    """`verb` is what happens, a shape's name or one of the player's; `at` is how long after the start."""

    number: int
    at: timedelta
    verb: str
    said: Any
    say: str = ""
    label: str = ""
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """`config` is a whole configuration, `policy` what differs from the shipped one; `expect` is what stands at the end."""

    name: str
    title: str
    shows: str
    start: datetime
    config: Mapping[str, Any]
    policy: Mapping[str, Any]
    people: Mapping[str, Mapping[str, Any]]
    accounts: Sequence[Row]
    shapes: Mapping[str, Any]
    steps: Sequence[Step]
    expect: Mapping[str, Any]

    def request_of(self, step: Step, verb: str, said: Mapping[str, Any], moment: datetime) -> Row:
        """`{channel, source?, json|form|body}` of a step that says something over a channel."""
        if verb == "request":
            return dict(fill_moments(dict(said), moment))
        person = self.people.get(str(said.get("from") or said.get("to") or ""), {})
        native = {"id": f"{step.number:02d}0{sum(map(ord, self.name)):05d}"}
        try:
            return dict(fill_moments(fill_shape(self.shapes[verb], {**native, **person, **said}), moment))
        except KeyError as error:
            raise StoryError(f"{self.name}: step {step.number} ({verb}) does not say {error}") from None

    def identity_of(self, who: str) -> str:
        """A person of the story by one of their identities; an identity as it is."""
        if ":" in who:
            return who
        try:
            person = self.people[who]
        except KeyError:
            raise StoryError(f"{self.name}: nobody is called {who}; write a person of `people`, or an identity") from None
        return next(f"{_namespace(name)}:{person[name]}" for name in _NAMESPACES if name in person)

    def rows_of(self, accounts: Sequence[Mapping[str, Any]], moment: datetime) -> list[Row]:
        """Rows of the built-in CRM's file."""
        return [fill_moments(self._row(number, account), moment) for number, account in enumerate(accounts, 1)]

    def _row(self, number: int, account: Mapping[str, Any]) -> Row:
        if "account_id" in account:
            return dict(account)
        person = self.people[account["person"]]
        known = {name: str(person[name]) for name in _NAMESPACES if name in person and name in account.get("knows", _NAMESPACES)}
        handles = ";".join(f"{_namespace(name)}:{value}" for name, value in known.items() if name not in ("email", "phone"))
        usual = _PLAIN | (_TRIAL if account["tier"] == "trial" else {})
        facts = {name: value for name, value in account.items() if name not in ("person", "knows", "name")}
        contact = {"contact_id": f"C-{account['person']}", "contact_name": person["name"], "email": known.get("email", ""), "phone": known.get("phone", "")}
        firm = account.get("name", f"Firm {number}")
        return {"account_id": f"A-{firm.lower().replace(' ', '-')}", "account_name": firm, **usual, **contact, "handles": handles, **facts}


def list_stories() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.yaml") if "\nsteps:" in file.read_text(encoding="utf-8"))


def load_story(name: str, folder: Path = FOLDER) -> Story:
    """StoryError, or ConfigError with line and column."""
    file = folder / f"{name}.yaml"
    if not file.is_file():
        raise StoryError(f"there is no story {name}; `caseline scenario list` lists them")
    told, stage = read_yaml(file.read_text(encoding="utf-8"), file.name), read_yaml(STAGE_FILE.read_text(encoding="utf-8"), STAGE_FILE.name)
    start = parse_time(str(told.get("start") or stage["start"]))
    steps = list(_read_steps(name, told["steps"]))
    return Story(
        name, told.get("story", name), told.get("shows", ""), start, _join(stage["config"], told.get("config") or {}), told.get("policy") or {},
        told.get("people") or {}, told.get("accounts") or (), stage["shapes"], steps, told.get("expect") or {},
    )  # fmt: skip


def accounts_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read_verb(told: Mapping[str, Any], where: str) -> tuple[str, Any]:
    """What happens in a step: its one key beside when and what is said of it. A request may stand for itself."""
    if "channel" in told:
        return "request", {name: value for name, value in told.items() if name in ("channel", "source", "headers", *_RAW)}
    verbs = [name for name in told if name not in _BESIDE]
    if len(verbs) > 1:
        raise StoryError(f"{where}: one thing happens in a step, not {', '.join(verbs)}")
    return (verbs[0], told[verbs[0]]) if verbs else ("wait", None)


def _read_steps(name: str, told: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    at = timedelta()
    for number, each in enumerate(told, 1):
        where = f"{name}: step {number}"
        try:
            at = read_offset(str(each["at"])) if "at" in each else at
        except ValueError as error:
            raise StoryError(f"{where}: {error}") from None
        verb, said = read_verb(each, where)
        yield Step(number, at, verb, said, str(each.get("say", "")), str(each.get("id", "")), each.get("expect") or {})


def _join(common: Any, own: Any) -> Any:
    """The story's own settings over the common ones; its sources are further ones."""
    if isinstance(common, dict) and isinstance(own, dict):
        return common | {name: _join(common[name], value) if name in common else value for name, value in own.items()}
    return [*common, *own] if isinstance(common, list) and isinstance(own, list) else own


def _namespace(name: str) -> str:
    return "standard_webhooks" if name == "webhook" else name
