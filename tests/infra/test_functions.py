"""Template and code say the same: routes, environment, layers, versions."""

from __future__ import annotations

import importlib.util
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.infra.deployment import CONSOLE, ROOT, deploy, source, target
from tests.infra.imports import Reach

FULL = deploy(**CONSOLE)
FUNCTIONS = sorted(FULL.functions())
EVERYWHERE = set(source()["Globals"]["Function"]["Environment"]["Variables"])
OF_THE_RUNTIME = {"boto3", "botocore"}
NEVER_START_A_RUN = {"look_up_account", "prioritise_case"}  # they take and hand back what another has started


def requirements(file: Path) -> dict[str, str]:
    """Pinned version by name, in PyPI's spelling."""
    pins = (line.split("==") for line in file.read_text().splitlines() if "==" in line)
    return {spelt(name): version for name, version in pins}


def spelt(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


LAYERS = {file.parent.name: requirements(file) for file in (ROOT / "layers").glob("*/requirements.txt")}


def attached(function: str) -> set[str]:
    """The folders under layers/ that a function gets."""
    layers = [FULL.resources[target(layer)]["Properties"] for layer in FULL.functions()[function]["Layers"]]
    return {Path(layer["Content"]["S3Key"]).name for layer in layers}


def test_every_function_is_deployed_and_every_deployed_one_is_there() -> None:
    assert sorted(app.parent.name for app in (ROOT / "functions").glob("*/app.py")) == FUNCTIONS


def test_the_door_and_the_template_have_the_same_routes() -> None:
    spec = importlib.util.spec_from_file_location("receive_webhook_app", ROOT / "functions/receive_webhook/app.py")
    assert spec and spec.loader
    door = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(door)
    routed = {(path, method) for path, methods in door.app.routes.items() for method in methods}
    assert routed == {(path, method) for path, method, _ in deploy().routes()}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_gets_the_environment_it_reads(function: str) -> None:
    read = Reach(function).environment - ({"STATE_MACHINE_ARN"} if function in NEVER_START_A_RUN else set())
    assert set(FULL.environment(function)) - EVERYWHERE == read


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_gets_the_layers_it_imports(function: str) -> None:
    needed = packages_of(Reach(function)) - provided({"core"})
    layers = attached(function) - {"core"}
    assert "core" in attached(function)
    assert needed <= provided(layers)
    assert not [layer for layer in layers if needed <= provided(layers - {layer})], "a layer that nothing asks for"


def packages_of(reach: Reach) -> set[str]:
    """The distributions of what a function imports, but for what every Lambda has."""
    known = packages_distributions()
    return {spelt(known[name][0]) for name in reach.third_party - OF_THE_RUNTIME}


def provided(layers: set[str]) -> set[str]:
    return {name for layer in layers for name in LAYERS[layer]}


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_layers_have_the_versions_that_were_tested(layer: str) -> None:
    tested = requirements(ROOT / "requirements.lock")
    assert LAYERS[layer] == {name: tested[name] for name in LAYERS[layer]}


def test_nothing_secret_or_fixed_in_the_environment() -> None:
    for function in FUNCTIONS:
        for name, value in FULL.environment(function).items():
            assert name in EVERYWHERE or isinstance(value, dict), f"{function}: {name} is the same in every stack"
            assert "{{resolve:" not in str(value)
