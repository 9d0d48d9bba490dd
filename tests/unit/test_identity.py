from __future__ import annotations

import os
import subprocess
import sys

import pytest
from caseline.identity import is_own, normalise_identities, normalise_identity
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("email: Ann.Lee@Example.COM ", "email:ann.lee@example.com"),
        ("EMAIL:a@b", "email:a@b"),
        ("email:mailto:ann@example.com", "email:ann@example.com"),
        ("email:ann@example.com.", "email:ann@example.com"),
        ("phone:tel:+44-20-7946-0112", "phone:+442079460112"),
        ("email:nobody", None),
        ("email:a b@c.example", None),
        ("email:@x.example", None),
        ("phone:+49 (30) 123-45.67", "phone:+49301234567"),
        ("phone:0049301234567", "phone:+49301234567"),
        ("phone:030123456", None),
        ("phone:+0301234567", None),
        ("phone:+123456", None),
        ("phone:+٤٩٣٠١٢٣٤٥", None),
        ("x:@AnnLee", "x:@annlee"),
        ("x:12345", "x:12345"),
        ("x:@", None),
        ("x:", None),
        (":12", None),
        ("nobody", None),
        ("", None),
        ("instagram:@Straße", "instagram:@strasse"),
        ("facebook:AbC", "facebook:AbC"),
        ("standard_webhooks.My-Shop:u:1", "standard_webhooks.My-Shop:u:1"),
        ("1x:3", None),
        ("x y:3", None),
        ("whatsapp:4915550001111", "whatsapp:4915550001111"),
        ("domain:Acme.Example.", "domain:acme.example"),
        ("x:a\u0000b", None),
        ("x:" + "a" * 513, None),
    ],
)
def test_one_spelling(text: str, expected: str | None) -> None:
    assert normalise_identity(text) == expected


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("020 7946 0018", "GB", "+442079460018"),
        ("(030) 901820", "de", "+4930901820"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("212-555-0123", "US", "+12125550123"),
        ("06 698 12345", "IT", "+390669812345"),  # Italy keeps the 0
        ("+44 (0)20 7946 0018", "", "+442079460018"),
        ("0044 (0) 20 7946 0018", "FR", "+442079460018"),
        ("+49 30 901820", "GB", "+4930901820"),
        ("123-456-7890", "US", None),  # no area has that code
        ("212-555-0123 ext. 7", "US", None),
        ("020 7946 0018", "", None),
        ("020 7946 0018", "ZZ", None),
        ("(0)" * 20, "GB", None),
        ("call me", "GB", None),
        ("", "GB", None),
    ],
)
def test_phone_numbers_as_people_write_them(text: str, region: str, expected: str | None) -> None:
    assert normalise_identities([f"phone:{text}"], region) == ((f"phone:{expected}",) if expected else ())


def test_no_library_is_loaded_for_what_platforms_write() -> None:
    code = "import sys; from caseline.identity import *; normalise_identities(['phone:+49 30 901820', 'phone:me']); sys.exit('phonenumbers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": os.pathsep.join(sys.path)}).returncode == 0


@given(st.text(max_size=80))
def test_normalising_again_changes_nothing(text: str) -> None:
    for candidate in (text, f"x:{text}", f"email:{text}", f"phone:{text}"):
        once = normalise_identity(candidate)
        assert once is None or normalise_identity(once) == once


def test_lists_keep_order_and_drop_what_is_none() -> None:
    assert normalise_identities(["x:@A", "nobody", "email:A@b.example", "x:@a"]) == ("x:@a", "email:a@b.example")


def test_own_ids_and_domains() -> None:
    own = ["x:111", "domain:acme.example"]
    assert is_own("x:111", own) and is_own("email:care@acme.example", own)
    assert not is_own("email:care@notacme.example", own) and not is_own("x:1111", own)
