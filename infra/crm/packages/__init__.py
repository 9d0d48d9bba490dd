"""What CRM admins install, made out of infra/crm/schema.yaml: `python -m infra.crm.packages` writes it, `--check` only says what differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from caseline.crm._schema import SchemaField, read_schema
from ruamel.yaml import YAML

from infra.crm.packages import dynamics, salesforce

ROOT = Path(__file__).resolve().parents[1]
# Folders that hold nothing but what is made here.
MADE = ("salesforce/force-app", "salesforce/manifest", "dynamics/solution")


def load_schema(root: Path = ROOT, part: str = "fields") -> list[SchemaField]:
    return read_schema(YAML(typ="safe", pure=True).load((root / "schema.yaml").read_text()), part)


def render(schema: list[SchemaField], history: list[SchemaField]) -> dict[str, str]:
    """Each file's text by its path below infra/crm."""
    return {
        **{f"salesforce/{path}": text for path, text in salesforce.render(schema, history).items()},
        **{f"dynamics/solution/{path}": text for path, text in dynamics.render(schema).items()},
    }


def drift(root: Path = ROOT) -> dict[str, str | None]:
    """What is to be written, and None for what is to go."""
    wanted, found = render(load_schema(root), load_schema(root, "history")), dict(_files(root))
    return {**{path: None for path in found if path not in wanted}, **{path: text for path, text in wanted.items() if found.get(path) != text}}


def write(root: Path = ROOT) -> list[str]:
    changes = drift(root)
    for path, text in changes.items():
        if text is None:
            (root / path).unlink()
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return sorted(changes)


def _files(root: Path) -> Iterator[tuple[str, str]]:
    for folder in MADE:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(root)), path.read_text()
