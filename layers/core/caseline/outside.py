"""What of a person stands outside the table: objects on their way or stored for us, and messages that were given up.

What is under way in a queue that is worked is not looked for: the recorder meets the tombstone. Objects and dead letters wait for nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from caseline.intake import dump
from caseline.naming import names, speaks_of, unescaped
from caseline.signals import DELETED, Signal

INTAKE, INBOX = "intake/", "inbox/"
MOST = 1_000  # objects, and dead letters, that one request looks into
Envelope = Mapping[str, Any]


@dataclass(frozen=True)
class Letter:
    """A dead letter; `taken` is what its queue knows it by."""

    queue: str
    body: str
    taken: str = field(default="", repr=False)


class Objects(Protocol):
    """Of the stack's own bucket, by key."""

    def keys(self, prefix: str) -> Iterable[str]: ...
    def read(self, key: str) -> bytes | None: ...
    def write(self, key: str, body: bytes) -> None: ...
    def delete(self, key: str) -> None: ...


class Letters(Protocol):
    def read(self) -> Iterable[Letter]:
        """Those of all queues of dead letters; each is there again a little later unless it is deleted."""

    def delete(self, letter: Letter) -> None: ...


@dataclass(frozen=True)
class Traces:
    """By what a person is known: `identities`, the `words` in them, and `ids` of their cases."""

    identities: frozenset[str]
    words: Sequence[str]
    ids: Sequence[str] = ()

    def are_in(self, text: str) -> bool:
        read = unescaped(text)
        return speaks_of(read, tuple(self.words)) or any(f'"{each}"'.lower() in read for each in self.ids)

    def are_of(self, signal: Mapping[str, Any]) -> bool:
        return bool(self.identities & set(signal.get("identities") or ()))


@dataclass(frozen=True)
class Outside:
    """`send_again(envelope)` queues what is left of a dead letter for recording, so that it is counted."""

    objects: Objects
    letters: Letters
    send_again: Callable[[Envelope], None]

    def find(self, traces: Traces) -> dict[str, list[dict[str, Any]]]:
        objects = [{"key": key, "content": body.decode("utf-8", "replace")} for key, body in self._objects(traces)]
        return {"object": objects, "dead_letter": [{"queue": letter.queue, "body": letter.body} for letter in self._letters(traces)]}

    def erase(self, traces: Traces) -> dict[str, int]:
        """What a platform stored goes; of what is under way the shell stays, for whoever comes for it."""
        counts = {"object": 0, "dead_letter": 0}
        for key, body in self._objects(traces):
            envelope = _envelope(body) if key.startswith(INTAKE) else None
            if envelope:
                self.objects.write(key, dump(bare(envelope, traces)).encode("ascii"))
            else:
                self.objects.delete(key)
            counts["object"] += 1
        for letter in self._letters(traces):
            if envelope := _envelope(letter.body.encode()):
                self.send_again(bare(envelope, traces))
            self.letters.delete(letter)
            counts["dead_letter"] += 1
        return counts

    def _objects(self, traces: Traces) -> Iterator[tuple[str, bytes]]:
        keys = (key for prefix in (INTAKE, INBOX) for key in self.objects.keys(prefix))
        for key in islice(keys, MOST):
            body = self.objects.read(key)
            if body and _is_theirs(body, traces):
                yield key, body

    def _letters(self, traces: Traces) -> Iterator[Letter]:
        return (letter for letter in islice(self.letters.read(), MOST) if _is_theirs(letter.body.encode(), traces))


def bare(envelope: Envelope, traces: Traces) -> dict[str, Any]:
    """The envelope with as many items, and nothing of the person in them."""
    signals = [_shell(each) if traces.are_of(each) else each for each in envelope["signals"]]
    unreadable = [_blank(each) if names(each, traces.words) else each for each in envelope["unreadable"]]
    return {**envelope, "signals": signals, "unreadable": unreadable}


def _is_theirs(body: bytes, traces: Traces) -> bool:
    """An envelope is read; of anything else it counts that it names them."""
    envelope = _envelope(body)
    if envelope is None:
        return traces.are_in(body.decode("utf-8", "ignore"))
    return any(map(traces.are_of, envelope["signals"])) or any(names(each, traces.words) for each in envelope["unreadable"])


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
        [Signal.from_json(each) for each in found["signals"]]
        return {"unreadable": [], **found} if isinstance(found, dict) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _shell(signal: Mapping[str, Any]) -> dict[str, Any]:
    nothing: dict[str, Any] = {"action": DELETED, "identities": (), "attributes": {}}
    bare_of = dict.fromkeys(("text", "author_name", "agent", "thread_id", "parent_id", "rating", "url"))
    return Signal.from_json(signal).with_(**nothing, **bare_of).to_json()


def _blank(unreadable: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": unreadable["reason"], "field": unreadable.get("field", ""), "raw": ""}
