"""The labelled sets of a folder, each only where its file is there. See infra/training/corpora.py for which of them train what ships."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caseline.assessment.learning import Label

Row = dict[str, str]
LANGUAGES = ("de", "en", "es", "fr", "it", "pt")


def part_of(key: str, parts: int = 5) -> int:
    """By hash, so that it never changes; by author where there is one, so that nobody is on both sides."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % parts


@dataclass(frozen=True)
class Sets:
    """`unseen`: nothing of the folder was ever trained on, so that all of it measures. `learn_from`: what a tenant's model is learnt from stands there."""

    folder: Path
    unseen: bool = False
    learn_from: Path | None = None

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def rows(self, name: str) -> list[Row]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def fresh(self, name: str) -> list[Row]:
        """Rows that training holds back."""
        return [row for row in self.rows(name) if self.unseen or part_of(row["text"], 10) == 0]

    def taught(self, name: str, key: str) -> tuple[list[Row], list[Row]]:
        """Rows to learn from, and rows to measure on: of the other folder where there is one, else four fifths and one."""
        rows = self.rows(name)
        return (Sets(self.learn_from).rows(name), rows) if self.learn_from else split(rows, key)

    def airline(self) -> list[Row]:
        return self.rows("airline_tweets.csv")



def slug(reason: str) -> str:
    """The category of the shipped airline taxonomy."""
    return "unknown" if reason == "Can't Tell" else reason.lower().replace(" ", "_")


def with_reasons(rows: Sequence[Row], agreed: float = 0.0) -> list[Row]:
    return [row for row in rows if row["reason"] and row["reason"] != "Can't Tell" and float(row["reason_conf"] or 0) >= agreed]


def stars(row: Row) -> str:
    value = int(row["star_rating"])
    return "negative" if value < 3 else "neutral" if value == 3 else "positive"


def split(rows: Sequence[Row], key: str) -> tuple[list[Row], list[Row]]:
    """Four fifths to learn from, one to measure on."""
    return [row for row in rows if part_of(row[key])], [row for row in rows if not part_of(row[key])]


def sentiment_labels(rows: Sequence[Row]) -> list[Label]:
    return [Label(row["text"], sentiment=row["sentiment"], language="en", channel="x") for row in rows]
