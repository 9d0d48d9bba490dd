"""Forms that post what they have: a source of first parties says where in a body the answers stand, and the form needs to know nothing of signals.

The source's setting `form` maps facts to dotted paths in the body: `id` and `answers` (an object `{question: answer}` or a list of `{question, answer}`), and
as they are there `occurred_at`, `updated_at`, `email`, `phone`, `name`, `language`, `url`. The setting `questions` says what each question is
(caseline.answers). Where anyone may fill in a form, nobody has checked the address they type: give such a source `trust: asserted`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

from caseline.answers import Answers, Role, find_role
from caseline.errors import PayloadError
from caseline.payloads import Field, settle_time
from caseline.signals import CREATED, UPDATED, Signal, isoformat
from caseline.sources import Source

PERSON = ("email", "phone", "name")


def read_form_response(body: Field, source: Source, received_at: datetime, channel: str) -> Signal:
    """One response; sent again it is the same item, and with a later `updated_at` a revision of it."""
    form = _Form(body, source.settings.get("form"))
    response, made, changed = form.find("id").id(), form.find("occurred_at"), form.find("updated_at")
    answers = _read_answers(form, source)
    if not (answers.words or answers.ratings or answers.others):
        raise PayloadError("is empty", form.find("answers").path)
    namespace = channel if source.name == "default" else f"{channel}.{source.name}"
    moment, edited = made.time_or_none() or received_at, changed.time_or_none()
    return Signal(
        channel=channel, source=source.name, native_id=response, kind="survey_response", action=UPDATED if edited else CREATED, received_at=received_at,
        revision=isoformat(edited) if edited else "", occurred_at=settle_time(moment, received_at, made.path),
        language=form.find("language").text_or_none(), url=form.find("url").text_or_none(), **answers.facts(f"{namespace}:{response}"),
    )


class _Form:
    def __init__(self, body: Field, paths: Any) -> None:
        self.body, self.paths = body, paths if isinstance(paths, Mapping) else {}

    def find(self, name: str) -> Field:
        """The field that the setting names; a fact that it does not name is absent."""
        path = self.paths.get(name)
        return reduce(Field.__getitem__, str(path).split("."), self.body) if path else Field(None, f"form.{name}")


def _read_answers(form: _Form, source: Source) -> Answers:
    answers = Answers(source.region)
    for name in PERSON:
        if said := form.find(name).text_or_none():
            answers.take(Role(name), said, form.find(name).path)
    for question, answer in _list_answers(form.find("answers")):
        if answer.value in (None, "", []):
            continue
        role = find_role(source, question)
        if role:
            answers.take(role, answer.value, answer.path, question)
        else:
            answers.others[question] = answer.value
    return answers


def _list_answers(field: Field) -> Iterator[tuple[str, Field]]:
    if not isinstance(field.value, list):
        yield from ((name, field[name]) for name in field.object())
        return
    for entry in field.each():
        yield entry["question"].text(), entry["answer"]
