"""What links signals to one conversation: the ids of mails that refer to each other, the thread of a conversation, the post that is replied to.

Each is a short hash. A signal has names (a mail: its own id and all that it refers to; a post: its own id) and points to others (the post it replies to).
Two signals belong together where a name of one is a name of the other, or what the other points to. So it does not matter which of them comes first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caseline.policy import Policy
from caseline.timeline import read_attributes

MAIL = "email"
REFERENCES = "references"  # an attribute of mails: what they refer to beside thread and parent, as a list or as the header has it
HEADERS = (REFERENCES, "in_reply_to", "message_id")  # of mails that come from systems of one's own
MOST_REFERENCES = 30  # of one mail
KEPT_NAMES = 100  # of a case
POINTS = "<"  # before what is pointed to


def names_of(policy: Policy, row: Mapping[str, Any]) -> list[str]:
    """Its names, and what it points to. Only of a kind whose threads are about one matter is the thread a name."""
    own, parent = [row["native_id"]], [row.get("parent_id")]
    if row["kind"] in policy.join.threads:
        own, parent = [*own, row.get("thread_id"), *parent, *read_references(row)], []
    place = MAIL if row["kind"] == MAIL else f"{row['channel']}/{row['source']}"
    return [*(_hash(place, name) for name in _present(own)), *(POINTS + _hash(place, name) for name in _present(parent))]


def linked_names(policy: Policy, row: Mapping[str, Any], recent: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """What a case may be linked by to be the signal's: through any number of the customer's other signals, and of the brand's replies, in between."""
    reach = _partners(names_of(policy, row))
    others = [names_of(policy, other) for other in recent if other.get("native_id")]
    while True:
        found = [names for names in others if reach & set(names)]
        if not found:
            return frozenset(reach)
        others = [names for names in others if names not in found]
        reach |= _partners(name for names in found for name in names)


def gather_names(policy: Policy, case: Mapping[str, Any], fresh: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What a case is linked by with `fresh` in it, the oldest forgotten first; nothing for one that is linked by nothing."""
    known = dict.fromkeys([*(case.get("threads") or ()), *(name for row in fresh for name in names_of(policy, row))])
    return {"threads": list(known)[-KEPT_NAMES:]} if known else {}


def _partners(names: Iterable[str]) -> set[str]:
    """What those are called that belong to somebody of these names: by name, and, to a name of ours, by pointing to it."""
    known = list(names)
    mine = {name for name in known if not name.startswith(POINTS)}
    return mine | {POINTS + name for name in mine} | {name.removeprefix(POINTS) for name in known}


def read_references(row: Mapping[str, Any]) -> list[str]:
    attributes = read_attributes(row)
    found = [attributes.get(name) for name in HEADERS]
    return [str(name) for each in found for name in (each if isinstance(each, list) else str(each or "").split())][:MOST_REFERENCES]


def _present(names: Iterable[Any]) -> list[str]:
    """Ids of mails with or without their brackets are the same."""
    return list(dict.fromkeys(bare for name in names if name and (bare := str(name).strip("<> "))))


def _hash(place: str, name: str) -> str:
    return hashlib.blake2b(f"{place}|{name}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
