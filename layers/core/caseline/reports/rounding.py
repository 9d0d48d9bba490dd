"""Numbers as reports show them: exact until the end, then rounded once, halves away from zero."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import floor


def exact(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(str(number))


def round_away(number: Fraction | float, digits: int = 0) -> float:
    """Python rounds halves to even, which people who check a figure by hand do not expect."""
    scale: int = 10**digits
    rounded = floor(abs(Fraction(number)) * scale + Fraction(1, 2)) * (1 if number >= 0 else -1)
    return rounded / scale if digits else rounded


def percent(part: int, whole: int) -> float | None:
    """None where there is nothing to count."""
    return round_away(Fraction(100 * part, whole), 1) if whole else None


def mean(numbers: Iterable[float], digits: int = 2) -> float | None:
    values = [exact(number) for number in numbers]
    return round_away(sum(values, Fraction()) / len(values), digits) if values else None
