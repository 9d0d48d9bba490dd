"""`python -m infra.crm.packages`: write the packages; with `--check` say what differs, and fail if anything does."""

from __future__ import annotations

import sys

from infra.crm.packages import drift, write


def main(arguments: list[str]) -> int:
    changed = sorted(drift()) if "--check" in arguments else write()
    for path in changed:
        print(f"infra/crm/{path}")
    return int("--check" in arguments and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
