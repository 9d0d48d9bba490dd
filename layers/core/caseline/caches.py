"""The secrets of sources: read when a request is worth it, kept for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")
SECRET_SECONDS, REFRESH_SECONDS = 300.0, 30.0


class Timed(Generic[T]):
    """A value that is read again when it is older than `seconds`. A failed read raises, and the next call reads again."""

    def __init__(self, read: Callable[[], T], seconds: float, monotonic: Callable[[], float]) -> None:
        self._read, self._seconds, self._monotonic = read, seconds, monotonic
        self._kept: tuple[float, T] | None = None

    @property
    def age(self) -> float:
        """Seconds since the last read that worked."""
        return self._monotonic() - self._kept[0] if self._kept else float("inf")

    def get(self) -> T:
        if self._kept is None or self.age >= self._seconds:
            return self.read()
        return self._kept[1]

    def read(self) -> T:
        value = self._read()
        self._kept = (self._monotonic(), value)
        return value


class SecretShelf:
    """The secrets of sources, each kept for 300 s. One that explains no signature may be read again early, once in 30 s."""

    def __init__(self, read: Callable[[str], Sequence[str]], monotonic: Callable[[], float]) -> None:
        self._read, self._monotonic = read, monotonic
        self._shelf: dict[str, Timed[Sequence[str]]] = {}
        self._tried: dict[str, float] = {}

    def get(self, key: str) -> Sequence[str]:
        if key not in self._shelf:
            self._shelf[key] = Timed(lambda: self._read(key), SECRET_SECONDS, self._monotonic)
        return self._shelf[key].get()

    def refresh(self, key: str) -> bool:
        """Read the source's secrets again, if that is due; True if they are others now."""
        kept, now = self.get(key), self._monotonic()
        if min(self._shelf[key].age, now - self._tried.get(key, float("-inf"))) < REFRESH_SECONDS:
            return False
        self._tried[key] = now
        return list(self._shelf[key].read()) != list(kept)


class LazySecrets(Sequence[str]):
    """A source's secrets, read when first looked at: after the shape and the time of a request have been found right."""

    def __init__(self, shelf: SecretShelf, key: str) -> None:
        self._shelf, self._key = shelf, key

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._shelf.get(self._key)[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shelf.get(self._key))

    def __len__(self) -> int:
        return len(self._shelf.get(self._key))


def read_secrets(text: str | None) -> Sequence[str]:
    """A source's secrets, newest first: a JSON list of texts (or of objects, such as key files), or one secret as it stands."""
    try:
        value = json.loads(text) if text else []
    except ValueError:
        value = None
    if not isinstance(value, list):
        return [text] if text else []
    return [item if isinstance(item, str) else json.dumps(item) for item in value]
