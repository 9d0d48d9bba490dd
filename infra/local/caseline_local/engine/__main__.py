"""`python -m caseline_local.engine --home DIR --port N`: the product in the foreground, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from caseline_local.engine.product import ROOT, Product


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m caseline_local.engine", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".caseline"))
    parser.add_argument("--port", type=int, default=8787)
    parser.add_argument("--root", type=Path, default=ROOT, help="where template.yaml and functions/ are")
    options = parser.parse_args()
    started = time.monotonic()
    product = Product(options.home, options.port, lambda text: print(text, file=sys.stderr, flush=True), options.root)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, product.request_stop)
    product.start()
    print(f"ready at {product.url} after {time.monotonic() - started:.1f} s; console: {product.console_url}", flush=True)
    try:
        product.wait()
    finally:
        product.stop()


if __name__ == "__main__":
    main()
