"""An answer was given up on, and what was asked is done later all the same: the next saver makes no second case."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from caseline.crm import crm_names
from caseline.errors import CrmConflictError, CrmUnavailableError
from caseline.table import Table

from tests.kit.crms import open_world
from tests.kit.memory import MemoryClient
from tests.kit.saving import Clock, case_row, outbox_of, quick
from tests.kit.simulated import Call, in_process

REMOTE = [name for name in crm_names() if name != "builtin"]


@pytest.mark.parametrize("seconds", [1, 15, 60])
@pytest.mark.parametrize("name", REMOTE)
def test_a_case_that_is_made_after_we_gave_up_is_found(name: str, seconds: int) -> None:
    with open_world(name) as world:
        table, clock, held = Table(MemoryClient(), "memory", sleep=lambda _: None), Clock(), list[Call]()
        table.put(case_row("case-1"))

        def give_up(call: Call) -> None:
            if re.search(world.wire.writing, f"{call.method} {call.path}") and not held:
                held.append(call)
                raise requests.ReadTimeout

        with pytest.raises(CrmUnavailableError):
            outbox_of(table, world.adapter(session=in_process(world.simulator, before=give_up)), clock).push("case-1")
        tries = [clock.now.timestamp() + wait for wait in (2, 6, 14, 30, 62, 126)]
        lands = clock.now.timestamp() + seconds
        for at in sorted([*tries, lands]):
            clock.tick(at - clock.now.timestamp())
            if at == lands:
                world.simulator.take(held[0])
            else:
                _push_quietly(lambda: outbox_of(table, quick(world), clock).push("case-1"))
        outbox_of(table, quick(world), clock).push("case-1")
        [case] = world.cases()
        row: Any = table.get("CASE#case-1", "CASE")
        assert (case.crm_id, case.version) == (row["crm"]["id"], row["version"])


def _push_quietly(push: Callable[[], Any]) -> None:
    """The state machine comes again."""
    try:
        push()
    except CrmConflictError:
        return
