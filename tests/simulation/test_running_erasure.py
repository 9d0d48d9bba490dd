"""Two people in every place of a running product: erased by the command line and by the API, then looked for in every byte of its home.

A local database is read as bytes, and each of its values as whoever decodes it: JSON, base64, deflate, percent signs, one in another.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlencode

import pytest

from tests.kit.crms.salesforce import SECRET, SalesforceWorld
from tests.kit.dev import Dev
from tests.kit.salesforce import Simulator
from tests.kit.scenes import stored_texts
from tests.kit.simulated import serving
from tests.simulation.test_running_product import KEY, SECRETS, TWIML, comments, generic, mention
from tests.simulation.test_running_with_crm import Today, until

MAILS, SMS, POSTS, PAGES = "postmark/acme", "twilio/acme", "x/acme", "meta/acme"
TOKENS = {**{key: SECRETS[key] for key in (KEY, SMS, POSTS, PAGES)}, MAILS: ["an-invented-token-0123456789"]}
WORDS = {
    "zenobia": ("zenobia", "quokka", "1632960777", "77001122334455", "marmalade"),
    "casimir": ("casimir", "numbat", "1632960888", "88001122334455", "rhubarb"),
}
TOLD = {"Contact", "CaseComment"}  # what stands in Salesforce and is named to who erases: the contact, and the recycle bin
BYSTANDER = "email:bystander@elm.example"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_=-]{16,}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
Sent = list[tuple[str, Any, Mapping[str, str]]]


@pytest.fixture
def world() -> Iterator[SalesforceWorld]:
    simulator = Simulator(Today())
    with serving(simulator):
        yield SalesforceWorld(simulator)


@pytest.fixture
def dev(world: SalesforceWorld, tmp_path: Path) -> Iterator[Dev]:
    crm = {"name": "salesforce", "instance_url": world.simulator.url, "phone_country_code": "44", "enrich_minutes": 5, "coalesce_minutes": 0}
    sources = [{"channel": key.partition("/")[0], "name": key.partition("/")[2], "brand": "acme"} for key in TOKENS]
    world.add_contact(world.add_account("Brightwater Ferries", "strategic"), "Quokka", "zenobia@elm.example")
    running = Dev(tmp_path / "home", {"brands": {"acme": {}}, "sources": sources, "crm": crm, "policy": "policy.yaml"}, {**TOKENS, "crm/salesforce": SECRET})
    running.prepare()
    (running.home / "policy.yaml").write_text("version: 1\nstorms: {active: false}\ncrm: {create: contact, create_from: P4}\n")
    yield running.start()
    running.stop()


def said_by(name: str, family: str, digits: str, handle: str, word: str) -> Sent:
    """What one person sends by five ways; the sixth nobody can read."""
    who, mail = f"{name.title()} {family.title()}", f"{name}@elm.example"
    ids = {"identities": [f"email:{mail}", f"phone:+44{digits}", f"x:{handle}"]}
    first = generic(f"{name}-1", f"{name}-shop", f"My {word} is broken. I am really angry, {who}.", **ids)
    first["data"]["author"]["name"] = who
    edited = {**first, "type": "signal.updated", "data": {**first["data"], "text": f"My {word} is still broken!"}}
    large = json.dumps(generic(f"{name}-2", f"{name}-shop", f"{word} é " * 18_000, **ids), ensure_ascii=False).encode()  # for the door, not for the queue
    sms = urlencode({"MessageSid": f"SM{digits}", "From": f"+44{digits}", "To": "+4930222222", "Body": f"Where is my {word}? {name}"}).encode()
    post = mention(f"9{digits}", handle, f"The {word} of {name} is broken again, this is terrible!")
    unread = comments(1, message=f"The {word}!", **{"from": {"id": handle, "name": who}})
    unread["entry"][0]["changes"][0]["value"]["comment_id"] = []
    letter = {
        "FromFull": {"Email": mail, "Name": who}, "ToFull": [{"Email": "care@acme.example", "Name": ""}], "Subject": f"The {word}", "MessageID": f"0b-{name}",
        "Date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"), "TextBody": f"The {word} leaks all over, I am angry.\n\n{who}",
        "Headers": [{"Name": "Message-ID", "Value": f"<{name}.1@mail.example>"}],
    }  # fmt: skip
    return [(KEY, first, {}), (KEY, edited, {}), (KEY, large, {}), (SMS, sms, TWIML), (POSTS, post, {}), (PAGES, unread, {}), (MAILS, letter, {})]


def test_nothing_of_an_erased_person_is_left_in_the_home_nor_comes_back(dev: Dev, world: SalesforceWorld) -> None:
    people = {name: said_by(*words) for name, words in WORDS.items()}
    later = [(KEY, generic("z-late", "zenobia-shop", "More marmalade trouble, quokka.", identities=["email:zenobia@elm.example"]), {})]
    deliver(dev, [(KEY, generic("by-1", "bystander", "The timetable is wrong, and I am angry.", identities=[BYSTANDER]), {}), *chain(*people.values())])
    _rest(dev)
    _worked_on(dev)
    dev.let_pass(minutes=10)
    contact = world.org.all("Contact")[0]["Id"]
    until(lambda: world.contact_values(contact)["channels"])
    _rest(dev)
    assert set(found(dev.home)) == set(chain(*WORDS.values()))
    _erase_by_command(dev, "email:zenobia@elm.example")
    assert not any(world.contact_values(contact).values())
    _erase_by_api(dev, "email:casimir@elm.example")
    _rest(dev)
    assert {way.split(".")[3] for way in chain.from_iterable(stored_texts(world, word) for word in chain(*WORDS.values()))} <= TOLD
    dev.stop()
    assert not found(dev.home)
    dev.start()
    deliver(dev, [*chain(*people.values()), *later])
    dev.let_pass(minutes=10)
    _rest(dev)
    for identity in ("email:zenobia@elm.example", "phone:+441632960777", "x:88001122334455", "standard_webhooks:casimir-shop"):
        assert dev.customer(identity) is None
    assert len(dev.signals(BYSTANDER)) == len(dev.cases(BYSTANDER)) == 1
    dev.stop()
    assert not found(dev.home)


def _rest(dev: Dev) -> None:
    dev.settle()
    until(lambda: dev.api("crm")["unsynced"] == 0)


def _erase_by_command(dev: Dev, identity: str) -> None:
    told = dev.run("customers", "erase", identity, "--yes")
    assert told.returncode == 0 and "signals: 5, " in told.stdout and "payloads in quarantine: 1, " in told.stdout, told


def _erase_by_api(dev: Dev, identity: str) -> None:
    customer_id = (dev.customer(identity) or {})["customer_id"]
    told = dev.api(f"customers/{customer_id}/erase", {"confirm": customer_id})
    assert (told["erased"]["signal"], told["erased"]["quarantine"]) == (5, 1)


def deliver(dev: Dev, sent: Sent) -> None:
    for key, body, headers in sent:
        assert dev.send(key, body, headers)[0] in (200, 202), key


def _worked_on(dev: Dev) -> None:
    """By people, who write names down, too."""
    for name, words in WORDS.items():
        for case in dev.cases(f"email:{name}@elm.example"):
            dev.api(f"cases/{case['case_key']}", {"note": f"{name} rang about the {words[-1]}.", "band": "P2", "reason": f"{words[1]} waits"})


# ---- looking into all of it


def found(home: Path) -> dict[str, list[str]]:
    """Where each of the words stands, in whatever spelling, with what stands around it."""
    places: dict[str, list[str]] = {}
    for where, content in everything(home):
        for text in readings(content):
            for word in (word for words in WORDS.values() for word in words if word in text):
                at = text.index(word)
                places.setdefault(word, []).append(f"{where}: {text[max(0, at - 300) : at + 100]!r}")
    return places


def everything(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it stands there, and every value of a database."""
    for path in (path for path in sorted(home.rglob("*")) if path.is_file()):
        content = path.read_bytes()
        yield str(path.relative_to(home)), content
        if content.startswith(b"SQLite format 3"):
            yield from _values(path)


def _values(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):
                yield from ((f"{path.name} {table}", value if isinstance(value, bytes) else value.encode()) for value in row if isinstance(value, str | bytes))


def readings(content: bytes, depth: int = 3) -> Iterator[str]:
    text = content.decode("utf-8", "ignore").lower()
    yield text
    yield unquote_plus(_ESCAPE.sub(lambda each: chr(int(each[1], 16)), text))
    for part in _BASE64.findall(content) if depth else ():
        for inner in _decoded(part):
            yield from readings(inner, depth - 1)
    if inflated := _inflated(content):
        yield from readings(inflated, depth)


def _decoded(part: bytes) -> Iterator[bytes]:
    for start in (0, 1, 2, 3) if len(part) < 200 else (0,):
        bare = part[start:].rstrip(b"=")
        try:
            yield base64.b64decode(bare[: len(bare) // 4 * 4].replace(b"-", b"+").replace(b"_", b"/") + bare[len(bare) // 4 * 4 :] + b"=" * (-len(bare) % 4))
        except (binascii.Error, ValueError):
            continue


def _inflated(content: bytes) -> bytes:
    for bits in (15, 31, -15):
        try:
            return zlib.decompressobj(bits).decompress(content)
        except zlib.error:
            continue
    return b""
