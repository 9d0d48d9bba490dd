"""A source: one configured connection of a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """`secrets` are newest first; `own_ids` are identities of the brand, its staff and agencies."""

    name: str
    brand: str
    own_ids: Sequence[str] = ()
    secrets: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    trust: str = ""

    def owns(self, namespace: str, native_id: str | None) -> bool:
        """Whether an id of this channel's namespace is the brand's own; a bare own id means this namespace. Handles (`@name`) have no case."""
        if not native_id:
            return False
        if native_id.startswith("@"):
            return bool({native_id.casefold(), f"{namespace}:{native_id}".casefold()} & {own.casefold() for own in self.own_ids})
        return native_id in self.own_ids or f"{namespace}:{native_id}" in self.own_ids

    @property
    def region(self) -> str:
        """Setting `region`: the country (two letters) whose people write phone numbers to this source without its code; empty for none."""
        return str(self.settings.get("region") or "")
