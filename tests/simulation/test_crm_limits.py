"""A CRM that is down or wants less is left alone, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from caseline.crm import Profile, Usage
from caseline.crm._guard import PROBE_SECONDS, GuardedCrm, read_limits
from caseline.errors import CrmAuthError, CrmError, CrmRateLimitError, CrmUnavailableError
from caseline.signals import isoformat

from tests.kit.remote import speak


def test_a_breaker_opens_after_five_failures_and_lets_one_call_through_each_half_minute(remote):
    remote.crm.fail = [CrmUnavailableError("down") for _ in range(100)]
    for _ in range(5):
        with pytest.raises(CrmUnavailableError):
            remote.guarded().find_account(["x:100"])
    asked = remote.crm.asked
    for _ in range(10 * PROBE_SECONDS):
        remote.go_on(seconds=1)
        with pytest.raises(CrmUnavailableError):
            remote.guarded().find_account(["x:100"])
    assert remote.crm.asked - asked == 10
    assert read_limits(remote.table, "other", remote.now).state == "down"
    remote.crm.fail = []
    remote.go_on(seconds=PROBE_SECONDS)
    assert remote.guarded().find_account(["x:100"]).kind == "exact"
    assert read_limits(remote.table, "other", remote.now).state == "up"


class Together:
    """A CRM asked by so many workers that each had read how it is before the first of them failed, as many as there are errors."""

    name, native_upsert, usage = "other", False, None

    def __init__(self, remote, *errors):
        self.errors, self.guarded = list(errors), GuardedCrm(self, remote.table, remote.clock)

    def find_account(self, identities):
        error = self.errors.pop()
        if self.errors:
            with pytest.raises(CrmError):
                self.guarded.find_account(identities)
        raise error


def test_workers_that_fail_together_open_a_breaker_that_closes_again(remote):
    with pytest.raises(CrmUnavailableError):
        Together(remote, *[CrmUnavailableError("down")] * 5).guarded.find_account(["x:100"])
    limits = read_limits(remote.table, "other", remote.now)
    assert (limits.state, limits.since, limits.failures) == ("down", isoformat(remote.now), 5)
    remote.go_on(seconds=PROBE_SECONDS)
    assert remote.guarded().find_account(["x:100"]).kind == "exact"
    limits = read_limits(remote.table, "other", remote.now)
    assert (limits.state, limits.since) == ("up", "")


def test_wrong_credentials_open_it_too(remote):
    remote.crm.fail = [CrmAuthError("no") for _ in range(9)]
    for _ in range(5):
        with pytest.raises(CrmAuthError):
            remote.guarded().find_account(["x:100"])
    with pytest.raises(CrmUnavailableError):
        remote.guarded().find_account(["x:100"])


def test_all_workers_leave_it_alone_for_as_long_as_it_says(remote):
    remote.crm.fail = [CrmRateLimitError("slow down", 90.0)]
    with pytest.raises(CrmRateLimitError):
        remote.guarded().find_account(["x:100"])
    remote.go_on(seconds=60)
    with pytest.raises(CrmRateLimitError) as caught:
        remote.guarded().find_account(["x:100"])
    assert 29 <= caught.value.retry_after <= 32 and remote.crm.asked == 1
    remote.go_on(seconds=32)
    assert remote.guarded().find_account(["x:100"]).kind == "exact"


def test_a_crm_in_maintenance_is_left_alone_for_as_long_as_it_says(remote):
    remote.crm.fail = [CrmUnavailableError("maintenance", retry_after=600.0)]
    with pytest.raises(CrmUnavailableError):
        remote.guarded().find_account(["x:100"])
    remote.go_on(minutes=9)
    with pytest.raises(CrmRateLimitError):
        remote.guarded().find_account(["x:100"])
    remote.go_on(minutes=2)
    assert remote.guarded().find_account(["x:100"]).kind == "exact" and remote.crm.asked == 2


def test_the_longest_wait_that_any_worker_was_told_is_kept(remote):
    """The answer to a call that was under way tells of another limit, or of the same with less to go."""
    with pytest.raises(CrmRateLimitError):
        Together(remote, CrmRateLimitError("for today", 900.0), CrmRateLimitError("a moment", 10.0)).guarded.find_account(["x:100"])
    remote.go_on(minutes=2)
    with pytest.raises(CrmRateLimitError) as caught:
        remote.guarded().find_account(["x:100"])
    assert 775 <= caught.value.retry_after <= 785 and remote.crm.asked == 0


def test_the_last_tenth_of_the_quota_is_kept_for_p1(remote):
    speak(remote, 1)
    remote.crm.usage = Usage(50, 1000, 3600.0)
    remote.guarded().find_account(["x:100"])
    with pytest.raises(CrmRateLimitError):
        remote.guarded().write_profile(Profile("c-1", "a-1", {}))
    with pytest.raises(CrmRateLimitError):
        remote.guarded().save_case(replace(remote.crm.records[0], band="P2"))
    assert remote.guarded().save_case(remote.crm.records[0]).crm_id
    remote.go_on(hours=2)
    remote.guarded().write_profile(Profile("c-1", "a-1", {}))


def test_two_hours_down_lose_nothing(remote):
    remote.crm.fail = [CrmUnavailableError("down") for _ in range(10_000)]
    for number in range(3):
        speak(remote, number)
    remote.live(remote.now + timedelta(hours=2))
    (case,) = remote.cases()
    assert case["crm"]["sync"] == "failed" and not remote.crm.created
    remote.crm.fail = []
    remote.live(remote.now + timedelta(minutes=8))
    (case,) = remote.cases()
    assert (case["crm"]["sync"], case["noted"], remote.crm.created) == ("synced", 3, 1)
    assert case["priority"]["band"] == "P1"
