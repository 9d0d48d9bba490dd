"""Unzipped size of each function with its layers, from `.aws-sam/build` if `make build` was run, else from layers built for this by their Makefiles."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure
from tests.infra.deployment import source

ROOT = Path(__file__).parents[2]
MOST = 250.0  # MB unzipped: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MB = 1_000_000


def measure() -> Iterator[Figure]:
    resources = source()["Resources"]
    with tempfile.TemporaryDirectory() as folder:
        layers = {name: _layer_size(name, Path(folder)) for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::LayerVersion"}
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            names = [layer["Ref"] for layer in properties["Layers"]]
            size = _size(ROOT / properties["CodeUri"]) + sum(layers[name] for name in names)
            note = ", ".join(f"{name} {layers[name] / MB:.1f}" for name in names)
            yield Figure(f"unzipped, {Path(properties['CodeUri']).name}", size / MB, MOST, "MB", note=note)


def _layer_size(name: str, folder: Path) -> int:
    built = ROOT / ".aws-sam/build" / name
    if built.exists():
        return _size(built)
    path = ROOT / source()["Resources"][name]["Properties"]["ContentUri"]
    subprocess.run(["make", "--silent", "-C", str(path), f"build-{name}", f"ARTIFACTS_DIR={folder / name}"], check=True, capture_output=True)
    return _size(folder / name)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
