"""Where a tenant's models stand: objects of the stack's bucket, `models/<hash>.bin`, and `models/current.json` that says which one counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from caseline.assessment.learned import Learned, read_learned
from caseline.errors import UnfitModelError

MOST_PACKED = 30_000_000  # bytes
FOLDER = "models/"
POINTER = f"{FOLDER}current.json"

Report = dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """Where models are kept: `read(key)` gives None for what is not there."""

    read: Callable[[str], bytes | None]
    write: Callable[[str, bytes], None]

    def pointer(self) -> Report:
        """`{current, earlier, last}`: the entry of the model that counts (None: the shipped one), those before it, and the last training's report."""
        found = self.read(POINTER)
        try:
            pointer = json.loads(found) if found else {"current": None, "earlier": [], "last": None}
            return {"current": pointer["current"], "earlier": list(pointer["earlier"]), "last": pointer["last"]}
        except (ValueError, KeyError, TypeError) as error:
            raise UnfitModelError(f"{POINTER} is not what training wrote") from error

    def current(self, known: Learned | None = None) -> Learned | None:
        """The model that counts, None for the shipped one; `known` itself where it still is that one.

        Raises UnfitModelError where the object is gone, is not the one that was installed, or may not judge here.
        """
        entry = self.pointer()["current"]
        if entry is None or (known and known.digest == entry.get("sha256")):
            return known if entry else None
        key, digest = str(entry.get("key")), entry.get("sha256")
        packed = self.read(key) if key.startswith(FOLDER) else None
        if packed is None:
            raise UnfitModelError(f"there is no model {key!r}")
        if len(packed) > MOST_PACKED or sha256(packed).hexdigest() != digest:
            raise UnfitModelError(f"{key} is not the model that was installed: its SHA-256 is another")
        return read_learned(packed)

    def point(self, pointer: Mapping[str, Any]) -> None:
        self.write(POINTER, json.dumps(pointer, sort_keys=True).encode())
