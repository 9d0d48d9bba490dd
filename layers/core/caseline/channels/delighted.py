"""Delighted: NPS, CSAT, CES and other one-question surveys. Credential: the account's private API key.

Facts: delighted.com/docs/api, "Webhooks"; the signature is known from public clients only. A response is sent again with each part that is added to it, and
known by its id. Not confirmed: the scales, which the setting `scales` (`{ces: [1, 5]}`) changes, and what an additional answer looks like that was chosen.
"""

from __future__ import annotations

from typing import Any

from caseline.answers import Answers
from caseline.payloads import Field, read_json, settle_time
from caseline.schemes import BodyScheme
from caseline.signals import CREATED, UPDATED, Signal, Unreadable, isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "delighted"
ACTIONS = {"survey_response.created": CREATED, "survey_response.updated": UPDATED}
IGNORED = ("unsubscribe.", "bounce.", "person.")
SURVEYS = {  # metric and scale
    "nps": ("nps", 0, 10), "enps": ("nps", 0, 10), "csat": ("csat", 1, 5), "csat3": ("csat", 1, 3), "ces": ("ces", 1, 7),
    "stars5": ("stars", 1, 5), "star": ("stars", 1, 5), "smileys": ("csat", 1, 5), "smiley": ("csat", 1, 5), "thumbs": ("csat", 0, 1), "pmf": ("csat", 1, 3),
}
_SCHEME = BodyScheme("x-delighted-webhook-signature", "sha256=")
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    event = body["event_type"].text()
    if event.startswith(IGNORED):
        return []
    if event not in ACTIONS:
        body["event_type"].refuse("is not a known event")
    data, received_at = Field(body["event_data"].object(), "event_data"), request.received_at
    made, changed = (settle_time(data[name].epoch(), received_at, data[name].path) if name in data else None for name in ("created_at", "updated_at"))
    facts = _read_answers(data, source).facts(
        f"delighted:{data['person']['id'].id()}", properties=_read_properties(data["person_properties"]),
        survey_type=data["survey_type"].text_or_none(), tags=[tag.text() for tag in data["tags"].each()],
    )
    return [Signal(
        channel="delighted", source=source.name, native_id=data["id"].id(), kind="survey_response", action=ACTIONS[event], received_at=received_at,
        occurred_at=made or changed or received_at, revision=isoformat(changed) if changed and changed != made else "",
        url=data["permalink"].text_or_none(), **facts,
    )]


def _read_answers(data: Field, source: Source) -> Answers:
    answers, person = Answers(source.region, name=data["person"]["name"].text_or_none()), data["person"]
    answers.identities += [f"{name}:{value}" for name, key in (("email", "email"), ("phone", "phone_number")) if (value := person[key].text_or_none())]
    if "score" in data:
        metric, low, high = _read_scale(data["survey_type"], source)
        answers.rate(metric, data["score"].value, data["score"].path, low, high)
    answers.say(data["comment"].text_or_none())
    for answer in data["additional_answers"].each():
        _read_addition(answers, answer)
    return answers


def _read_scale(survey: Field, source: Source) -> tuple[str, float, float]:
    kind = survey.text_or_none() or "nps"
    if kind not in SURVEYS:
        survey.refuse("is not a known kind of survey")
    metric, low, high = SURVEYS[kind]
    ends = (source.settings.get("scales") or {}).get(kind) or (low, high)
    return metric, float(ends[0]), float(ends[1])


def _read_addition(answers: Answers, answer: Field) -> None:
    """Free words are said; what was chosen stands beside."""
    question, value = answer["question"], answer["value"]
    given = [(question["type"].value, value)] if not isinstance(value.value, dict) else list(value.members())
    for kind, field in given:
        if kind == "free_response":
            answers.say(field.text_or_none())
        elif field.value not in (None, []):
            answers.others[question["text"].text_or_none() or question["id"].id_or_none() or answer.path] = _plain(field.value)


def _plain(value: Any) -> Any:
    """A choice by its words, several as a list, a point on a scale as it is."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.get("text", value) if isinstance(value, dict) else value


def _read_properties(properties: Field) -> dict[str, Any]:
    return {name: field.value for name, field in properties.members() if field.value is not None}
