"""The real BottleCRM in place of the simulator: what Caseline sends passes through here, so that it is counted and may be broken on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import requests

from tests.kit.bottlecrm import Member
from tests.kit.crms.bottlecrm import BottleWorld
from tests.kit.simulated import Call, Reply, Simulator, serving
from tests.oracles.bottlecrm.site import Site

PASSED = ("Authorization", "Content-Type", "Accept")
KEPT = ("Content-Type", "Retry-After", "Location", "Allow")


class Real(Simulator):
    """`site` was started with a clock; the organisation is a new one."""

    content_type = "application/json"

    def __init__(self, site: Site) -> None:
        super().__init__()
        org = site.new_org()
        self._site, self._session = site, requests.Session()
        self.caseline, self.person = (Member(org[name]["token"], "", org[name]["profile"], name) for name in ("caseline", "person"))
        self.refused = False

    def set_time(self, now: datetime) -> None:
        part = self._site.clock.with_suffix(".part")
        part.write_text(now.isoformat())
        part.replace(self._site.clock)

    def take(self, call: Call) -> Reply:
        """Several at once, as the real one takes them."""
        return self.answer(call)

    def answer(self, call: Call) -> Reply:
        headers = {name: call.headers[name] for name in PASSED if name in call.headers}
        if self.refused:
            headers["Authorization"] = "Bearer bcrm_pat_revoked"
        return self._send(call.method, call.target, headers, call.raw)

    def direct(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.person.token}", "Content-Type": "application/json"}
        url = requests.Request("GET", f"http://x/api/{path}/", params=query).prepare().path_url
        reply = self._send(method, url, headers, b"" if body is None else json.dumps(body).encode())
        assert isinstance(reply.body, bytes)
        try:
            return reply.status, json.loads(reply.body)
        except ValueError:
            return reply.status, reply.body.decode()

    def stored(self) -> list[Any]:
        """All that it shows of its tickets."""
        listed = self.direct("GET", "cases", include_deleted="true", show_merged="true", limit=100)[1]["cases"]
        return [listed, *(self.direct("GET", f"cases/{each['id']}{part}")[1] for each in listed for part in ("", "/activities"))]

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        answer = requests.request(method, self._site.url + target, headers=dict(headers), data=body, allow_redirects=False, timeout=60)
        return Reply(answer.status_code, answer.content, {name: answer.headers[name] for name in KEPT if name in answer.headers})


@contextmanager
def real_world(site: Site) -> Iterator[BottleWorld]:
    simulator = Real(site)
    with serving(simulator):
        yield BottleWorld(simulator)
