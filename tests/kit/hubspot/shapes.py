"""Whether a body is one that HubSpot's own client would make or take: by the models that HubSpot generates from its API's description.

The client itself does not look: it takes `{}` for an answer. Here every member's type is compared, nothing that is required may lack, and a request may
have nothing that HubSpot does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from types import ModuleType
from typing import Any

from tests.kit.simulated import Call, Reply

PACKAGES = {
    "contacts": "hubspot.crm.contacts", "companies": "hubspot.crm.companies", "tickets": "hubspot.crm.tickets", "notes": "hubspot.crm.objects.notes",
    "emails": "hubspot.crm.objects.emails",
}  # fmt: skip
# method, path, model of the request, of the answer, of an answer in part
_RULES = (
    ("POST", r"/crm/v3/objects/(\w+)/search", "PublicObjectSearchRequest", "CollectionResponseWithTotalSimplePublicObject(ForwardPaging)?", ""),
    (
        "POST", r"/crm/v3/objects/(\w+)/batch/read", "BatchReadInputSimplePublicObjectId", "BatchResponseSimplePublicObject",
        "BatchResponseSimplePublicObjectWithErrors",
    ),
    ("POST", r"/crm/v3/objects/(\w+)/batch/create", "BatchInputSimplePublicObject(BatchInput|Input)ForCreate", "BatchResponseSimplePublicObject", ""),
    ("POST", r"/crm/v3/objects/(\w+)", "SimplePublicObjectInputForCreate", "SimplePublicObject", ""),
    ("PATCH", r"/crm/v3/objects/(\w+)/[^/]+", "SimplePublicObjectInput", "SimplePublicObject", ""),
    ("GET", r"/crm/v3/objects/(\w+)/[^/]+", "", "SimplePublicObjectWithAssociations", ""),
    ("GET", r"/crm/v3/objects/(\w+)", "", "CollectionResponseSimplePublicObjectWithAssociations(ForwardPaging)?", ""),
    ("POST", r"/crm/v3/properties/\w+", "PropertyCreate", "(Model)?Property", ""),
    ("GET", r"/crm/v3/properties/\w+", "", "CollectionResponseProperty(NoPaging)?", ""),
    (
        "POST", r"/crm/v4/associations/\w+/\w+/batch/read", "BatchInputPublicFetchAssociationsBatchRequest", "BatchResponsePublicAssociationMultiWithLabel",
        "BatchResponsePublicAssociationMultiWithLabelWithErrors",
    ),
    ("GET", r"/crm/v3/pipelines/tickets/\w+", "", "Pipeline", ""),
)  # fmt: skip
_FIXED = {"/crm/v3/properties": "hubspot.crm.properties", "/crm/v4/associations": "hubspot.crm.associations.v4", "/crm/v3/pipelines": "hubspot.crm.pipelines"}
_NATIVE: Mapping[str, type] = {"str": str, "int": int, "bool": bool, "object": object, "float": float}


def faults(call: Call, reply: Reply) -> list[str]:
    """What of an exchange is not as HubSpot describes it; a call that no rule knows is one."""
    for method, pattern, asked, answered, in_part in _RULES:
        found = re.fullmatch(pattern, call.path)
        if found and method == call.method:
            models = _models(call.path, found.groups())
            answer = "Error" if reply.status >= 400 else in_part if reply.status == 207 else answered
            sent = list(_check(models, asked, call.body, "request", True)) if asked else []
            return sent + list(_check(models, answer, json.loads(reply.content()), f"answer {reply.status}", False))
    return [f"{call.method} {call.path} is no call that is known"]


def _models(path: str, groups: tuple[str, ...]) -> ModuleType:
    fixed = next((package for start, package in _FIXED.items() if path.startswith(start)), "")
    return import_module(f"{fixed or PACKAGES[groups[0]]}.models")


def _check(models: ModuleType, kind: str, value: Any, path: str, strict: bool) -> Iterator[str]:
    if listed := re.fullmatch(r"list\[(.*)\]", kind):
        yield from _check_all(models, listed[1], dict(enumerate(value)) if isinstance(value, list) else None, path, strict)
    elif mapped := re.fullmatch(r"dict\[str, (.*)\]|dict\(str, (.*)\)", kind):
        yield from _check_all(models, mapped[1] or mapped[2], value if isinstance(value, dict) else None, path, strict)
    elif kind == "datetime":
        if not isinstance(value, str) or datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo is None:
            yield f"{path} is no time"
    elif kind in _NATIVE:
        if not isinstance(value, _NATIVE[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{path} is no {kind}"
    else:
        yield from _check_object(models, _model(models, kind), value, path, strict)


def _check_all(models: ModuleType, kind: str, values: Mapping[Any, Any] | None, path: str, strict: bool) -> Iterator[str]:
    if values is None:
        yield f"{path} is no collection"
    for name, value in (values or {}).items():
        yield from _check(models, kind, value, f"{path}.{name}", strict)


def _check_object(models: ModuleType, model: Any, value: Any, path: str, strict: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is no object"
        return
    names = {shown: attribute for attribute, shown in model.attribute_map.items()}
    if strict and (unknown := value.keys() - names.keys()):
        yield f"{path} has {unknown}, which {model.__name__} has not"
    given = {names[name]: each for name, each in value.items() if name in names and each is not None}
    try:
        model(**given)  # refuses what lacks or is none of the values it may have
    except ValueError as error:
        yield f"{path}: {error}"
    for attribute, each in given.items():
        yield from _check(models, model.openapi_types[attribute], each, f"{path}.{attribute}", strict)


def _model(models: ModuleType, pattern: str) -> Any:
    return next(getattr(models, name) for name in dir(models) if re.fullmatch(pattern, name))
