"""What the contract suite of the CRMs has in common: a case and its next version, a customer, and everything an adapter can be asked to do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import CaseRecord, NewContact, Note, Profile, SavedCase, Step
from caseline.crm._schema import read_schema
from caseline.errors import CrmUnavailableError
from ruamel.yaml import YAML

from tests.kit.crms import ABILITIES, RECORD, StoredCase, World, kit_names, kits_that

SCHEMA = read_schema(YAML(typ="safe", pure=True).load(Path(__file__).parents[2].joinpath("infra/crm/schema.yaml").read_text()))
BEFORE = {"status": "open", "band": "P1", "queue": "senior-care", "owner": ""}
MANY = 205  # more than fit on a page of most CRMs
NASTY = (
    "o'brien",
    '"quoted"',
    "50%_off",
    "back\\slash\\",
    "') OR Name != ('",
    "*) ^active=true }",
    '=HYPERLINK("https://elsewhere.example";"{{user.email}} ${7*7} @{made.id} <b onclick=x>")',
    "Žofie Łukasiewicz 田中 😀",
    "line\nbreak\r\n\ttab\x00",
    "\ud83d lone",
    "x" * 32_000,
)
TYPED = [text for text in NASTY if text.isprintable() and len(text) < 255]  # what people can write in a CRM themselves
VALUES = {
    "sentiment": -0.65, "sentiment_trend": "falling", "last_nps": 2, "last_csat": 3.5, "last_ces": 6, "unanswered": 4, "channels": "email, x",
    "last_contact": "2026-11-21T09:30:00.000000Z", "health": 35,
}  # fmt: skip
OF_ACCOUNTS = {field.key for field in SCHEMA if field.entity == "account" and field.side == "ours"}
NEW = NewContact("contact", "cu-77", "Cleo Marsh", ("email:cleo@example.com", "x:777", "phone:+442079460077"), "x")


def where_it_can(ability: str) -> pytest.MarkDecorator:
    """The test is of the CRMs whose kits do not say why they lack it."""
    return pytest.mark.parametrize("world", kits_that(ability), indirect=True)


def without_a_field(*fields: str) -> pytest.MarkDecorator:
    """The test is of each of these fields (`<entity>.<key>`), in the CRMs that can be without it."""
    cases = [(name, *field.split(".")) for field in fields for name in kits_that(f"drop {field}")]
    return pytest.mark.parametrize(("world", "entity", "key"), cases, indirect=["world"])


def later(saved: SavedCase, version: int = 2, before: Mapping[str, str] = BEFORE, record: CaseRecord = RECORD, **changes: Any) -> CaseRecord:
    """The next version of a case that stands in the CRM."""
    return replace(record, version=version, crm_id=saved.crm_id, before=before, **changes)


def place(saved: SavedCase) -> tuple[str, str, str]:
    return saved.crm_id, saved.number, saved.url


def the_case(world: World, case_key: str = RECORD.case_key) -> StoredCase:
    [found] = [case for case in world.cases() if case.case_key == case_key]
    return found


def cost(world: World, act: Callable[[], Any]) -> int:
    """Calls."""
    before = world.calls()
    act()
    return world.calls() - before


def told(case: StoredCase, text: str) -> int:
    """How often a note's text stands at the case, in however many notes."""
    return sum(note.count(text) for note in case.notes)


