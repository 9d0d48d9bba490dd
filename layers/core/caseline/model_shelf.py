"""Where a tenant's models stand: objects of the stack's bucket, `models/<hash>.bin`, and `models/current.json` that says which one counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from caseline.assessment.learned import Learned, read_learned

POINTER = "models/current.json"

Report = dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """Where models are kept: `read(key)` gives None for what is not there."""

    read: Callable[[str], bytes | None]
    write: Callable[[str, bytes], None]

    def pointer(self) -> Report:
        """`{current, earlier, last}`: the entry of the model that counts (None: the shipped one), those before it, and the last training's report."""
        found = self.read(POINTER)
        pointer: Report = json.loads(found) if found else {"current": None, "earlier": [], "last": None}
        return pointer

    def current(self, known: Learned | None = None) -> Learned | None:
        """The model that counts, None for the shipped one; `known` itself where it still is that one."""
        entry = self.pointer()["current"]
        if known and entry and entry["version"] == known.version:
            return known
        packed = self.read(entry["key"]) if entry else None
        return read_learned(packed) if packed else None

    def point(self, pointer: Mapping[str, Any]) -> None:
        self.write(POINTER, json.dumps(pointer, sort_keys=True).encode())
