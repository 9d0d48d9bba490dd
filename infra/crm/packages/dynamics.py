"""The Dataverse solution, unpacked."""

from __future__ import annotations

from collections.abc import Sequence

from caseline.crm._schema import SchemaField


def render(schema: Sequence[SchemaField]) -> dict[str, str]:
    return {}
