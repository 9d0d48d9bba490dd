"""CloudFormation's intrinsic functions, worked out over names that are known before anything exists."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{([^!][^}]*)\}")
_LITERAL = re.compile(r"\$\{!([^}]*)\}")


class Resolver:
    """`refer(logical_id)` and `attribute(logical_id, name)` answer for resources; `parameters` include the pseudo ones."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, Any], refer: Callable[[str], Any], attribute: Callable[[str, str], Any]) -> None:
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._parameters, self._refer, self._attribute = parameters, refer, attribute

    def resolve(self, value: Any) -> Any:
        """`value` without intrinsics; what refers to AWS::NoValue is left out of its list or object."""
        resolved = self._resolve(value)
        return None if resolved is _NO_VALUE else resolved

    def holds(self, condition: str | None) -> bool:
        """Whether a named condition is true; no condition is."""
        return condition is None or bool(self._resolve(self._conditions[condition]))

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument)
        resolved = {name: self._resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        return self._parameters[name] if name in self._parameters else self._refer(name)

    def _get_att(self, argument: Any) -> Any:
        logical_id, name = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._attribute(logical_id, name)

    def _sub(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self._resolve(value) for name, value in own.items()}

        def fill(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in values:
                return str(values[name])
            return str(self._get_att(name) if "." in name else self._ref(name))

        return _LITERAL.sub(r"${\1}", _PLACEHOLDER.sub(fill, text))

    def _join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(str(part) for part in self._resolve(parts))

    def _select(self, argument: Any) -> Any:
        index, choices = argument
        return self._resolve(choices)[int(self._resolve(index))]

    def _split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self._resolve(text)).split(separator)

    def _if(self, argument: Any) -> Any:
        condition, then, otherwise = argument
        return self._resolve(then if self.holds(condition) else otherwise)

    def _equals(self, argument: Any) -> bool:
        left, right = self._resolve(argument)
        return str(left) == str(right)

    def _find_in_map(self, argument: Any) -> Any:
        found: Any = self._mappings
        for name in self._resolve(argument[:3]):
            found = found[name]
        return self._resolve(found)


_FUNCTIONS: Mapping[str, Callable[[Resolver, Any], Any]] = {
    "Ref": Resolver._ref,
    "Fn::GetAtt": Resolver._get_att,
    "Fn::Sub": Resolver._sub,
    "Fn::Join": Resolver._join,
    "Fn::Select": Resolver._select,
    "Fn::Split": Resolver._split,
    "Fn::If": Resolver._if,
    "Fn::Equals": Resolver._equals,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::Base64": lambda self, argument: base64.b64encode(str(self._resolve(argument)).encode()).decode(),
    "Fn::Not": lambda self, argument: not self._resolve(argument[0]),
    "Fn::And": lambda self, argument: all(self._resolve(item) for item in argument),
    "Fn::Or": lambda self, argument: any(self._resolve(item) for item in argument),
    "Condition": lambda self, argument: self.holds(argument) if isinstance(argument, str) else {"Condition": self._resolve(argument)},
}
