"""Requests by their shape: what a platform sends, with `$name` in the place of what a story says.

`$text` must be said, `$lang?` leaves its key out where nothing is said, `$followers=240` says what stands otherwise, `${id}` stands inside other text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WHOLE = re.compile(r"\$(\w+)(\?|=(.*))?", re.DOTALL)
_INSIDE = re.compile(r"\$\{(\w+)\}")
_LEFT_OUT = object()


def fill_shape(shape: Any, said: Mapping[str, Any]) -> Any:
    """KeyError names what is not said and must be."""
    if isinstance(shape, dict):
        members = {name: fill_shape(member, said) for name, member in shape.items()}
        return {name: member for name, member in members.items() if member is not _LEFT_OUT}
    if isinstance(shape, list):
        return [member for member in (fill_shape(each, said) for each in shape) if member is not _LEFT_OUT]
    return _fill_text(shape, said) if isinstance(shape, str) else shape


def _fill_text(text: str, said: Mapping[str, Any]) -> Any:
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return _INSIDE.sub(lambda found: str(said[found[1]]), text)
    name, more, default = whole.groups()
    if name in said:
        return said[name]
    if more is None:
        raise KeyError(name)
    return _LEFT_OUT if more == "?" else int(default) if default.lstrip("-").isdigit() else default
