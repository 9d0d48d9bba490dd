"""The running product for the benchmark: prints where it is as one line of JSON, runs until its input ends. `product_process.py HOME`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from caseline_local.engine.product import Product


def main() -> None:
    product = Product(Path(sys.argv[1]), 0)
    product.home.prepare()
    with product.home.config_file.open("a") as config:
        config.write("policy: policy.yaml\n")
    (product.home.path / "policy.yaml").write_text("version: 1\nstorms: {active: false}\n")  # all who complain use the same words
    product.start()
    secrets = json.loads(product.home.secrets_file.read_text())
    facts = {
        "url": product.url, "token": product.home.token, "secret": secrets["standard_webhooks/default"][0], "logs": str(product.home.logs),
        "endpoint": product.cloud.endpoint, "table": product.stack.name("Table"),
    }  # fmt: skip
    print(json.dumps(facts), flush=True)
    try:
        sys.stdin.read()
    finally:
        product.stop()


if __name__ == "__main__":
    main()
