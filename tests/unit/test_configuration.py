from __future__ import annotations

import pytest
from caseline.configuration import read_config, read_secrets
from caseline.crm import crm_names
from caseline.errors import ConfigError
from caseline.settings import DEFAULT_URL, Config

GOOD = """public_url: https://hooks.example.com/
brands:
  acme: {own_ids: ["x:111", "EMAIL:Care@Acme.example", "4711"]}
sources:
  - {channel: standard_webhooks, name: default, brand: acme}
  - {channel: x, name: acme-care, brand: acme, trust: verified, settings: {a: 1}}
crm: {name: builtin, instance: https://crm.example.com, settings: {b: 2}}
analysis: {name: embedded}
"""


def test_good_file_becomes_a_config() -> None:
    config = Config.from_json(read_config(GOOD))
    source = config.source("x", "acme-care")
    assert config.public_url == "https://hooks.example.com" and source and source.trust == "verified" and source.settings == {"a": 1}
    assert source.own_ids == ("x:111", "email:care@acme.example", "4711")
    assert config.crm.settings == {"instance": "https://crm.example.com", "b": 2} and config.identity_scope == "deployment"
    assert config.source("x", "default") is None and config.source("../x", "acme-care") is None
    opened = source.open(["secret"])
    assert (opened.name, opened.brand, opened.trust, opened.secrets) == ("acme-care", "acme", "verified", ["secret"])


def test_little_is_needed() -> None:
    config = Config.from_json(read_config('{"brands": {"acme": {}}, "sources": [{"channel": "x", "brand": "acme"}]}'))
    assert config.public_url == DEFAULT_URL and config.source("x", "default") and config.crm.name == "builtin" and config.analysis.name == "embedded"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("channel: x,", "channel: xx,", "config.yaml:6:6: sources.1.channel: there is no channel 'xx'; did you mean 'x'?"),
        ("channel: x,", "chanel: x,", "config.yaml:6:6: sources.1.chanel: there is no key 'chanel' here; did you mean 'channel'?"),
        ("{channel: x, name: acme-care", "{channel: standard_webhooks, name: default", "stands here twice"),
        ("trust: verified", "trust: maybe", "config.yaml:6:48: sources.1.trust: this value is not known; write 'verified' or 'asserted'"),
        ("brand: acme, trust", "brand: acne, trust", "there is no brand 'acne' under brands; did you mean 'acme'?"),
        ("name: builtin", "name: bultin", "config.yaml:7:7: crm.name: there is no crm 'bultin'; did you mean 'builtin'?"),
        ("name: embedded", "name: embeded", "there is no analysis 'embeded'; did you mean 'embedded'?"),
        ("name: acme-care", "name: 7", "config.yaml:6:18: sources.1.name: this must be a text; put it in quotes"),
        ("name: acme-care", "name: a/b", "cannot stand in a URL"),
        ("https://hooks", "hooks", "config.yaml:1:1: public_url: this is not a URL; write one such as https://hooks.example.com"),
        ("brands:", "brandz:", "did you mean 'brands'?"),
        ("public_url:", "public_url: :", "config.yaml:1:"),
        ("settings: {a: 1}", "settings: {region: UK}", "sources.1.settings.region: 'UK' is no country; write two letters of ISO 3166, such as GB"),
        ("channel: x,", "channel: google_play,", "google_play needs the setting 'package'"),
    ],
)
def test_mistake_is_named_with_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(GOOD.replace(old, new, 1))
    assert said in str(caught.value)


