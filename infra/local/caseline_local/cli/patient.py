"""What the doctor is shown: the files of a home, and what its running product says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from caseline_local.cli.api import Api, is_running
from caseline_local.cli.terminal import FindingsError, UnreachableError, read_file


class Bad(Exception):  # noqa: N818 - a finding, not an error of ours
    """What is wrong, and the command or the edit that mends it."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.fix = fix


class Skipped(Exception):  # noqa: N818
    """Cannot be looked at, for a reason that another check reports."""


@dataclass
class Patient:
    home: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        from caseline.configuration import read_config

        return read_config(self.read("config.yaml"))

    @cached_property
    def api(self) -> Api:
        if not is_running(self.home):
            raise Skipped("nothing runs on this home")
        return Api(self.home)

    @cached_property
    def totals(self) -> dict[str, int]:
        return dict(self.ask("stats")["total"])

    def list(self, name: str, cursor: str, **query: Any) -> list[dict[str, Any]]:
        try:
            return list(self.api.pages(name, cursor, **query))
        except (FindingsError, UnreachableError) as error:
            raise Bad(error.message, f"look into {self.home}/logs") from None

    def read(self, name: str) -> str:
        try:
            return read_file(self.home / name)
        except FindingsError as error:
            raise Bad(error.message, f"edit {self.home}/{name}") from None
        except OSError as error:
            raise Bad(f"{self.home}/{name}: {error.strerror}", f"caseline dev --home {self.home}   (writes what is missing)") from None

    def ask(self, *path: str) -> Any:
        try:
            return self.api.get(*path)
        except (FindingsError, UnreachableError) as error:
            raise Bad(error.message, f"look into {self.home}/logs") from None
