"""Qualtrics: notices of responses, sent as forms, which `complete` fetches. Credential: the subscription's shared key, which signs the field MSG; where a
subscription has none, the same key as an unguessable `?token=` in its URL. Of the API `{"api_token"}` as another secret of the source, with the setting
`datacenter`.

Facts: captures in public projects; api.qualtrics.com, "Retrieve a Survey Response". Not confirmed: the algorithm (setting `algorithm`, `sha512` unless said;
128 hex digits are seen) and the zone of CompletedDate, which names none and is taken for UTC until the response says when it was recorded. Encrypted notices
are not read. An NPS question is told by its group; the setting `questions` says what the others are (see caseline.answers).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from caseline.answers import Answers, Role, find_role
from caseline.calls import read_answer, read_credentials, read_path_id, read_setting, webhook_secrets
from caseline.errors import PayloadError, SignatureError
from caseline.identity import normalise_identities
from caseline.payloads import Field, read_form, read_json, settle_time
from caseline.signals import DELETED, Signal, Unreadable, isoformat
from caseline.signatures.hmacs import sign_prefixed, verify_prefixed
from caseline.signatures.tokens import read_url_token, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "qualtrics"
PROOF = "body"
DATACENTERS = ("au1", "az1", "ca1", "co1", "eu", "fra1", "gov1", "iad1", "lhr1", "pdx1", "sjc1", "syd1", "tyo1", "yul1")
HOSTS = tuple(f"{name}.qualtrics.com" for name in DATACENTERS)
ALGORITHMS = ("sha512", "sha384", "sha256", "sha1")
FORM = "application/x-www-form-urlencoded"
IGNORED = ("startedRecipientSession", "activateSurvey", "deactivateSurvey", "created")
QUESTION = re.compile(r"QID\d+(_\w+)?\Z")
GROUP, ORDER = "_NPS_GROUP", "_DO"  # told beside an answer: its group, and the order in which choices were shown


def verify(request: WebhookRequest, source: Source) -> None:
    """The HMAC covers MSG alone, so the topic must be of the survey that MSG names."""
    if not (request.headers.get("content-type") or "").lower().startswith(FORM):
        raise SignatureError("the body is not a form")
    try:
        form = _read_fields(request.body)
    except PayloadError as error:
        raise SignatureError("the body is not a form") from error
    secrets, algorithm = webhook_secrets(source), _algorithm(source)
    if "HMAC" not in form or "MSG" not in form:
        verify_token(read_url_token(request.url), secrets)
        return
    if algorithm not in ALGORITHMS or not form.keys() <= {"HMAC", "MSG", "Topic"}:
        raise SignatureError("the form has fields that are not signed, or the algorithm is not known")
    verify_prefixed({"HMAC": form["HMAC"]}, "HMAC", "", form["MSG"].encode("utf-8", "surrogatepass"), secrets, algorithm=algorithm)
    if not _is_bound(form):
        raise SignatureError("the topic is of another survey")


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret: MSG signed, or the token in the URL; for samples."""
    form, secret = _read_fields(request.body), webhook_secrets(source)[0]
    if "MSG" not in form:
        return replace(request, url=f"{request.url}?{urlencode({'token': secret})}")
    proof = sign_prefixed("HMAC", "", form["MSG"].encode(), secret, algorithm=_algorithm(source))
    return replace(request, body=urlencode(proof | form).encode())


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The address must answer GET as well."""
    return WebhookResponse(200) if request.method in ("GET", "HEAD") else None


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """The platform asks for 200."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    form = _read_fields(request.body)
    topic, notice = Field(form.get("Topic"), "Topic"), _read_message(form)
    event = next((part for part in topic.text().split(".") if part in (*IGNORED, "completedResponse", "partialResponse")), None)
    if event in IGNORED:
        return []
    if event is None:
        topic.refuse("is not a known topic")
    response, survey = read_path_id(notice["ResponseID"]), read_path_id(notice["SurveyID"])
    moment = notice["CompletedDate"].time_or_none() or request.received_at
    person = notice["RecipientID"].id_or_none() or response
    return [Signal(
        channel="qualtrics", source=source.name, native_id=response, kind="pointer", received_at=request.received_at,
        occurred_at=min(moment, request.received_at), identities=normalise_identities([f"qualtrics:{person}"]),
        attributes={"survey_id": survey, **({"partial": True} if event == "partialResponse" else {})},
    )]


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The response that a notice pointed to; one that is gone by now is a deletion."""
    survey = read_path_id(Field(signal.attributes.get("survey_id"), "attributes.survey_id"))
    url = f"https://{read_setting(source, 'datacenter')}.qualtrics.com/API/v3/surveys/{survey}/responses/{signal.native_id}"
    answer = session.request("GET", url, headers={"X-API-TOKEN": read_credentials(source)["api_token"].text()})
    if answer.status_code == 404:
        return signal.with_(kind="survey_response", action=DELETED, attributes={})
    result = read_answer(answer, "a response")["result"]
    values, labels = Field(result["values"].object(), "result.values"), result["labels"]
    recorded, finished = values["recordedDate"].time_or_none(), values["finished"].value not in (0, False, "0")
    moment = settle_time(recorded, signal.received_at, values["recordedDate"].path) if recorded else signal.occurred_at
    facts = _read_answers(values, labels, source).facts(
        *signal.identities, survey_id=survey, reference=values["externalDataReference"].id_or_none(), partial=None if finished else True,
    )
    language = (values["userLanguage"].text_or_none() or "").lower()
    return signal.with_(
        kind="survey_response", occurred_at=moment, revision=isoformat(moment) if finished else "", language=language[:2] or None, **facts,
    )


def _read_answers(values: Field, labels: Field, source: Source) -> Answers:
    answers = Answers(source.region)
    answers.call(*(values[name].text_or_none() for name in ("recipientFirstName", "recipientLastName")))
    if email := values["recipientEmail"].text_or_none():
        answers.identities.append(f"email:{email}")
    for name, value in values.members():
        if name.endswith((GROUP, ORDER)) or value.value in (None, "", []):
            continue
        role = find_role(source, name) or (Role("nps") if f"{name}{GROUP}" in values else None)
        if role:
            answers.take(role, value.value, value.path, name)
        elif QUESTION.match(name) and name.endswith("_TEXT"):
            answers.say(value.text())
        elif QUESTION.match(name):
            answers.others[name] = labels[name].value if name in labels else value.value
    return answers


def _algorithm(source: Source) -> str:
    return str(source.settings.get("algorithm") or ALGORITHMS[0])


def _read_fields(body: bytes) -> dict[str, str]:
    pairs = read_form(body)
    if len(dict(pairs)) != len(pairs):
        raise PayloadError("has a field twice", "")
    return dict(pairs)


def _read_message(form: dict[str, str]) -> Field:
    """MSG where the notice is signed, else the form itself."""
    if "MSG" not in form:
        return Field(form, "")
    try:
        return Field(read_json(form["MSG"].encode("utf-8", "surrogatepass")).object(), "MSG")
    except PayloadError as error:
        raise PayloadError("must be a JSON object; encrypted notices are not read", "MSG") from error


def _is_bound(form: dict[str, str]) -> bool:
    try:
        survey = _read_message(form)["SurveyID"].id_or_none()
    except PayloadError:
        return True  # authentic, and read as nothing
    return survey is None or form.get("Topic", "").split(".")[-1] == survey
