"""The running product of a home: where it listens, and its JSON API."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from caseline_local.cli.terminal import FindingsError, RefusedError, UnreachableError

_PATIENCE = 60.0


class Api:
    """The API of the product that runs on `home`. UnreachableError where none does."""

    def __init__(self, home: Path) -> None:
        self.home, self.url = home, find_url(home)
        self._token = _read_token(home)

    def get(self, *path: str, **query: Any) -> Any:
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        return self._call("GET", path, f"?{asked}" if asked else "")

    def post(self, *path: str, body: bytes = b"{}", content_type: str = "application/json") -> Any:
        return self._call("POST", path, body=body, content_type=content_type)

    def hand_over(self, body: bytes) -> tuple[int, str]:
        """Bring an event of AWS; (status, what the function answered)."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/local/events", body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")
        except OSError as error:
            raise UnreachableError(f"{self.url} does not answer ({error}); start it with `caseline dev --home {self.home}`") from None

    def pages(self, name: str, cursor: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list; `cursor` is the parameter that asks for the next page."""
        after: str | None = None
        while True:
            page = self.get(name, **query, **({cursor: after} if after else {}))
            yield from page[name]
            after = page.get("next")
            if not after:
                return

    def _call(self, method: str, path: tuple[str, ...], query: str = "", body: bytes | None = None, content_type: str = "") -> Any:
        if not all(part.strip() for part in path):
            raise FindingsError("an id is needed; nothing but blanks was given")
        address = f"{self.url}/api/v1/" + "/".join(quote(part, safe="") for part in path) + query
        headers = {"Authorization": f"Bearer {self._token}", **({"Content-Type": content_type} if content_type else {})}
        request = urllib.request.Request(address, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise UnreachableError(f"{self.url} is starting, stopping or without a service it needs; try again in a moment") from None
            raise RefusedError(_refusal(error, address, self.home), error.code) from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # nobody, or somebody else who listens there by now
            raise UnreachableError(f"{self.url} does not answer ({error}); start it with `caseline dev --home {self.home}`") from None


def find_url(home: Path) -> str:
    """Where the product of `home` listens; the file `lock` says so while it runs."""
    try:
        port = int(json.loads((home / "lock").read_text())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UnreachableError(f"nothing runs on {home}; start it with `caseline dev --home {home}`") from None
    return f"http://127.0.0.1:{port}"


def is_running(home: Path) -> bool:
    """Whether a product answers there, even if it is only starting."""
    try:
        with urllib.request.urlopen(f"{find_url(home)}/healthz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, UnreachableError):
        return False


def _read_token(home: Path) -> str:
    try:
        return (home / "api-token").read_text().strip()
    except OSError:
        raise UnreachableError(f"{home}/api-token is missing; `caseline dev --home {home}` writes it") from None


def _refusal(error: urllib.error.HTTPError, address: str, home: Path) -> str:
    """What the API says is plain enough to stand by itself, after the field that it is about."""
    try:
        body = json.load(error)
        refused, message = body.get("error") or {}, body.get("message") or ""
    except (ValueError, AttributeError):
        refused, message = {}, ""
    if refused.get("message"):
        return f"{refused['field']}: {refused['message']}" if refused.get("field") else str(refused["message"])
    hint = f"; is {home}/api-token the token of the product that runs there?" if error.code in (401, 403) else ""
    return f"{address.partition('?')[0]} answered {error.code}: {message or error.reason}{hint}"
