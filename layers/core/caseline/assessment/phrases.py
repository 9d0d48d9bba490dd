"""Phrases as an administrator writes them, as one pattern for folded text.

`word*` is any ending, `~` up to four words between, `(a|b)` a choice. Phrases are tried in their order, sorted by their first letter: where a text has
another letter, all of them are passed over at once, and no two that begin otherwise could be found in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from caseline.errors import ConfigError

_NOTHING = re.compile(r"(?!)")
_UNSORTED = re.compile(r"\(\?[^:]|\\[^wSd]|\[\^?\]|\[[^]]*[(|)]")  # what may hide a bracket or mark that is none
_LETTER = re.compile(r"(\w)(?![?*+{])")
_OPTIONAL = ("?", "*", "+", "{")


def check_phrases(phrases: Iterable[str]) -> None:
    """Raises ConfigError naming the phrase that cannot be read."""
    for phrase in phrases:
        try:
            re.compile(_read_phrase(phrase))
        except re.error as error:
            raise ConfigError(f"taxonomy: cannot read the phrase {phrase!r}: {error}") from error


def compile_phrases(phrases: Iterable[str]) -> re.Pattern[str]:
    """One pattern for those that check_phrases has let pass."""
    parts = [_read_phrase(phrase) for phrase in phrases]
    return re.compile(f" (?:{_sort('|'.join(parts))})(?= )") if parts else _NOTHING


def _read_phrase(phrase: str) -> str:
    grouped = re.sub(r"\((?!\?)", "(?:", phrase.strip().lower().replace("'", ""))
    return grouped.replace("~ ", r"(?:\S+ ){0,4}").replace("*", r"\w*")


def _sort(choice: str) -> str:
    return choice if _UNSORTED.search(choice) else "|".join(pattern for _, pattern in _by_letter(choice))


def _by_letter(choice: str) -> Iterator[tuple[str, str]]:
    """A choice as one pattern for each letter that its parts begin with; before and behind a part that begins with none, the order stands."""
    groups: dict[str, list[str]] = {}
    for letter, pattern in (branch for part in _split(choice) for branch in _branch(part)):
        if not letter:
            yield from _join(groups)
            groups = {}
            yield "", pattern
        else:
            groups.setdefault(letter, []).append(pattern)
    yield from _join(groups)


def _join(groups: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    return ((letter, f"(?:{'|'.join(patterns)})" if len(patterns) > 1 else patterns[0]) for letter, patterns in groups.items())


def _branch(part: str) -> Iterator[tuple[str, str]]:
    """A part by its first letter; one that begins with a choice, by those of the choice."""
    end = _find_end(part) if part.startswith("(?:") else 0
    if end and not part.startswith(_OPTIONAL, end):
        return ((letter, f"(?:{pattern}){part[end:]}") for letter, pattern in _by_letter(part[3 : end - 1]))
    first = _LETTER.match(part)
    return iter([(first[1] if first else "", part)])


def _split(choice: str) -> Sequence[str]:
    """The parts between the marks that stand in no brackets."""
    parts, depth = [""], 0
    for character in choice:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _find_end(part: str) -> int:
    """Behind the bracket that closes the first one."""
    depth = 0
    for index, character in enumerate(part):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return index + 1
    return 0
