"""What a function really uses: the modules it can reach, and what its wiring asks of the environment. Read from the source, nothing is run.

`caseline.wiring` holds every part of the product, so of it only the members that a function uses count, and what those use.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.infra.deployment import ROOT

CORE = ROOT / "layers/core"
WIRING = "caseline.wiring"
# A factory opens adapters by name: whoever calls it may get any module of its package.
FACTORIES = {"open_channel": "caseline.channels", "open_crm": "caseline.crm", "open_analyser": "caseline.assessment"}


@dataclass(frozen=True)
class Import:
    module: str
    deferred: bool  # inside a function, or for the type checker alone


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    return {dotted(file): file for file in (CORE / "caseline").rglob("*.py")}


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST, deferred: bool = False) -> Iterator[Import]:
    """The modules a tree names in import statements; what is for the type checker alone is left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (Import(name, deferred) for name in _named(node))
        elif not _for_types(node):
            yield from imports(node, deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _named(node: ast.ImportFrom) -> Iterable[str]:
    """`from caseline.channels import x` names caseline.channels, and caseline.channels.x where that is a module."""
    inner = [f"{node.module}.{alias.name}" for alias in node.names]
    return [str(node.module), *(name for name in inner if name in modules())]


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def called(tree: ast.AST) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


class Reach:
    """What one function reaches: `third_party` packages, `environment` variables, and what it asks of AWS: `table` methods, (service, operation) `calls`."""

    def __init__(self, function: str) -> None:
        self.third_party: set[str] = set()
        self.table: set[str] = set()
        self.calls: set[tuple[str, str]] = set()
        self._seen: set[str] = set()
        self._members: set[str] = set()
        own = [parse(file) for file in sorted((ROOT / "functions" / function).glob("*.py"))]
        for tree in own:
            self._visit(tree)
        read = [wiring_members()[member] for member in self._members] + [node for tree in own for node in _asked_of_environ(tree)]
        self.environment = {name for tree in read for name in _variables(tree)}

    def _visit(self, tree: ast.AST) -> None:
        for package in (FACTORIES[name] for name in called(tree) & set(FACTORIES)):
            self._follow(name for name in modules() if name.startswith(f"{package}."))
        self._follow(each.module for each in imports(tree))
        self._use(wired(tree))
        asked = [(node.func, node.args) for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        self.table |= {method.attr for method, _ in asked if _last_name(method.value).strip("_") == "table"}
        self.calls |= set(_service_calls(asked))

    def _follow(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._seen or is_wiring(name):
                continue
            self._seen.add(name)
            if name in modules():
                self._visit(parse(modules()[name]))
            elif name.partition(".")[0] not in sys.stdlib_module_names | {"caseline"}:
                self.third_party.add(name.partition(".")[0])

    def _use(self, members: set[str]) -> None:
        for member in members & set(wiring_members()) - self._members:
            self._members.add(member)
            tree = wiring_members()[member]
            self._visit(tree)
            self._use({node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _last_name(node.value) == "self"})


def is_wiring(module: str) -> bool:
    """Of the package that puts the product together."""
    return module == WIRING or module.startswith(f"{WIRING}.")


@cache
def wiring_members() -> dict[str, ast.AST]:
    """The methods and properties of Wiring by name, of whatever class of its line they are."""
    trees = [parse(file) for name, file in modules().items() if is_wiring(name)]
    kinds = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: node for kind in kinds for node in kind.body if isinstance(node, ast.FunctionDef)}


def wired(tree: ast.AST) -> set[str]:
    """The attributes that are asked of the wiring: of a call or a name of that name, or of what such a call was assigned to."""
    assigned = (node.targets for node in ast.walk(tree) if isinstance(node, ast.Assign) and _calls_wiring(node.value))
    names = {"wiring", *(target.id for targets in assigned for target in targets if isinstance(target, ast.Name))}
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _last_name(node.value).strip("_") in names}


def _calls_wiring(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _last_name(node) == "wiring"


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _service_calls(asked: Iterable[tuple[ast.Attribute, list[ast.expr]]]) -> Iterator[tuple[str, str]]:
    """Calls in the wiring's two forms: `_call("sqs", "send_message", ...)` and `client("sqs").send_message(...)`."""
    for method, arguments in asked:
        if method.attr == "_call" and len(arguments) == 2:
            yield _text(arguments[0]), _text(arguments[1])
        if isinstance(method.value, ast.Call) and _last_name(method.value) == "client":
            yield _text(method.value.args[0]), method.attr


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _asked_of_environ(tree: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Subscript) and _last_name(node.value) == "environ"]


def _variables(tree: ast.AST) -> set[str]:
    """Text that looks like the name of an environment variable."""
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if "_" in text and text.replace("_", "").isalnum() and text.isupper()}
