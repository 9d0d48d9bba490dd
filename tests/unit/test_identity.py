from __future__ import annotations

import pytest
from caseline.identity import is_own, normalise_identities, normalise_identity
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("email: Ann.Lee@Example.COM ", "email:ann.lee@example.com"),
        ("EMAIL:a@b", "email:a@b"),
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
