"""Money, contracts and tiers as CRMs keep them."""

from __future__ import annotations

from datetime import date

import pytest
from caseline.crm._value import plain_amount, read_renewal, tier_of


@pytest.mark.parametrize(("value", "text"), [(1.2e7, "12000000"), ("120000.50", "120000.5"), (0, "0"), ("1E+3", "1000"), (0.1, "0.1"), (100, "100")])
def test_amounts_are_plain(value: object, text: str) -> None:
    assert plain_amount(value) == text


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], (None, "none")), (["2026-12-15", "2027-06-01"], ("2026-12-15", "active")), (["2026-11-21T00:00:00Z"], ("2026-11-21", "active")),
        (["2025-01-01", "2026-01-01"], ("2026-01-01", "expired")), (["", "2026-01-01"], (None, "active")),
        (["2026-01-01", "2027-01-01"], ("2027-01-01", "active")),
    ],
)  # fmt: skip
def test_the_renewal_is_the_nearest_end_to_come(ends: list[str], expected: tuple[str | None, str]) -> None:
    assert read_renewal(ends, date(2026, 11, 21)) == expected


@pytest.mark.parametrize(("label", "tier"), [("Gold", "enterprise"), ("SMB", "smb"), ("Odd", None), ("bad", None)])
def test_a_label_is_a_tier_by_the_map_or_by_itself(label: str, tier: str | None) -> None:
    assert tier_of(label, {"gold": "enterprise", "bad": "worse"}) == tier
