"""The receive handler against a bare send, each in fresh processes; the least process CPU of several counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure

ROOT = Path(__file__).parents[2]
TIMES = 9


def measure() -> Iterator[Figure]:
    floor, door, warm = {}, {}, {}
    for _ in range(TIMES):  # in turns, so that a busy moment of the machine is nobody's own
        floor, door, warm = _least(floor, _run("import-floor")), _least(door, _run("import-door")), _least(warm, _run("warm"))
    yield Figure("accepted request, warm", warm["accepted"], 1.25, "ms CPU", warm["send"], note="floor: bare SQS send")
    yield Figure("forged request, warm", warm["forged"], 0.2, "ms CPU")
    yield Figure("forged request, AWS calls", warm["forged_calls"], 0)
    yield Figure("import of the handler", door["import"], 0.40, "ms CPU", floor["import"], note="floor: import boto3, SQS client")
    yield Figure("import and first accepted request", door["first"], 1.30, "ms CPU", floor["first"], note="floor: the same and a bare first send")


def _run(what: str) -> dict[str, float]:
    path = os.pathsep.join(str(ROOT / part) for part in ("layers/core", "."))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run([sys.executable, "-m", "tests.bench.door_process", what], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def _least(old: dict[str, float], new: dict[str, float]) -> dict[str, float]:
    return {name: min(value, old.get(name, value)) for name, value in new.items()}
