"""Typeform: responses as they are submitted, and partial ones. Credential: the webhook's secret.

Facts: typeform.com/developers, "Secure your webhooks", "Example payload", "Create or update webhook". A response is known by its token; a partial response,
which comes where the webhook asks for `form_response_partial`, is superseded by the full one. Not confirmed: the shape of a partial response, which is read as
a full one's without `submitted_at`. An opinion scale is taken for CSAT and a rating for stars, unless the setting `questions` says what a field is (see
caseline.answers).
"""

from __future__ import annotations

from typing import Any

from caseline.answers import Answers, Role, find_role
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "typeform"
FULL, PARTIAL = "form_response", "form_response_partial"
SCALES = {"nps": ("nps", 0, 11), "opinion_scale": ("csat", 0, 11), "rating": ("stars", 1, 5)}  # metric, low end, usual number of steps
LONGEST = 10
WORDS = ("short_text", "long_text", "text")
PERSON = {"email": Role("email"), "phone_number": Role("phone")}
_SCHEME = BodyScheme("typeform-signature", "sha256=", base64=True)
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    event = body["event_type"].text()
    if event not in (FULL, PARTIAL):
        body["event_type"].refuse("is not a known event")
    response = Field(body["form_response"].object(), "form_response")
    token, submitted = response["token"].id(), response["submitted_at"]
    moment = settle_time(submitted.time_or_none() or response["landed_at"].time_or_none() or request.received_at, request.received_at, submitted.path)
    facts = _read_answers(response, source).facts(
        f"typeform:{token}", form_id=response["form_id"].id_or_none(), hidden=_read_hidden(response), partial=True if event == PARTIAL else None,
    )
    return [Signal(
        channel="typeform", source=source.name, native_id=token, kind="survey_response", occurred_at=moment, received_at=request.received_at,
        revision=isoformat(moment) if event == FULL else "", **facts,
    )]


def _read_answers(response: Field, source: Source) -> Answers:
    definition = {field["id"].id(): field for field in response["definition"]["fields"].each()}
    answers = Answers(source.region)
    for answer in response["answers"].each():
        asked = answer["field"]
        _read_answer(answers, answer, definition.get(asked["id"].id_or_none() or "", Field(None, asked.path)), source)
    for name, role in (("email", "email"), ("phone", "phone"), ("phone_number", "phone"), ("name", "name")):
        if said := response["hidden"][name].text_or_none():
            answers.take(Role(role), said, f"form_response.hidden.{name}")
    return answers


def _read_answer(answers: Answers, answer: Field, asked: Field, source: Source) -> None:
    """One answer: by the source's settings, else by the field's type, else kept beside."""
    field, kind, title = answer["field"], answer["type"].text(), asked["title"].text_or_none() or ""
    value = answer[kind]
    role = find_role(source, field["id"].id_or_none(), field["ref"].id_or_none(), title) or PERSON.get(kind)
    field_type = field["type"].text_or_none() or ""
    if role:
        low, high = _read_scale(asked, field_type, value) if field_type in SCALES else (None, None)
        chosen = Role(role.name, low if role.low is None else role.low, high if role.high is None else role.high)
        answers.take(chosen, _plain(value), value.path, title)
    elif field_type in SCALES:
        answers.rate(SCALES[field_type][0], value.value, value.path, *_read_scale(asked, field_type, value))
    elif kind == "text" and field_type in WORDS:
        answers.say(value.text())
    else:
        if (plain := _plain(value)) is not None:
            answers.others[title or field["ref"].id_or_none() or field["id"].id_or_none() or kind] = plain
        answers.say(value["other"].text_or_none() if isinstance(value.value, dict) else None)


def _read_scale(asked: Field, field_type: str, value: Field) -> tuple[float, float]:
    """The ends of a scale: `steps` of the field's properties, from 0 or 1. Where they are not told, a score past the usual end is of the longest scale."""
    _, start, usual = SCALES[field_type]
    properties, steps = asked["properties"], asked["properties"]["steps"].count_or_none()
    low = 1 if properties["start_at_one"].boolean_or_none() else start
    high = low + max(steps or usual, 2) - 1
    past = not steps and isinstance(value.value, int | float) and high < value.value <= LONGEST
    return float(low), float(LONGEST if past else high)


def _plain(value: Field) -> Any:
    """What was chosen, as text: a label, labels, or the value itself."""
    if not isinstance(value.value, dict):
        return value.value
    labels = [label.text() for label in value["labels"].each()]
    return value["label"].text_or_none() or ", ".join(labels) or value["other"].text_or_none()


def _read_hidden(response: Field) -> dict[str, Any]:
    """The form's hidden fields but for those that say who answered."""
    return {name: field.value for name, field in response["hidden"].members() if name not in ("email", "phone", "phone_number", "name") and field.value}
