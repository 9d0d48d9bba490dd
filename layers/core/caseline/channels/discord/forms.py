"""What somebody filled in or chose on Discord: options of a command, inputs of a form, choices of a menu, or a button."""

from __future__ import annotations

import re
from collections.abc import Iterator

from caseline.answers import SCALES, Answers
from caseline.payloads import Field

PING, COMMAND, COMPONENT, AUTOCOMPLETE, FORM = range(1, 6)  # types of interaction
DIGITS = re.compile(r"[0-9]{1,3}\Z")
NAMES = {"rating": "stars"}  # other names of a scale


def read_answers(data: Field, message: Field, kind: int | None) -> Answers:
    """A number, or the digits of one that was chosen from a list, is a score if its name stands for a scale; texts are words."""
    answers = Answers()
    for name, field in _read_fields(data, message, kind):
        metric, written = NAMES.get(name, name), isinstance(field.value, str)
        if metric in SCALES and not (written and not DIGITS.match(field.value)):
            answers.rate(metric, field.value, field.path)
        elif written:
            answers.say(field.value)
    return answers


def _read_fields(data: Field, message: Field, kind: int | None) -> Iterator[tuple[str, Field]]:
    """What was filled in or chosen, with its name: options of a command, inputs of a form, choices of a menu, or the label of a button."""
    if kind == COMMAND:
        yield from _read_options(data)
    elif kind == FORM:
        yield from ((each["custom_id"].text(), each["value"]) for each in _walk(data) if "value" in each)
        yield from ((each["custom_id"].text(), choice) for each in _walk(data) for choice in each["values"].each())
    elif "values" in data:
        yield from ((data["custom_id"].text(), choice) for choice in data["values"].each())
    else:
        pressed = data["custom_id"].text()
        yield from ((pressed, each["label"]) for each in _walk(message) if each["custom_id"].value == pressed and "label" in each)


def _read_options(data: Field) -> Iterator[tuple[str, Field]]:
    """Options may stand below a sub-command."""
    for option in data["options"].each():
        if "value" in option:
            yield option["name"].text(), option["value"]
        yield from _read_options(option)


def _walk(field: Field) -> Iterator[Field]:
    """Components, however they are nested: rows, sections and labels."""
    inner = [*field["components"].each(), *([field["component"]] if "component" in field else []), *([field["accessory"]] if "accessory" in field else [])]
    for each in inner:
        yield each
        yield from _walk(each)
