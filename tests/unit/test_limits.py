from __future__ import annotations

from datetime import UTC, datetime

import pytest
from caseline.limits import read_wait
from caseline.web import Headers

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, None), (200, {"X-Ratelimit-Remaining": "12.0", "X-Ratelimit-Reset": "9"}, None), (200, {"x-ratelimit-remaining": "0.5"}, 60),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "240"}, 240), (429, {}, 60), (429, {"Retry-After": "900"}, 900),
        (429, {"retry-after": "10", "x-ratelimit-reset": "30"}, 30), (429, {"retry-after": "Sat, 14 Mar 2026 09:02:00 GMT"}, 120),
        (429, {"retry-after": "nan"}, 60), (429, {"retry-after": "-5"}, 60), (429, {"retry-after": "1e99"}, 86_400), (503, {}, None),
        (503, {"retry-after": "30"}, 30), (200, {"retry-after": "30"}, None), (200, {"x-ratelimit-remaining": "many"}, None),
    ],
)  # fmt: skip
def test_a_limit_is_read_from_the_answer(status: int, headers: dict[str, str], seconds: int | None) -> None:
    assert read_wait(status, Headers(headers), NOW) == seconds
