"""`python -m tests.bench [part ...] [--full]`: measures and prints one table; exits with 1 if a figure was missed. `--full`: no part is shortened."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("calls", "door", "channels", "sizes", "units", "history", "saving", "crms", "storms", "running")
SHORTENED = {"saving"}  # otherwise fewer runs than are asked for


def main(parts: Iterable[str], full: bool = False) -> int:
    sys.path[:0] = [str(ROOT / part) for part in ("layers/core", "infra/local", ".") if str(ROOT / part) not in sys.path]
    from tests.bench.figures import describe_machine, render

    before, figures = describe_machine(), []
    for part in parts:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        measure = importlib.import_module(f"tests.bench.{part}").measure
        figures += measure(full) if part in SHORTENED else measure()
    print(render(figures))
    print(f"machine: {before} at the start, {describe_machine()} at the end")
    return int(not all(figure.ok for figure in figures))


if __name__ == "__main__":
    named = [part for part in sys.argv[1:] if part != "--full"]
    sys.exit(main(named or PARTS, "--full" in sys.argv))