SALESFORCE = """brands: {acme: {}}
sources: []
crm:
  name: salesforce
  instance_url: https://acme.my.salesforce.example
  queues: {senior care: 00G5g000000ABCDEAA}
  settings: {tiers: {Gold: strategic}}
  changes_minutes: 2
"""
ADDRESS = "instance_url: https://acme.my.salesforce.example"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("queues: {senior care", "queue: {senior care", "config.yaml:6:3: crm.queue: salesforce has no setting 'queue'; did you mean 'queues'?"),
        ("changes", "chang", "config.yaml:8:3: crm.chang_minutes: salesforce has no setting 'chang_minutes'; did you mean 'changes_minutes'?"),
        ("changes_minutes: 2", "changes_minutes: soon", "config.yaml:8:3: crm.changes_minutes: write a number of minutes from 0 to 10080"),
        ("00G5g000000ABCDEAA", "[1]", "config.yaml:6:12: crm.queues.senior care: write a text"),
        ("tiers: {Gold: strategic}", "tiers: Gold", "config.yaml:7:14: crm.settings.tiers: write a mapping"),
        (ADDRESS, "instance_url: http://acme.example", "config.yaml:5:3: crm.instance_url: write https://, plain http goes to this machine only"),
        (ADDRESS, "instance_url: acme", "config.yaml:5:3: crm.instance_url: write https://host"),
        (f"  {ADDRESS}\n", "", "config.yaml:3:1: crm.instance_url: salesforce needs it; write https://host"),
        ("changes_minutes: 2", "handles_field: a b", "config.yaml:3:1: crm: 'a b' is no field name; write an API name such as CX_Tier__c"),
    ],
)
def test_a_crms_settings_are_checked_by_its_own_reader(old: str, new: str, said: str) -> None:
    assert read_config(SALESFORCE)["crm"]["name"] == "salesforce"
    with pytest.raises(ConfigError) as caught:
        read_config(SALESFORCE.replace(old, new, 1))
    assert str(caught.value) == said


@pytest.mark.parametrize("name", [name for name in crm_names() if name not in ("builtin", "rest")])  # a mapping says what `rest` needs
def test_each_crm_says_what_its_login_lacks(name: str) -> None:
    config = {"crm": {"name": name, "instance_url": "https://crm.example"}}
    with pytest.raises(ConfigError, match=rf"^secrets\.json:1:2: crm/{name}: the secret of crm {name} lacks \w+"):
        read_secrets(f'{{"crm/{name}": {{}}}}', config)
    with pytest.raises(ConfigError, match="did you mean") as caught:
        read_config(f"brands: {{}}\nsources: []\ncrm: {{name: {name}, instance_url: https://crm.example, changes_minute: 1}}\n")
    assert "config.yaml:3:" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "1", "- a", "a: b: c", "a: 1\na: 2\nbrands: {}\nsources: []", "\t", "{", "brands: [1]\nsources: {}"])
def test_any_text_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml:\d+:\d+: "):
        read_config(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"x/acme-care": ["short"]}', "secrets.json:1:18: x/acme-care.0: this secret is too short"),
        ('{"standard_webhooks/default": ["whsec_0123456789abcdef"]}', "at least 32 characters"),
        ('{"x/acme": ["0123456789abcdef"]}', "did you mean 'x/acme-care'?"),
        ('{"x/acme-care": "0123456789abcdef"}', "newest first"),
        ("[]", "the secrets are an object"),
        ('{"crm/salesforce": []}', "is an object"),
        ('{"crm/sailforce": {}}', "secrets.json:1:2: crm/sailforce: there is no CRM 'sailforce'; did you mean 'salesforce'?"),
        ('{"crm/salesforce": {"webhook_secrets": "0123456789abcdef"}}', "secrets.json:1:21: crm/salesforce.webhook_secrets: these are a list, newest first"),
        ('{"crm/salesforce": {"webhook_secrets": ["short"]}}', "secrets.json:1:41: crm/salesforce.webhook_secrets.0: this secret is too short"),
        ('{"x/acme-care": ["0123456789abcdef"', "secrets.json:1:"),
    ],
)
def test_wrong_secrets_are_named_and_never_shown(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_secrets(text, read_config(GOOD))
    assert said in str(caught.value) and "0123456789abcdef" not in str(caught.value) and 'short"' not in str(caught.value)


def test_good_secrets() -> None:
    text = '{"x/acme-care": ["0123456789abcdef", "fedcba9876543210"], "crm/salesforce": {"client_id": "a"}}'
    assert read_secrets(text, read_config(GOOD))["x/acme-care"][0] == "0123456789abcdef" and read_secrets("", {}) == {}
