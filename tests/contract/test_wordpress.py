"""What is special of WP-CRM System in WordPress: what an anonymous caller sees, what the plugin and its simulator agree on."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import requests
from caseline.crm import wordpress
from caseline.crm.wordpress._mapping import mapping_of
from caseline.errors import ConfigError, CrmAuthError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import RECORD
from tests.kit.crms.wordpress import WordPressWorld, world
from tests.kit.scenes import later
from tests.kit.wordpress import ME, server

ROOT = Path(__file__).parents[2]
PLUGIN = (ROOT / "infra/crm/wordpress/caseline.php").read_text()
SAMPLES = sorted((ROOT / "events/crm/wordpress").glob("*.json"))
ROUTES = ("/status", "/people?email[]=ann@example.com", "/people", "/cases", "/cases?key=cx-1", "/cases/11", "/changes/cases", "/changes/comments")


@pytest.fixture
def wp() -> Iterator[WordPressWorld]:
    with world() as found:
        yield found


def _with(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("headers", [{}, _with(ME, "wrong"), _with("nobody", ""), {"Authorization": "Bearer x"}], ids=["none", "wrong", "nobody", "bearer"])
def test_who_is_not_logged_in_sees_nothing(wp: WordPressWorld, route: str, headers: dict[str, str]) -> None:
    wp.add_contact(wp.add_account("Globex"), "Ann", "ann@example.com")
    wp.adapter().save_case(replace(RECORD, case_key="cx-1"))
    answer = requests.get(f"{wp.site.url}/wp-json/caseline/v1{route}", headers=headers, timeout=5)
    assert answer.status_code == 401 and answer.json()["code"] == "rest_forbidden"
    assert "ann@example.com" not in answer.text and "cx-1" not in answer.text


def test_wordpress_itself_shows_no_record(wp: WordPressWorld) -> None:
    wp.adapter().save_case(RECORD)
    assert "wpcrm" not in requests.get(f"{wp.site.url}/wp-json/wp/v2/types", timeout=5).text
    assert requests.get(f"{wp.site.url}/wp-json/wp/v2/wpcrm-task", timeout=5).status_code == 404
    assert all(post["status"] == "private" for post in wp.site.of("cases"))


def test_a_user_without_the_capability_is_refused(wp: WordPressWorld) -> None:
    wp.site.rights[ME] = {"read", "edit_posts"}
    with pytest.raises(CrmAuthError):
        wp.adapter().find_account(["email:ann@example.com"])


def test_every_route_of_the_plugin_asks_for_the_capability() -> None:
    assert PLUGIN.count("register_rest_route(") == 1 and "'permission_callback' => 'caseline_allowed'" in PLUGIN
    allowed = PLUGIN[PLUGIN.index("function caseline_allowed") :].partition("\n}\n")[0]
    assert "'status' => 401" in allowed and "is_user_logged_in" in allowed and "current_user_can( CASELINE_RIGHT )" in allowed
    assert "__return_true" not in PLUGIN and "show_in_rest" not in PLUGIN
    assert "'post_status' => 'private'" in PLUGIN


def test_the_simulator_has_the_routes_of_the_plugin() -> None:
    listed = re.findall(r"array\( '(GET|POST)', '(/[^']*)', '\w+' \)", PLUGIN)
    code = Path(server.__file__).read_text()
    patterns = [(method, path.replace("(?P<id>", "(").replace("(?P<kind>", "(")) for method, path in listed]
    assert len(patterns) == 11 and all(f'("{method}", "{path}")' in code or f'("{method}", r"{path}")' in code for method, path in patterns)


def test_the_mapping_writes_what_the_plugin_keeps() -> None:
    kept = set(re.findall(r"'(\w+)'", PLUGIN[PLUGIN.index("const CASELINE_CASE") :].partition(";")[0]))
    moods = set(re.findall(r"'(\w+)'", PLUGIN[PLUGIN.index("const CASELINE_MOOD") :].partition(";")[0]))
    mapping = mapping_of("caseline", {})
    assert set(mapping["cases"]["update"]["body"]["caseline"]) == kept == set(server.OWN)
    assert set(mapping["people"]["profile"]["body"]) == moods == set(server.MOOD)


def test_a_new_case_takes_two_calls_and_a_later_save_one(wp: WordPressWorld) -> None:
    contact = wp.add_contact(account := wp.add_account("Globex"), "Ann", "ann@example.com")
    crm = wp.adapter()
    crm.find_account(["email:ann@example.com"])
    saved = crm.save_case(replace(RECORD, first=True, account_id=account, contact_id=contact))
    assert wp.calls() == 2
    crm.save_case(later(saved, score=85))
    assert wp.calls() == 3


def test_a_case_whose_customer_is_gone_is_saved_without(wp: WordPressWorld) -> None:
    saved = wp.adapter().save_case(replace(RECORD, first=True, account_id="999", contact_id="998"))
    assert saved.created and len(wp.cases()) == 1


def test_wordpress_may_stand_in_a_folder(wp: WordPressWorld) -> None:
    with pytest.raises(ConfigError, match=r"crm\.path"):
        wp.adapter(path="blog/")
    wp.adapter(path="/blog").usage  # noqa: B018


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_recorded_webhook_is_read_as_its_sample_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    sent, received_at = sample["request"], parse_time(sample["received_at"])
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), received_at)
    source = Source("wordpress", "acme", (), tuple(sample["secrets"]), sample.get("settings", {}))
    wordpress.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in wordpress.parse(request, source)] == sample["expected"]["changes"]
