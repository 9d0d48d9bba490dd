"""The simulator answers as the real one: the same status, and nothing that the real one does not say, in the same types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kit.bottlecrm import Simulated
from tests.kit.simulated import serving
from tests.oracles.bottlecrm.real import Real
from tests.oracles.bottlecrm.site import Site

NOBODY = "0c5d7d53-9a51-4f0b-8f0e-6d5a3b1f2c02"
Script = Callable[["Client"], None]


class Client:
    """Speaks with one of the two and keeps what was said."""

    def __init__(self, simulator: Any) -> None:
        self._simulator, self.said = simulator, list[tuple[str, int, Any]]()

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        status, answer = self._simulator.direct(method, path, body, **query)
        self.said.append((f"{method} {re.sub('[0-9a-f]{8}-[0-9a-f-]{27}', '...', path)} {body} {query}", status, answer))
        return answer

    @property
    def profile(self) -> str:
        return str(self._simulator.person.profile)


@pytest.fixture
def both(timed_site: Site) -> Iterator[tuple[Client, Client]]:
    timed_site.clock.unlink(missing_ok=True)  # with its clock stopped by another test, nothing there would have an order
    real, simulated = Real(timed_site), Simulated()
    simulated.org.clock = lambda: datetime.now(UTC)
    with serving(simulated):
        yield Client(real), Client(simulated)


def fields(client: Client) -> None:
    text = {"target_model": "Case", "key": "cx_case_key", "label": "Case key", "field_type": "text"}
    made = client("POST", "custom-fields", text)
    client("POST", "custom-fields", text)
    client("POST", "custom-fields", {"target_model": "Case", "key": "cx_n", "label": "N", "field_type": "number"})
    client("POST", "custom-fields", {"target_model": "Case", "key": "cx_d", "label": "D", "field_type": "date"})
    options = [{"value": "P1", "label": "P1"}]
    client("POST", "custom-fields", {"target_model": "Case", "key": "cx_band", "label": "B", "field_type": "dropdown", "options": options})
    client("POST", "custom-fields", {"target_model": "Case", "key": "cx_bad", "label": "B", "field_type": "dropdown"})
    client("POST", "custom-fields", {"target_model": "Case", "key": "Bad Key", "label": "B", "field_type": "nothing"})
    client("POST", "custom-fields", {"target_model": "Contact", "key": "cx_x", "label": "X", "field_type": "text"})
    client("GET", "custom-fields", include_counts="false")
    client("DELETE", f"custom-fields/{made['id']}")
    client("PUT", f"custom-fields/{made['id']}", {"is_active": True})
    client("PUT", f"custom-fields/{NOBODY}", {"is_active": True})


def people(client: Client) -> None:
    fields(client)
    account = client("POST", "accounts", {"name": "Globex"})["id"]
    client("POST", "accounts", {"name": "globex"})
    client("POST", "accounts", {})
    ann = {"first_name": "Ann", "last_name": "-", "email": "ann@example.com", "phone": "+44 20 7946 0000", "account": account}
    ann["custom_fields"] = {"cx_x": "1", "no": 1}
    contact = client("POST", "contacts", ann)["id"]
    client("POST", "contacts", ann)
    client("POST", "contacts", {"first_name": "", "email": "no address", "phone": "1"})
    client("POST", "contacts", {"first_name": "B", "last_name": "-", "account": NOBODY})
    for query in ({"email": "ANN@example"}, {"cf_cx_x": "1"}, {"cf_cx_x": "2"}, {"phone": "7946"}, {"search": "ann"}):
        client("GET", "contacts", limit=5, **query)
    client("GET", f"contacts/{contact}")
    client("GET", f"contacts/{NOBODY}")
    client("PATCH", f"contacts/{contact}", {"custom_fields": {"cx_x": "2"}})
    client("PATCH", f"contacts/{NOBODY}", {"custom_fields": {}})
    client("POST", "contacts/duplicates", {"phone": "+442079460000"})
    client("POST", "contacts/duplicates", {"email": "ann@example.com"})
    client("POST", "contacts/duplicates", {"phone": "x" * 26})
    client("GET", "accounts", name="glob", limit=5)
    client("GET", f"accounts/{account}")
    client("GET", f"accounts/{NOBODY}")
    client("PATCH", f"accounts/{NOBODY}", {"custom_fields": {}})
    client("POST", "opportunities", {"name": "Deal", "account": account, "amount": "120.5", "stage": "CLOSED_WON", "closed_on": "2026-11-01"})
    client("GET", "accounts", name="Globex", limit=5)
    client("GET", "activities", limit=3, entity_type="Contact")
    client("POST", "contacts", {"first_name": "x" * 200, "last_name": "y" * 200})


def tickets(client: Client) -> None:
    fields(client)
    parcel = {"name": "Parcel [1]", "status": "New", "priority": "Urgent", "custom_fields": {"cx_case_key": "k-1", "cx_n": "2", "cx_band": "P1", "no": 1}}
    first = client("POST", "cases", parcel)["id"]
    client("POST", "cases", {**parcel, "name": "PARCEL [1]"})
    client("POST", "cases", {**parcel, "name": "Other", "account": NOBODY})
    client("POST", "cases", {**parcel, "name": "Other", "contacts": ["zz"]})
    client("POST", "cases", {"name": "x" * 65 + "\x00", "status": "Nope", "priority": "Urgent"})
    client("POST", "cases", {})
    for custom in ({"cx_band": "P9"}, {"cx_n": "many"}, {"cx_d": "soon"}, {"cx_n": 3, "cx_d": "2026-12-01"}):
        client("PATCH", f"cases/{first}", {"custom_fields": custom})
    client("PATCH", f"cases/{first}", {"status": "Closed", "priority": "Low"})
    client("PATCH", f"cases/{first}", {"status": "Assigned", "assigned_to": [client.profile]})
    client("PATCH", f"cases/{first}", {"status": "Duplicate"})
    client("PATCH", f"cases/{NOBODY}", {"status": "New"})
    client("POST", f"cases/{first}", {"comment": "called <back> & 😀", "is_internal": True})
    client("POST", f"cases/{first}", {"comment": "sorry"})
    client("POST", f"cases/{first}", {"comment": "a\x00b"})
    client("GET", f"cases/{first}")
    client("GET", f"cases/{NOBODY}")
    client("GET", "cases/nobody")
    client("GET", f"cases/{first}/activities", limit=3)
    [note] = client("GET", f"cases/{first}")["internal_notes"]
    for _ in range(2):
        client("DELETE", f"cases/comment/{note['id']}", {})
    client("PATCH", f"cases/{first}", {"description": "other words"})
    client("GET", f"cases/{first}")
    client("GET", f"cases/{first}/activities", limit=1)
    client("GET", f"cases/{NOBODY}/activities")
    second = client("POST", "cases", {**parcel, "name": "Second"})["id"]
    for query in ({"cf_cx_case_key": "k-1"}, {"cf_cx_n": "3"}, {"name": "parcel"}, {"ordering": "created_at"}, {"status": "Assigned"}):
        client("GET", "cases", slim="true", limit=5, **query)
    client("POST", f"cases/{first}/merge/{second}")
    client("POST", f"cases/{first}/merge/{NOBODY}")
    client("GET", f"cases/{first}")
    client("GET", f"cases/{first}", show_merged="true")
    client("PATCH", f"cases/{first}", {"status": "New"})
    client("PATCH", f"cases/{first}", {"custom_fields": {"cx_n": 5}})
    client("GET", "cases", slim="true", limit=5)
    client("GET", "cases", slim="true", limit=5, show_merged="true")
    client("POST", "cases/bulk/delete", {"ids": [second]})
    client("GET", "cases", slim="true", limit=5)
    client("GET", "cases", slim="true", limit=5, include_deleted="true")
    client("GET", f"cases/{second}")
    client("POST", "cases", {**parcel, "name": "Second"})
    client("DELETE", f"cases/{second}")
    client("GET", "activities", limit=50, entity_type="Case")
    client("GET", "profile")
    client("GET", "cases", cf_cx_case_key="x" * 4_200)


@pytest.mark.parametrize("script", [fields, people, tickets])
def test_both_say_the_same(both: tuple[Client, Client], script: Script) -> None:
    for client in both:
        script(client)
    real, simulated = (client.said for client in both)
    unlike = [(asked, status, other) for (asked, status, _), (_, other, _) in zip(real, simulated, strict=True) if status != other]
    assert unlike == []
    assert [found for (asked, _, answer), (_, _, other) in zip(real, simulated, strict=True) for found in differences(asked, answer, other)] == []


SAME = {"status", "priority", "action", "is_internal", "comment", "custom_fields", "errors", "detail", "message", "count", "cases_count", "contacts_count"}


def differences(path: str, real: Any, other: Any) -> Iterator[str]:
    """Where the simulator says what the real one does not; lists are compared item by item, and what matters by its value."""
    if isinstance(other, dict):
        if not isinstance(real, dict):
            yield f"{path}: {type(real).__name__}"
            return
        for name, value in other.items():
            if name not in real:
                yield f"{path}: no {name}"
            elif name in SAME and not isinstance(value, list | dict) and value != real[name]:
                yield f"{path}.{name}: {real[name]!r}, not {value!r}"
            else:
                yield from differences(f"{path}.{name}", real[name], value)
    elif isinstance(other, list) and isinstance(real, list):
        if other and isinstance(other[0], dict) and len(other) != len(real):
            yield f"{path}: {len(real)} items, not {len(other)}"
        for one, another in zip(real, other, strict=False):
            yield from differences(f"{path}[]", one, another)
    elif None not in (real, other) and type(real) is not type(other):
        yield f"{path}: {type(real).__name__}, not {type(other).__name__}"
