"""A simulator of an in-house CRM, "Backoffice", and the mapping that Caseline speaks with it by (`mapping.yaml`)."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.kit.rest.server import API_KEY, CLIENT_ID, CLIENT_SECRET, ME, PASSWORD, TOKEN, Backoffice, by_status

PLACE = Path(__file__).with_name("mapping.yaml")

__all__ = ["API_KEY", "CLIENT_ID", "CLIENT_SECRET", "ME", "PASSWORD", "PLACE", "TOKEN", "Backoffice", "by_status", "mapping"]


def mapping() -> dict[str, Any]:
    """A fresh one, to be changed at will."""
    return deepcopy(_mapping())


@cache
def _mapping() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(PLACE.read_text())
    return found
