"""Logging in, and all that can go wrong on the way to a CRM."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from caseline.crm._http import HttpApi
from caseline.errors import CrmAuthError, CrmConflictError, CrmError, CrmNotFoundError, CrmRateLimitError, CrmRejectedError, CrmUnavailableError

from tests.kit.crms import RECORD
from tests.kit.saving import quick
from tests.kit.scenes import ACTIONS, READING, SCHEMA, at_once, doing, scene_of, the_case, told
from tests.kit.simulated import Call, Reply, Simulator, serving


def _logins(world: Any) -> int:
    return len(world.simulator.calls) - world.calls()


def test_a_token_that_is_refused_is_asked_for_again_once(remote: Any) -> None:
    crm = remote.adapter()
    crm.find_account(["email:ann@example.com"])
    for act in (lambda: crm.find_account(["email:ann@example.com"]), lambda: crm.save_case(RECORD), lambda: crm.list_cases()):
        remote.expire_login()
        before = _logins(remote)
        act()
        assert _logins(remote) - before <= 1


def test_savers_that_are_refused_together_log_in_once(remote: Any) -> None:
    crm = remote.adapter()
    crm.find_account(["email:ann@example.com"])
    remote.expire_login()
    before = _logins(remote)
    found = at_once([lambda: crm.find_account(["email:ann@example.com"]).kind] * 6)
    assert found == ["none"] * 6 and _logins(remote) - before <= 1


def test_wrong_credentials_are_neither_tried_again_nor_for_ever(remote: Any) -> None:
    crm = remote.adapter()
    crm.find_account(["email:ann@example.com"])
    remote.refuse_login()
    remote.expire_login()
    for refused in (crm, remote.adapter()):
        for act in (lambda crm: crm.find_account(["email:ann@example.com"]), lambda crm: crm.save_case(RECORD), lambda crm: crm.check(SCHEMA)):
            before = len(remote.simulator.calls)
            with pytest.raises(CrmAuthError):
                act(refused)
            assert len(remote.simulator.calls) - before <= 2
    assert remote.cases() == []


@pytest.mark.parametrize(("status", "kind"), [(401, CrmAuthError), (403, CrmAuthError), (429, CrmRateLimitError), (503, CrmUnavailableError)])
def test_a_login_that_fails_says_why(remote: Any, status: int, kind: type[CrmError]) -> None:
    crm = remote.adapter()
    remote.wire.answer("", status, times=50)
    with pytest.raises(kind):
        crm.find_account(["email:ann@example.com"])
    assert len(remote.simulator.calls) <= 2


STATUSES = {
    401: CrmAuthError, 403: CrmAuthError, 404: CrmNotFoundError, 409: CrmConflictError, 412: CrmConflictError, 422: CrmRejectedError, 429: CrmRateLimitError,
    500: CrmUnavailableError, 502: CrmUnavailableError, 503: CrmUnavailableError, 504: CrmUnavailableError,
}  # fmt: skip
# What may mean something else than an error where a field, a page or a permission is asked for.
ODD_HERE = {404, 409, 412, 422}
TELLING = {"profile": ODD_HERE, "contact": ODD_HERE, "changes": ODD_HERE, "list": ODD_HERE, "check": {403, *ODD_HERE}, "plan": ODD_HERE, "apply": ODD_HERE}


@pytest.mark.parametrize("status", STATUSES)
@doing()
def test_each_status_has_its_error(remote: Any, action: str, status: int) -> None:
    scene = scene_of(remote, action=action)
    cases, calls = remote.cases(), len(remote.simulator.calls)
    remote.wire.answer("", status, times=50)
    try:
        ACTIONS[action](scene)
    except STATUSES[status] as error:
        assert "ann@example.com" not in str(error)
    else:
        assert status in TELLING.get(action, ()), f"{status} went unnoticed"
    assert len(remote.simulator.calls) - calls <= 8, "nothing is tried for ever"
    assert remote.cases() == cases


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0), ("soon", None), ("", None)])
@doing()
def test_retry_after_is_passed_on(remote: Any, action: str, header: str, seconds: float | None) -> None:
    scene = scene_of(remote, action=action)
    remote.wire.answer("", 429, {"Retry-After": header} if header else {}, times=50)
    with pytest.raises(CrmRateLimitError) as caught:
        ACTIONS[action](scene)
    assert caught.value.retry_after == seconds if seconds else 0 < caught.value.retry_after <= 86_400


@pytest.mark.parametrize("fault", [("drip", {"pause": 0.05}), ("pause", {"pause": 0.7})], ids=lambda fault: fault[0])
@pytest.mark.parametrize("action", ["find", "save"])
def test_an_answer_that_takes_too_long_is_unavailable(remote: Any, action: str, fault: tuple[str, dict[str, Any]]) -> None:
    scene = scene_of(remote, impatient=True)
    remote.wire.break_off(remote.wire.reading if action == "find" else remote.wire.writing, fault[0], **fault[1])
    with pytest.raises(CrmUnavailableError) as caught:
        ACTIONS[action](scene)
    assert "ann@example.com" not in str(caught.value)


@doing()
def test_an_answer_that_drips_is_unavailable(remote: Any, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at for each piece, and the second is too late; an answer without a body cannot drip."""
    session, limits, _, clock = HttpApi.__init__.__defaults__ or ()
    scene, seconds = scene_of(remote, action=action), count(step=limits.total * 2 / 3)
    monkeypatch.setattr(HttpApi.__init__, "__defaults__", (session, limits, lambda: next(seconds), clock))
    scene = replace(scene, crm=quick(remote))
    scene.crm.find_account(["email:nobody@example.com"])
    remote.wire.break_off("", "drip", times=50)
    try:
        ACTIONS[action](scene)
        assert action not in READING
    except CrmUnavailableError as error:
        assert "ann@example.com" not in str(error)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "malformed", "redirect"])