def a_profile(world: World, **more: Any) -> Profile:
    account = world.add_account("Globex")
    return Profile(world.add_contact(account, "Ann", "ann@example.com"), account, {**VALUES, **more})


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and times as such, in whatever way a CRM keeps them."""
    return {name: plain_value(name, value) for name, value in values.items() if value not in (None, "")}


def plain_value(name: str, value: Any) -> Any:
    if name == "last_contact":
        return datetime.fromisoformat(str(value)).timestamp()
    return str(value) if name in ("sentiment_trend", "channels") else float(value)


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    gate, answers = threading.Barrier(len(calls)), {}

    def run(number: int, call: Callable[[], Any]) -> None:
        gate.wait()
        answers[number] = call()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(calls))]


NO_STEP = Step("", "", "hand")


@dataclass(frozen=True)
class Scene:
    """A CRM with a contact and a case, and an adapter that is logged in. `step` is what setting it up would do first."""

    world: Any
    crm: Any
    saved: SavedCase
    profile: Profile
    cursor: str
    step: Step


def scene_of(world: Any, impatient: bool = False, action: str = "") -> Scene:
    """Its adapter is impatient from now on, if asked for: what went before may take as long as it does. There is something to do for the action."""
    profile, crm = a_profile(world), world.adapter()
    saved = crm.save_case(RECORD)
    scene = Scene(world, crm, saved, profile, crm.read_changes("")[1], _first_step(world) if action == "apply" else NO_STEP)
    return replace(scene, crm=_logged_in(world.adapter(impatient=True))) if impatient else scene


def _first_step(world: Any) -> Step:
    world.drop_field("contact", "health")
    return next(step for step in world.adapter().plan(SCHEMA) if step.by == "api")


def _logged_in(crm: Any) -> Any:
    with suppress(CrmUnavailableError):  # then it logs in later
        crm.find_account(["email:nobody@example.com"])
    return crm


ACTIONS: dict[str, Callable[[Scene], Any]] = {
    "find": lambda scene: scene.crm.find_account(["email:ann@example.com"]),
    "save": lambda scene: scene.crm.save_case(replace(RECORD, case_key="cx-new", first=True, subject="About ann@example.com")),
    "repeat": lambda scene: scene.crm.save_case(replace(RECORD, version=2)),
    "update": lambda scene: scene.crm.save_case(later(scene.saved, score=85)),
    "route": lambda scene: scene.crm.save_case(later(scene.saved, band="P3", notes=(Note("n-1", "ann@example.com called"),))),
    "note": lambda scene: scene.crm.add_note(scene.saved.crm_id, "n-1", "ann@example.com called"),
    "profile": lambda scene: scene.crm.write_profile(scene.profile),
    "contact": lambda scene: scene.crm.create_contact(replace(NEW, identities=("email:ann@example.com.example",))),
    "changes": lambda scene: scene.crm.read_changes(scene.cursor),
    "list": lambda scene: scene.crm.list_cases(),
    "check": lambda scene: scene.crm.check(SCHEMA),
    "plan": lambda scene: scene.crm.plan(SCHEMA),
    "apply": lambda scene: scene.crm.apply(scene.step),
}
READING = ("find", "changes", "list", "check", "plan")


def doing(*actions: str) -> pytest.MarkDecorator:
    """The test is of each of these actions, of all if none is named, in each CRM that is reached over HTTP and can do it."""
    names = {action: kits_that(action) if action in ABILITIES else [name for name in kit_names() if name != "builtin"] for action in actions or ACTIONS}
    return pytest.mark.parametrize(("action", "remote"), [(action, name) for action, kits in names.items() for name in kits], indirect=["remote"])


# Of a simulator, what is no part of the CRM's records: what came in over the wire, and what is remembered of a request for an hour or two.
WIRE = ("calls", "faults", "keys", "_turn")


def stored_texts(world: World, word: str) -> list[str]:
    """Where in all that the CRM stores the word stands, by the way to it."""
    return [way for way, text in _texts(_stored(world), "", set()) if word.lower() in text.lower()]


def _stored(world: Any) -> Any:
    """What a simulator holds; what the real one shows that stands in for it; the rows of the CRM in Caseline's own table."""
    if world.simulator is None:
        return world.table.client.scan(TableName=world.table.name)
    if hasattr(world.simulator, "stored"):
        return world.simulator.stored()
    return {name: value for name, value in vars(world.simulator).items() if name not in WIRE}


def _texts(value: Any, way: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield way, value
    elif isinstance(value, bytes):
        yield way, value.decode("utf-8", "replace")
    elif id(value) not in seen:
        seen.add(id(value))
        inner = value if isinstance(value, Mapping) else dict(enumerate(value)) if isinstance(value, list | tuple | set) else getattr(value, "__dict__", {})
        for name, each in inner.items():
            yield from _texts(each, f"{way}.{name}", seen)
