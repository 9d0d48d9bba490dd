"""Text of a configuration file: plain values, and where in the text something stands, so that errors can say line and column."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from caseline.errors import ConfigError

Location = Sequence[int | str]
_DATE = re.compile(r"\d{4}-\d")


def read_yaml(text: str, name: str) -> Any:
    """Plain values of a YAML (or JSON) text. Raises ConfigError with line and column."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = next(iter((error.problem or error.context or "").splitlines()), "this is not YAML")
        raise ConfigError(f"{name}:{line}:{column}: {what}; write valid YAML or JSON here") from None
    except ValueError as error:  # of the only values that YAML itself reads and refuses
        raise ConfigError(f"{name}:{_find_odd_date(text)}: {error}; write a date as 2026-11-21, or put other words between quotation marks") from None
    except YAMLError as error:
        raise ConfigError(f"{name}:1:1: {next(iter(str(error).splitlines()), 'this is not YAML')}; write valid YAML or JSON") from None


def find_position(text: str, path: Location) -> tuple[int, int]:
    """Line and column (from 1) of what is at `path` in a YAML text; of the nearest thing above it where it is missing."""
    node: Node | None = YAML(pure=True).compose(text)
    mark = node.start_mark if node else None
    for part in path:
        mark, node = _step(node, part) or (mark, None)
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def report_problems(problems: Sequence[tuple[Location, str]], text: str, name: str) -> str:
    """One line for each problem: `name:LINE:COLUMN: path: what is wrong and what to write`."""
    return "\n".join("{}:{}:{}: {}{}".format(name, *find_position(text, path), _dotted(path), problem) for path, problem in problems)


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence on a word that is not known."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; write one of {', '.join(names)}"


def _find_odd_date(text: str) -> str:
    """`LINE:COLUMN` of the first value that looks like a date and is none."""
    for event in YAML(pure=True).parse(text):
        if isinstance(event, ScalarEvent) and event.style is None and _DATE.match(event.value):
            try:
                YAML(typ="safe", pure=True).load(event.value)
            except ValueError:
                return f"{event.start_mark.line + 1}:{event.start_mark.column + 1}"
    return "1:1"


def _dotted(path: Location) -> str:
    return ".".join(map(str, path)) + ": " if path else ""


def _step(node: Node | None, part: int | str) -> tuple[Any, Node] | None:
    """Where a key (or an item) starts, and the node of its value."""
    if isinstance(node, MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None