@doing()
def test_an_answer_that_does_not_come_is_unavailable(remote: Any, action: str, fault: str) -> None:
    """An answer without a body cannot be malformed, and of a refusal the status counts; after it all goes on as before."""
    scene = scene_of(remote, action=action)
    remote.wire.break_off("", fault)
    try:
        ACTIONS[action](scene)
        assert fault == "malformed" and action not in READING
    except CrmRejectedError:
        assert (fault, action) == ("malformed", "apply")
    except CrmUnavailableError as error:
        assert "ann@example.com" not in str(error)
    if action == "save":
        scene.crm.save_case(replace(RECORD, case_key="cx-new"))
    else:
        ACTIONS[action](scene)
    assert Counter(case.case_key for case in remote.cases()) == Counter([RECORD.case_key] + ["cx-new"] * (action == "save"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(remote: Any, status: int) -> None:
    class Elsewhere(Simulator):
        def answer(self, call: Call) -> Reply:
            return Reply(200, {})

    elsewhere, scene = Elsewhere(), scene_of(remote)
    with serving(elsewhere) as url:
        for action in ("find", "save", "note", "changes"):
            remote.wire.answer("", status, {"Location": f"{url}/stolen"}, times=50)
            with pytest.raises(CrmUnavailableError):
                ACTIONS[action](scene)
    assert elsewhere.calls == []


def test_a_reply_that_comes_too_late_makes_no_second_case(remote: Any) -> None:
    """We gave up, then the CRM saved it; the next try comes after that, as it does under the claim."""
    scene = scene_of(remote, impatient=True)
    remote.wire.break_off(remote.wire.writing, "pause", pause=0.7)
    with pytest.raises(CrmUnavailableError):
        ACTIONS["save"](scene)
    while not remote.simulator.is_quiet():
        time.sleep(0.02)
    again = remote.adapter().save_case(replace(RECORD, case_key="cx-new"))
    assert the_case(remote, "cx-new").crm_id == again.crm_id


def test_a_reply_lost_after_a_note_makes_no_second_note(remote: Any) -> None:
    crm = remote.adapter()
    saved = crm.save_case(RECORD)
    remote.wire.break_off(remote.wire.noting, "drop_after")
    with pytest.raises(CrmUnavailableError):
        crm.add_note(saved.crm_id, "n-1", "first words")
    crm.add_note(saved.crm_id, "n-1", "first words")
    assert told(the_case(remote), "first words") == 1
