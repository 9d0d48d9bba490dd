"""What a CRM lacks is found, and can be set up."""

from __future__ import annotations

from dataclasses import replace

from caseline.crm import Note

from tests.kit.crms import RECORD, World
from tests.kit.scenes import SCHEMA, later, without_a_field


def _set_up(world: World) -> None:
    for step in world.adapter().plan(SCHEMA):
        if step.by == "api":
            world.adapter().apply(step)


def test_a_crm_that_is_set_up_has_nothing_wrong(world: World) -> None:
    _set_up(world)
    assert [finding for finding in world.adapter().check(SCHEMA) if finding.severity == "error"] == []
    assert [step for step in world.adapter().plan(SCHEMA) if step.by == "api"] == []


@without_a_field("case.case_key", "case.headline", "contact.health")
def test_what_is_missing_is_found_and_can_be_set_up(world: World, entity: str, key: str) -> None:
    _set_up(world)
    whole, severity = world.adapter().check(SCHEMA), "error" if key == "case_key" else "warning"
    world.drop_field(entity, key)
    found = [finding for finding in world.adapter().check(SCHEMA) if finding not in whole]
    assert found and all(finding.severity == severity and finding.name and finding.problem and finding.fix for finding in found)
    steps = world.adapter().plan(SCHEMA)
    assert steps and world.adapter().plan(SCHEMA) == steps, "planning changes nothing"
    assert [finding for finding in world.adapter().check(SCHEMA) if finding not in whole] == found
    assert all(step.name and step.what and step.by in ("api", "hand") and (step.by == "api" or step.how) for step in steps)
    if all(step.by == "api" for step in steps):
        for step in [*steps, *steps]:
            world.adapter().apply(step)
        assert world.adapter().check(SCHEMA) == whole and world.adapter().plan(SCHEMA) == []
        assert world.adapter().save_case(replace(RECORD, first=True)).created


@without_a_field("case.headline", "case.version", "case.band", "case.reasons", "case.outcome")
def test_a_case_is_saved_without_a_field_that_is_not_required(world: World, entity: str, key: str) -> None:
    saved = world.adapter().save_case(RECORD)
    world.drop_field(entity, key)
    crm = world.adapter()
    for _ in range(2):
        crm.save_case(later(saved, score=85, band="P2"))
    crm.save_case(replace(RECORD, case_key="cx-other", first=True, notes=(Note("n-1", "first words"),)))
    assert {case.case_key: case.score for case in world.cases()} == {RECORD.case_key: 85, "cx-other": 80}
    assert {case.case_key for case in crm.list_cases()[0]} == {RECORD.case_key, "cx-other"}
    crm.read_changes(crm.read_changes("")[1])
