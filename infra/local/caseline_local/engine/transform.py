"""The SAM template as plain CloudFormation: offline, and cached, for the translation costs a second."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Template = dict[str, Any]
_CODE_FIELDS = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_LOCAL_CODE = "s3://code/"
_CACHE_VERSION = "1"


def translate(template_file: Path, parameters: Mapping[str, str], cache: Path, region: str = "us-east-1") -> Template:
    """The translated template, from `cache` (a directory) where nothing it was made of has changed."""
    cached = cache / f"template-{_fingerprint(template_file, parameters, region)}.json"
    if cached.exists():
        return dict(json.loads(cached.read_text()))
    translated = _translate(template_file, parameters, region)
    cache.mkdir(parents=True, exist_ok=True)
    for stale in cache.glob("template-*.json"):
        stale.unlink(missing_ok=True)
    unfinished = cached.with_suffix(".part")
    unfinished.write_text(json.dumps(translated))
    unfinished.replace(cached)
    return translated


def code_path(uri: Any) -> str:
    """The path, from the template's directory, of code that `translate` hid behind an S3 address.

    `uri` is that address, or the bucket and key SAM makes of it.
    """
    if isinstance(uri, Mapping):
        return str(uri.get("S3Key") or uri["Key"])
    return str(uri).removeprefix(_LOCAL_CODE)


def _fingerprint(template_file: Path, parameters: Mapping[str, str], region: str) -> str:
    digest = hashlib.sha256(json.dumps([_CACHE_VERSION, sorted(parameters.items()), region]).encode())
    for file in _ingredients(template_file):
        digest.update(file.as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:24]


def _ingredients(template_file: Path) -> Iterable[Path]:
    return [template_file, *sorted((template_file.parent / "infra").glob("**/*.asl.*"))]


def _translate(template_file: Path, parameters: Mapping[str, str], region: str) -> Template:
    from boto3 import Session
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    translator = Translator({}, Parser(), boto_session=Session(region_name=region))
    source = _inline(_read_yaml(template_file), template_file.parent)
    return dict(translator.translate(source, {**_defaults(source), **parameters}))


def _read_yaml(file: Path) -> Any:
    from samtranslator.yaml_helper import yaml_parse

    return yaml_parse(file.read_text())


def _defaults(template: Template) -> dict[str, Any]:
    return {name: declared["Default"] for name, declared in template.get("Parameters", {}).items() if "Default" in declared}


def _inline(template: Template, root: Path) -> Template:
    """SAM insists on uploaded code; give it addresses that lead back here, and definitions in place of their files."""
    inlined = copy.deepcopy(template)
    shared = inlined.get("Globals", {}).get("Function", {})
    if "CodeUri" in shared:
        shared["CodeUri"] = _LOCAL_CODE + str(shared["CodeUri"])
    for resource in inlined["Resources"].values():
        _inline_resource(resource["Type"], resource.setdefault("Properties", {}), root)
    return inlined


def _inline_resource(kind: str, properties: dict[str, Any], root: Path) -> None:
    field = _CODE_FIELDS.get(kind)
    if field and field in properties:
        properties[field] = _LOCAL_CODE + str(properties[field])
    if kind == "AWS::Serverless::StateMachine" and "DefinitionUri" in properties:
        properties["Definition"] = _read_yaml(root / properties.pop("DefinitionUri"))
