"""The kits of the CRMs are whole, and say rightly what their CRMs lack: what the contract then does not ask of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from caseline.crm import NOTES_STAND, crm_names

from tests.kit.crms import ABILITIES, RECORD, VARIANTS, World, kit_names, open_world, why_not
from tests.kit.saving import quick
from tests.kit.scenes import SCHEMA, cost


def test_each_crm_has_a_kit() -> None:
    assert sorted(set(kit_names()) - set(VARIANTS)) == crm_names() and set(VARIANTS) < set(kit_names())


@pytest.mark.parametrize("name", kit_names())
def test_a_kit_lacks_what_it_says_and_nothing_else(name: str) -> None:
    with open_world(name) as world:
        contact = world.add_contact(account := world.add_account("Globex"), "Ann", "ann@example.com")
        crm_id, into = (quick(world).save_case(replace(RECORD, case_key=case_key)).crm_id for case_key in ("cx-1", "cx-2"))
        ids = {"contact": contact, "account": account}
        lacking = {ability for ability in ABILITIES if not _is_able(lambda ability=ability: _do(world, ability, ids, crm_id, into))}
    assert lacking == {ability for ability in ABILITIES if why_not(name, ability)}
    lacks = getattr(import_module(f"tests.kit.crms.{name}"), "LACKS", {})
    assert set(lacks) <= {*ABILITIES, "drop", "webhook"} and all(lacks.values())


def _do(world: World, ability: str, ids: dict[str, str], crm_id: str, into: str) -> Any:
    act, _, what = ability.partition(" ")
    return {
        "take": lambda: NOTES_STAND not in quick(world).erase_notes(crm_id),
        "webhook": lambda: world.webhook(what, ids.get(what, crm_id)) is not None,
        "lock": lambda: world.lock_case(into),
        "merge": lambda: world.merge_case(crm_id, into),
        "parts": lambda: world.simulator is not None and world.simulator.fail_part(0),
        "drop": lambda: world.drop_field(*what.split(".")),
        "plan": lambda: world.simulator is not None and cost(world, lambda: world.adapter().plan(SCHEMA)) > 0,
        "apply": lambda: any(step.by == "api" for step in world.adapter().plan(SCHEMA)),
    }[act]()


def _is_able(act: Callable[[], Any]) -> bool:
    try:
        return act() is not False
    except NotImplementedError:
        return False
