"""`python -m tests.bench [part ...]`: measures and prints one table; exits with 1 if a figure was missed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("calls", "door", "channels", "sizes", "units", "history", "saving", "storms", "running")


def main(parts: Iterable[str]) -> int:
    sys.path[:0] = [str(ROOT / part) for part in ("layers/core", "infra/local", ".") if str(ROOT / part) not in sys.path]
    from tests.bench.figures import describe_machine, render

    before, figures = describe_machine(), []
    for part in parts:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        figures += importlib.import_module(f"tests.bench.{part}").measure()
    print(render(figures))
    print(f"machine: {before} at the start, {describe_machine()} at the end")
    return int(not all(figure.ok for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))
