"""What makes two signals one issue: near-same words, the same link, the same public thread. Pure; holds hashes, never words."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caseline.timeline import read_text

if TYPE_CHECKING:
    from caseline.policy_parts.issues import StormRules

Sketch = frozenset[str]
LOOKED_AT = 2000  # characters of a text
MOST_WORDS = 40
SHORT = 6  # words below which a choice has two words, not three
SAME_WORDS = 0.7  # of the issue's words must be in a text that belongs to it
OWN_WORDS = 0.4  # of the text's words must be the issue's

_PRIME = (1 << 61) - 1
# Choices of words that stand for a text: two texts that share most words share a choice.
_FACTORS = (0x1B873593CC9E2D51, 0x0C2B2AE3D27D4EB4, 0x165667B19E3779F9, 0x1F4A7C15F39CC060)
_LINK = re.compile(r"https?://([^\s/]+)(/[^\s?#]+)")
_NOISE = re.compile(r"https?://\S+|[@#]?\w*\d\w*|@\w+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_COMMON = frozenset(
    "the and for you your are was were not but have has had this that with from they them his her she our out all can just now get got will would could "
    "there what when why how who der die das und ist nicht ich ein eine mit les des est pas une pour vous que los las por con para una não com uma".split()
)  # fmt: skip


def sketch_of(text: str | None) -> Sketch:
    """Hashes of the words that say something; numbers, names with @ and links differ from copy to copy and do not count."""
    cleaned = _NOISE.sub(" ", (text or "")[:LOOKED_AT].casefold())
    words = [word for word in _WORD.findall(cleaned) if word not in _COMMON and not _UNSPACED.search(word)]
    return frozenset(_hash(word) for word in [*dict.fromkeys(words), *_shingles(cleaned)][:MOST_WORDS])


def likeness(one: Sketch, other: Sketch) -> float:
    """The share of words that two texts have in common."""
    return len(one & other) / len(one | other) if one | other else 0.0


def issue_keys(row: Mapping[str, Any], rules: StormRules) -> list[str]:
    """The issues a signal may be about. A link or a thread names one only with the category: a thread has many subjects."""
    sketch = sketch_of(read_text(row))
    keys = text_keys(sketch) if "text" in rules.by and len(sketch) >= rules.min_words else []
    if "link" in rules.by:
        links = _LINK.findall((read_text(row) or "")[:LOOKED_AT].casefold())
        keys += [f"link-{_hash('|'.join((host + path, row['category'])))}" for host, path in dict.fromkeys(links)]
    if "thread" in rules.by and (thread := _thread_of(row)):
        keys.append(f"thread-{_hash('|'.join((thread, row['category'])))}")
    return list(dict.fromkeys(keys))


def text_keys(sketch: Sketch) -> list[str]:
    """Some words of a text, chosen by their hashes alone: near-same texts choose alike."""
    size = 2 if len(sketch) < SHORT else 3
    return [f"text-{_hash(' '.join(sorted(_choose(sketch, size, factor))))}" for factor in _FACTORS]


def _choose(sketch: Sketch, size: int, factor: int) -> list[str]:
    return sorted(sketch, key=lambda word: int(word, 16) * factor % _PRIME)[:size]


def core_of(sketches: Sequence[Sketch]) -> Sketch:
    """The words that at least half of the texts share."""
    counts = Counter(word for sketch in sketches for word in sketch)
    return frozenset(word for word, count in counts.items() if 2 * count >= len(sketches))


def is_one_issue(sketches: Sequence[Sketch], similarity: float) -> bool:
    """Whether most texts are near the words they share: some common words alone ("flight delayed") make no issue."""
    core = core_of(sketches)
    near = sum(_jaccard(sketch, core) >= similarity for sketch in sketches)
    return len(core) >= 2 and 10 * near >= 7 * len(sketches)


def is_about(sketch: Sketch, core: Collection[str]) -> bool:
    shared = len(sketch & frozenset(core))
    return bool(core) and shared >= SAME_WORDS * len(core) and shared >= OWN_WORDS * len(sketch)


def are_copies(sketches: Iterable[Sketch]) -> bool:
    """The same words from many accounts: somebody wrote them once."""
    return len(set(sketches)) == 1


def name_issue(brand: str, issue: str) -> str:
    return hashlib.sha256(f"{brand}|{issue}".encode()).hexdigest()[:24]


def _thread_of(row: Mapping[str, Any]) -> str:
    thread = row.get("thread_id") or row.get("parent_id")
    return f"{row['channel']}/{row['source']}/{thread}" if row.get("public") and thread and thread != row.get("native_id") else ""


def _shingles(text: str) -> list[str]:
    """Of scripts without spaces, each three characters."""
    signs = "".join(_UNSPACED.findall(text))
    return list(dict.fromkeys(signs[i : i + 3] for i in range(len(signs) - 2)))


def _jaccard(a: Sketch, b: Sketch) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).hexdigest()
