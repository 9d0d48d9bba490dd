"""Puts a home's configuration, policy and secrets where the deployed functions read them, and again when people edit them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from caseline.config_text import read_yaml
from caseline.configuration import read_config, read_secrets
from caseline.errors import ConfigError
from caseline.policy import load_policy

from caseline_local.engine.home import Home
from caseline_local.engine.resources import STACK

_WATCH_SECONDS = 1.0


def read_home_config(home: Home) -> dict[str, Any]:
    """The configuration as plain data; ConfigError with line and column where it is wrong."""
    return read_config(read_text(home.config_file), home.config_file.name)


def read_text(file: Path) -> str:
    """What people wrote; ConfigError at the first byte that is no UTF-8."""
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
        raise ConfigError(f"{file.name}:{line}:{column}: this byte is not UTF-8; save the file as UTF-8") from None


def read_home_policy(home: Home, config: Mapping[str, Any]) -> str:
    """The policy as the functions read it: JSON, or `default` for the shipped one."""
    name = config.get("policy")
    if not name:
        return "default"
    try:
        text = read_text(home.path / name)
    except OSError as error:
        raise ConfigError(f"{home.config_file.name}: policy: {name} cannot be read ({error.strerror}); write the name of a file in {home.path}") from None
    load_policy(text, name)
    return json.dumps(read_yaml(text, name), default=str)


class Settings:
    """`changed` is called after an edit has been put in place, `report` with what is wrong with one."""

    def __init__(
        self, home: Home, public_url: str, clients: Callable[[str], Any], changed: Callable[[], None], report: Callable[[str], None], stopping: threading.Event
    ) -> None:
        self._home, self._public_url, self._clients = home, public_url, clients
        self._changed, self._report, self._stopping = changed, report, stopping
        self._seen = home.state()
        self._secrets: Mapping[str, Any] = {}
        self.steps = [("settings", self.watch)]

    def put(self) -> None:
        """Put all in place; ConfigError where a file is wrong, and then nothing has changed."""
        config = read_home_config(self._home)
        secrets = read_secrets(read_text(self._home.secrets_file), config, self._home.secrets_file.name)
        policy = read_home_policy(self._home, config)
        config = {**config, "public_url": config.get("public_url") or self._public_url}
        for name, text in (("config", json.dumps(config, default=str)), ("policy", policy)):
            self._clients("ssm").put_parameter(Name=f"/{STACK}/{name}", Value=text, Type="String", Tier="Advanced", Overwrite=True)
        removed = {name: [] for name in self._secrets if name not in secrets}
        for name, value in {**removed, **secrets}.items():
            if self._secrets.get(name) != value:
                self._put_secret(f"{STACK}/{name}", json.dumps(value))
        self._secrets = secrets

    def _put_secret(self, name: str, text: str) -> None:
        store = self._clients("secretsmanager")
        try:
            store.create_secret(Name=name, SecretString=text)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceExistsException":
                raise
            store.put_secret_value(SecretId=name, SecretString=text)

    def watch(self) -> None:
        self._stopping.wait(_WATCH_SECONDS)
        state = self._home.state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self.put()
        except ConfigError as error:
            self._report(str(error))
        else:
            self._changed()
