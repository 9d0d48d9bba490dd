"""Which way imports may point: functions to the core; adapters to the core's types; the core to no adapter, no AWS client, no environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.infra.deployment import ROOT
from tests.infra.imports import Import, imports, is_wiring, modules, parse

ADAPTERS = ("caseline.channels", "caseline.crm", "caseline.assessment")
ROOTS_OF_COMPOSITION = {name for name in modules() if is_wiring(name)}
CLIENTS = {"boto3", "botocore"}
ANALYSERS = {"comprehend", "embedded"}
KNOWS_DYNAMODB = {"caseline.table", "caseline.images"}  # its errors and its values, as ours; the client is handed in


def adapter_of(module: str) -> str:
    """caseline.channels.x for anything in that adapter; empty for the core, and for helpers that a package shares among its adapters."""
    package = next((package for package in ADAPTERS if module.startswith(f"{package}.")), "")
    name = module.removeprefix(f"{package}.").partition(".")[0]
    return f"{package}.{name}" if package and _is_adapter(package, name) else ""


def _is_adapter(package: str, name: str) -> bool:
    return name in ANALYSERS if package == "caseline.assessment" else not name.startswith("_")


def found(module: str) -> list[Import]:
    return list(imports(parse(modules()[module])))


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_core_names_no_adapter(module: str) -> None:
    named = {adapter_of(each.module) for each in found(module)} - {"", adapter_of(module)}
    if module.startswith("caseline.assessment."):
        named -= {"caseline.assessment.embedded"}  # its model also tells languages, which every analyser needs
    assert not named


@pytest.mark.parametrize("module", sorted(set(modules()) - ROOTS_OF_COMPOSITION))
def test_aws_clients_are_handed_in(module: str) -> None:
    made = {each.module for each in found(module) if each.module.partition(".")[0] in CLIENTS and not each.module.endswith(".exceptions")}
    assert not made or module in KNOWS_DYNAMODB


@pytest.mark.parametrize("module", sorted(set(modules()) - ROOTS_OF_COMPOSITION))
def test_the_environment_is_read_in_one_place(module: str) -> None:
    asked = {node.attr for node in ast.walk(parse(modules()[module])) if isinstance(node, ast.Attribute)} & {"environ", "getenv"}
    assert not asked


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_core_knows_no_function_and_no_local_runtime(module: str) -> None:
    assert not [each.module for each in found(module) if each.module.partition(".")[0] in ("functions", "caseline_local", "tests")]


@pytest.mark.parametrize("app", sorted((ROOT / "functions").glob("*/*.py")), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_functions_import_the_core_and_not_each_other(app: Path) -> None:
    own = {file.stem for file in app.parent.glob("*.py")}
    named = {each.module.partition(".")[0] for each in imports(parse(app))}
    others = {folder.name for folder in (ROOT / "functions").iterdir()} | {"app", "caseline_local", "tests"}
    assert not named & others - own
    assert not {adapter_of(each.module) for each in imports(parse(app))} - {""}
