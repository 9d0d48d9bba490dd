"""Moving the world of a story: `POST /local/clock {"at": "2027-03-01T09:00:00Z"}` and `POST /local/crm {"answers": false}`, with the home's token.

A clock that was moved runs each schedule whose time has come, once, before it answers; waits between two tries end when their time has come by it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from caseline.signals import isoformat, parse_time

from caseline_local.engine.proxy import HttpAnswer, HttpRequest, answer_json
from caseline_local.engine.schedules import Keeper
from caseline_local.world import World

CLOCK, CRM = "/local/clock", "/local/crm"


class SceneShift:
    def __init__(self, world: World, keepers: Sequence[Keeper]) -> None:
        self._world, self._keepers = world, keepers

    def move_clock(self, request: HttpRequest) -> HttpAnswer:
        try:
            self._world.move(parse_time(_read(request)["at"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return answer_json(400, {"message": 'write {"at": "2027-03-01T09:00:00Z"}'})
        for keeper in self._keepers:
            keeper.catch_up()
        return answer_json(200, {"now": isoformat(self._world.now())})

    def switch_crm(self, request: HttpRequest) -> HttpAnswer:
        try:
            answers = _read(request)["answers"]
        except (ValueError, KeyError, TypeError):
            answers = None
        if not isinstance(answers, bool):
            return answer_json(400, {"message": 'write {"answers": false}'})
        self._world.let_crm(answers)
        return answer_json(200, {"answers": answers})


def _read(request: HttpRequest) -> Any:
    return json.loads(request.body)
