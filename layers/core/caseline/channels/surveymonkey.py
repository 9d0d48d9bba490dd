"""SurveyMonkey: notices of responses, which `complete` fetches. Credential: the app's secret, and its client id as the setting `api_key`; of the API
`{"access_token"}` as another secret of the source.

Facts: github.com/SurveyMonkey/public_api_docs, "Webhooks"; api.surveymonkey.com/v3/docs, response details. Making a webhook, the platform probes by HEAD.
Setting `api_host` for accounts in Europe or Canada. Not confirmed: what details say of a question's kind and a choice's weight, so scores other than an
NPS question's are found by the setting `questions` (see caseline.answers); a label's number stands before its weight, for weights of NPS may be -100 to 100.
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime
from typing import Any

from caseline.answers import SCALES, Answers, Role, find_role
from caseline.calls import read_answer, read_credentials, read_path_id, read_setting, webhook_secrets
from caseline.errors import SignatureError
from caseline.identity import normalise_identities, normalise_identity
from caseline.payloads import Field, read_json, settle_time
from caseline.signals import CREATED, DELETED, METRICS, UPDATED, Signal, Unreadable, isoformat
from caseline.signatures import decode_base64, encode_base64, read_header
from caseline.signatures.hmacs import sign_prefixed, verify_prefixed
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "surveymonkey"
HOSTS = ("api.surveymonkey.com", "api.eu.surveymonkey.com", "api.surveymonkey.ca")
KEY_HEADER, HEADER = "sm-apikey", "sm-signature"
NOTICES = {
    "response_completed": CREATED, "response_disqualified": CREATED, "response_overquota": CREATED, "response_updated": UPDATED, "response_deleted": DELETED,
}
IGNORED = ("response_created", "collector_", "survey_", "app_")  # a response that was begun has no answers yet
RECOMMEND = re.compile(r"\brecommend", re.IGNORECASE)


def verify(request: WebhookRequest, source: Source) -> None:
    """The key of the HMAC is the client id and the secret together."""
    client = _client(source)
    if not client or not hmac.compare_digest(read_header(request.headers, KEY_HEADER).encode(), client.encode("utf-8", "surrogatepass")):
        raise SignatureError("the notice is not for this app")
    keys = [f"{client}&{secret}" for secret in webhook_secrets(source) if secret.strip()]
    verify_prefixed(request.headers, HEADER, "", request.body, keys, decode_base64, "sha1")


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The request as the platform would send it, with the newest secret; for samples."""
    key = f"{_client(source)}&{webhook_secrets(source)[0]}"
    return request.with_headers({KEY_HEADER: _client(source)} | sign_prefixed(HEADER, "", request.body, key, encode_base64, "sha1"))


def challenge(request: WebhookRequest, source: Source) -> WebhookResponse | None:
    """The probe, when the webhook is made."""
    return WebhookResponse(200) if request.method == "HEAD" else None


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """The platform asks for 200."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    event, resources = body["event_type"].text(), body["resources"]
    if event.startswith(IGNORED):
        return []
    if event not in NOTICES:
        body["event_type"].refuse("is not a known event")
    response, moment = read_path_id(body["object_id"]), body["event_datetime"].time_or_none() or request.received_at
    known: dict[str, Any] = {
        "channel": "surveymonkey", "source": source.name, "native_id": response, "action": NOTICES[event], "received_at": request.received_at,
        "occurred_at": settle_time(moment, request.received_at, "event_datetime"), "identities": _identify(resources["recipient_id"], response),
    }
    if NOTICES[event] == DELETED:
        return [Signal(kind="survey_response", **known)]
    return [Signal(kind="pointer", attributes={"survey_id": read_path_id(resources["survey_id"]), "event": event}, **known)]


def complete(session: Any, source: Source, signal: Signal) -> Signal:
    """The response that a notice pointed to; one that is gone by now is a deletion."""
    survey = read_path_id(Field(signal.attributes.get("survey_id"), "attributes.survey_id"))
    url = f"https://{read_setting(source, 'api_host', HOSTS[0])}/v3/surveys/{survey}/responses/{signal.native_id}/details"
    headers = {"Authorization": f"Bearer {read_credentials(source)['access_token'].text()}"}
    answer = session.request("GET", url, params={"simple": "true"}, headers=headers)
    if answer.status_code == 404:
        return signal.with_(kind="survey_response", action=DELETED, attributes={})
    response = read_answer(answer, "a response")
    made, changed = (_read_moment(response[name], signal.received_at) for name in ("date_created", "date_modified"))
    facts = _read_response(response, source).facts(
        *_identify(response["recipient_id"], signal.native_id), survey_id=survey, variables=dict(response["custom_variables"].value or {}),
        collector_id=response["collector_id"].id_or_none(), partial=True if response["response_status"].value == "partial" else None,
    )
    return signal.with_(
        kind="survey_response", occurred_at=made or signal.occurred_at, revision=isoformat(changed) if changed else "",
        url=response["analyze_url"].text_or_none(), **facts,
    )


def _read_response(response: Field, source: Source) -> Answers:
    answers = Answers(source.region)
    answers.call(*(response[name].text_or_none() for name in ("first_name", "last_name")))
    contact = response["metadata"]["contact"]["email"]["value"] if "metadata" in response else Field(None, "metadata")
    answers.identities += [f"email:{email}" for email in (response["email_address"].text_or_none(), contact.text_or_none()) if email]
    for page in response["pages"].each():
        for question in page["questions"].each():
            for answer in question["answers"].each():
                _read_question(answers, question, answer, source)
    return answers


def _read_question(answers: Answers, question: Field, answer: Field, source: Source) -> None:
    """One answer: by the source's settings, else by what the question is, else kept beside."""
    title, family = question["heading"].text_or_none() or "", question["family"].text_or_none()
    role, text, label = find_role(source, question["id"].id_or_none(), title), answer["text"].text_or_none(), answer["simple_text"].text_or_none()
    if role is None and (question["subtype"].value == "nps" or (family == "matrix" and RECOMMEND.search(title))):
        role = Role("nps")
    if role and role.name in METRICS:
        answers.take(role, _read_score(answer, role), answer.path, title)
    elif role:
        answers.take(role, text or label, answer.path, title)
    elif family == "open_ended" or (text and "other_id" in answer):
        answers.say(text or label)
    elif text and family == "demographic" and normalise_identity(f"email:{text}"):
        answers.identities.append(f"email:{text}")
    else:
        answers.others[title or question["id"].id()] = label or text or answer["choice_id"].id_or_none()


def _read_score(answer: Field, role: Role) -> str | float:
    """The number of the label, if it is on the scale, else the choice's weight."""
    low, high = SCALES[role.name]
    low, high = low if role.low is None else role.low, high if role.high is None else role.high
    numbers = re.findall(r"\d+(?:\.\d+)?", answer["simple_text"].text_or_none() or answer["text"].text_or_none() or "")
    weight = answer["choice_metadata"]["weight"]
    found = next((number for number in reversed(numbers) if low <= float(number) <= high), None)
    return found or (weight.number() if isinstance(weight.value, int | float) else weight.id())


def _read_moment(field: Field, received_at: datetime) -> datetime | None:
    moment = field.time_or_none()
    return settle_time(moment, received_at, field.path) if moment else None


def _identify(recipient: Field, response: str) -> tuple[str, ...]:
    """The recipient of an invitation is a person; who came by a link is known by the response alone."""
    known = recipient.id_or_none()
    return normalise_identities([f"surveymonkey:{known if known and known != '0' else response}"])


def _client(source: Source) -> str:
    return str(source.settings.get("api_key") or "")
