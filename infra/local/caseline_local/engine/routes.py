"""The REST API's routes, read from the body SAM makes of the template, matched as API Gateway matches them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline_local.engine.resources import Stack

_ANY = "x-amazon-apigateway-any-method"
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", _ANY}
_FUNCTION = re.compile(r":function:([^:/]+)")


@dataclass(frozen=True)
class Route:
    """`path` is the resource path as declared; `guarded` tells whether an authoriser stands before it."""

    path: str
    method: str
    function: str
    guarded: bool


@dataclass(frozen=True)
class Match:
    route: Route
    parameters: Mapping[str, str]


class Routes:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._patterns = [(_compile(route.path), route) for route in sorted(routes, key=_precedence)]

    def match(self, method: str, path: str) -> Match | None:
        """The route of a request: static segments before parameters, parameters before greedy ones, a method before ANY."""
        trimmed = path.rstrip("/") or "/"
        for pattern, route in self._patterns:
            found = pattern.fullmatch(trimmed) if route.method in (method.lower(), _ANY) else None
            if found:
                return Match(route, {_name(index, route.path): value for index, value in enumerate(found.groups())})
        return None


def read_routes(stack: Stack) -> list[Route]:
    """Every route of every REST API in the stack that invokes a function."""
    bodies = [resource.properties.get("Body") or {} for resource in stack.of_kind("AWS::ApiGateway::RestApi")]
    return [route for body in bodies for path, item in body.get("paths", {}).items() for route in _read_path(path, item or {}, body)]


def _read_path(path: str, item: Mapping[str, Any], body: Mapping[str, Any]) -> list[Route]:
    routes = []
    for method, operation in item.items():
        found = _FUNCTION.search(str((operation or {}).get("x-amazon-apigateway-integration", {}).get("uri", "")))
        if method.lower() in _METHODS and found:
            routes.append(Route(path, method.lower(), found[1], _is_guarded(operation, body)))
    return routes


def _is_guarded(operation: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """SAM names an opened route's security `NONE`."""
    security = operation.get("security", body.get("security")) or []
    return any(name != "NONE" for requirement in security for name in requirement)


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _precedence(route: Route) -> tuple[list[int], bool]:
    kinds = [2 if segment.endswith("+}") else int(segment.startswith("{")) for segment in _segments(route.path)]
    return kinds, route.method == _ANY


def _compile(path: str) -> re.Pattern[str]:
    parts = ["(.+)" if segment.endswith("+}") else "([^/]+)" if segment.startswith("{") else re.escape(segment) for segment in _segments(path)]
    return re.compile("/" + "/".join(parts))


def _name(index: int, path: str) -> str:
    return [segment.strip("{}+") for segment in _segments(path) if segment.startswith("{")][index]
