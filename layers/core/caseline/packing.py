"""What of a row is only ever read and written as a whole stands in it as one compressed attribute: DynamoDB bills each write by the row's size."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from typing import Any

PACKED = "packed"


def pack(row: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The row with those of its attributes in one; they must be JSON. No expression can name them then."""
    chosen = {name: row[name] for name in sorted(names) if name in row}
    data = json.dumps(chosen, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return {**{name: value for name, value in row.items() if name not in chosen}, PACKED: zlib.compress(data, 9)}


def spread(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as it was before it was packed; what stands beside counts more. A row that is not packed is itself."""
    if PACKED not in row:
        return dict(row)
    packed = json.loads(zlib.decompress(bytes(row[PACKED])))
    return {**packed, **{name: value for name, value in row.items() if name != PACKED}}
